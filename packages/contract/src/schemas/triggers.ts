// Triggers: URLs that turn events of other services into messages, and what the sender of an event is answered.

import { lanes, limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, name, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { laneInput } from "./messages.ts";
import { triggerSchemes, triggerStatuses } from "../vocabulary.ts";

const placeholders =
  "`{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and " +
  "`{{first|second}}` the first of them that is there.";

const scheme = Type.Unsafe<(typeof triggerSchemes)[number]>({
  ...oneOf(triggerSchemes),
  description: "How the sender signs events. `none`: everyone who has the URL can send.",
});
const { triggerSecretCharsMin: minLength, triggerSecretCharsMax: maxLength } = limits;
const secretChars = {
  minLength,
  maxLength,
  pattern: "^[!-~]*$",
  "x-expected": `${minLength} to ${maxLength} printable ASCII characters without spaces`,
};
const secret = Type.String({
  ...secretChars,
  description:
    "The secret that the sender signs with. Default: a new one for `github` and `standard-webhooks`. `slack` and " +
    "`stripe` choose it themselves: until it is set, every event is refused.",
});
const text = Type.String({
  minLength: 1,
  maxLength: limits.triggerTextChars,
  examples: ["{{sender.login}} opened an issue: {{issue.title}}"],
  description: `Template of the message's text. ${placeholders}`,
});
const keyText = (description: string) => ({
  minLength: 1,
  maxLength: limits.triggerKeyChars,
  description: `${description} ${placeholders}`,
});
const sessionKey = keyText(
  "Template of a key. Events with the same key go to the same session. Absent: each event starts a session.",
);
const eventId = keyText(
  "Template of the event's id. An event whose id came before sends no message. Default: the scheme's own id.",
);

const TriggerCondition = Type.Object(
  {
    header: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: "Name of a header." })),
    path: Type.Optional(
      Type.String({ minLength: 1, maxLength: limits.triggerKeyChars, description: "Path of a value in the body." }),
    ),
    equals: Type.Optional(
      Type.Array(Type.String({ maxLength: limits.triggerKeyChars }), {
        minItems: 1,
        maxItems: limits.triggerValuesMax,
        description: "The value, as text, must be one of these.",
      }),
    ),
    exists: Type.Optional(Type.Boolean({ description: "Whether there must be a value, or must be none." })),
  },
  {
    ...noOtherFields,
    title: "TriggerCondition",
    description: "Either `header` or `path`, and either `equals` or `exists`.",
  },
);
export type TriggerCondition = Static<typeof TriggerCondition>;

const when = Type.Array(TriggerCondition, {
  maxItems: limits.triggerConditionsMax,
  description: "Conditions that an event must all meet. Other events are answered, but send no message.",
});
const missing = Type.Unsafe<"empty" | "refuse">({
  ...oneOf(["empty", "refuse"]),
  description:
    "If a value of `text` is missing: `empty` leaves its place empty, `refuse` answers 422. Default: `empty`. Values " +
    "of `session_key` and `event_id` must not be missing.",
});
const includeBody = Type.Boolean({
  description: "Whether the message has the event's JSON body as its second text part (default false).",
});

export const CreateTriggerRequest = Type.Object(
  {
    name: Type.Optional(name),
    scheme,
    secret: Type.Optional(secret),
    text,
    session_key: Type.Optional(Type.String(sessionKey)),
    event_id: Type.Optional(Type.String(eventId)),
    when: Type.Optional(when),
    missing: Type.Optional(missing),
    include_body: Type.Optional(includeBody),
    lane: Type.Optional(laneInput("interactive")),
    status: Type.Optional(oneOf(triggerStatuses)),
  },
  { ...noOtherFields, title: "CreateTriggerRequest" },
);
export type CreateTriggerRequest = Static<typeof CreateTriggerRequest>;

const orNull = (schema: object) => Type.Unsafe<string | null>({ ...schema, type: ["string", "null"] });

export const UpdateTriggerRequest = Type.Object(
  {
    name: Type.Optional(name),
    text: Type.Optional(text),
    session_key: Type.Optional(orNull(sessionKey)),
    event_id: Type.Optional(orNull(eventId)),
    when: Type.Optional(when),
    missing: Type.Optional(missing),
    include_body: Type.Optional(includeBody),
    lane: Type.Optional(laneInput("unchanged")),
    status: Type.Optional(oneOf(triggerStatuses)),
  },
  { ...noOtherFields, minProperties: 1, title: "UpdateTriggerRequest" },
);
export type UpdateTriggerRequest = Static<typeof UpdateTriggerRequest>;

export const RotateTriggerSecretRequest = Type.Object(
  {
    secret: Type.Optional(
      Type.String({
        ...secretChars,
        description: "The new secret. Required for `slack` and `stripe`; default: a new one.",
      }),
    ),
  },
  { ...noOtherFields, title: "RotateTriggerSecretRequest" },
);
export type RotateTriggerSecretRequest = Static<typeof RotateTriggerSecretRequest>;

const triggerFields = {
  id: idOutput("trigger"),
  agent_id: idOutput("agent"),
  name: nullable(Type.String()),
  scheme,
  has_secret: Type.Boolean({ description: "False: every event is refused, unless the scheme is `none`." }),
  old_secret_expires_at: nullable(
    Type.String({ ...timestamp, description: "Until when the old secret is accepted as well. Null: it is not." }),
  ),
  text: Type.String(),
  session_key: nullable(Type.String()),
  event_id: nullable(Type.String({ description: "Null: the scheme's own id." })),
  when: Type.Array(TriggerCondition),
  missing: oneOf(["empty", "refuse"]),
  include_body: Type.Boolean(),
  lane: oneOf(lanes),
  status: oneOf(triggerStatuses),
  changed_by_key_id: nullable(
    Type.String({ ...idOutput("apiKey"), description: "Key that created or last changed the trigger. Null: none." }),
  ),
  created_at: timestamp,
  updated_at: timestamp,
};

export const TriggerRecord = Type.Object(triggerFields, { title: "Trigger" });
export type TriggerRecord = Static<typeof TriggerRecord>;

const shownOnce = "Shown once: absent if an idempotent request is repeated.";
const newSecret = Type.Optional(Type.String({ description: `A secret that the platform made. ${shownOnce}` }));

export const TriggerCreated = Type.Object(
  {
    ...triggerFields,
    url: Type.Optional(Type.String({ description: `Where the sender posts events. It is a secret. ${shownOnce}` })),
    secret: newSecret,
  },
  { title: "TriggerCreated" },
);
export type TriggerCreated = Static<typeof TriggerCreated>;

export const TriggerSecretRotated = Type.Object(
  { ...triggerFields, secret: newSecret },
  { title: "TriggerSecretRotated" },
);
export type TriggerSecretRotated = Static<typeof TriggerSecretRotated>;

/** The body of an event. The API reads its bytes, because the sender has signed them. */
export const TriggerEvent = Type.Unsafe<Record<string, unknown> | unknown[]>({
  type: ["object", "array"],
  title: "TriggerEvent",
  description: `Any JSON object or list of at most ${limits.triggerBodyBytes} bytes.`,
});

export const TriggerReceipt = Type.Object(
  {
    status: Type.Optional(
      Type.Unsafe<"accepted" | "duplicate" | "ignored">({
        ...oneOf(["accepted", "duplicate", "ignored"]),
        description: "Whether the event sent a message, came before, or is one that the trigger does not want.",
      }),
    ),
    session_id: Type.Optional(idOutput("session")),
    message_id: Type.Optional(Type.String({ ...idOutput("message"), description: "The message that the event sent." })),
    reason: Type.Optional(Type.String({ description: "Why it was ignored, for people." })),
    challenge: Type.Optional(Type.String({ description: "Slack's challenge, in the answer to `url_verification`." })),
  },
  { title: "TriggerReceipt" },
);
export type TriggerReceipt = Static<typeof TriggerReceipt>;
