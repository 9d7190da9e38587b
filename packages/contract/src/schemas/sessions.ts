// Sessions: durable conversations, each pinned to one version of its agent.

import { limits, onBusyChoices } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idInput, idOutput, metadata, name, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { messageStatus, onBusyInput } from "./messages.ts";
import { sessionStatuses } from "../vocabulary.ts";

/** Names of secrets and environment variables. */
export const environmentName = "^[A-Z_][A-Z0-9_]*$";

/** Secrets of one session: values by name. */
export const sessionSecrets = Type.Unsafe<Record<string, string>>({
  type: "object",
  description: "Values by secret name, for this session only. They replace the organization's credentials.",
  maxProperties: limits.credentialsPerOrganization,
  propertyNames: {
    pattern: environmentName,
    maxLength: limits.nameChars,
    "x-expected": `a name matching ${environmentName}`,
  },
  additionalProperties: { type: "string", "x-max-bytes": limits.secretValueBytes },
});

export const CreateSessionRequest = Type.Object(
  {
    name: Type.Optional(name),
    metadata: Type.Optional(metadata),
    version_id: Type.Optional(
      Type.String({ ...idInput("version"), description: "Default: the agent's active version." }),
    ),
    on_busy: Type.Optional(onBusyInput("`enqueue`")),
    secrets: Type.Optional(sessionSecrets),
    internet_access: Type.Optional(
      Type.Boolean({
        description:
          "False: the session's agent connects to nothing. True or absent: it reaches what the platform, the " +
          "organization and dari.yml allow. True allows nothing more.",
      }),
    ),
  },
  { ...noOtherFields, title: "CreateSessionRequest" },
);
export type CreateSessionRequest = Static<typeof CreateSessionRequest>;

export const SessionRecord = Type.Object(
  {
    id: idOutput("session"),
    agent_id: idOutput("agent"),
    deployment_id: Type.String({ examples: ["dep_01jx5m0k8c3f7q2v9t4w6y8z1a"] }),
    version_id: idOutput("version"),
    status: oneOf(sessionStatuses),
    name: nullable(Type.String()),
    metadata,
    on_busy: oneOf(onBusyChoices),
    internet_access: nullable(
      Type.Boolean({
        description: "The value at the session's creation. Null: none was given. Only false has an effect.",
      }),
    ),
    last_message_id: nullable(idOutput("message")),
    last_message_status: nullable(messageStatus),
    created_at: timestamp,
    ended_at: nullable(timestamp),
    forked_from: Type.Optional(
      Type.Object(
        { session_id: idOutput("session"), message_id: nullable(idOutput("message")) },
        { description: "Source of the fork. `message_id` null: forked from before the first message." },
      ),
    ),
  },
  { title: "Session" },
);
export type SessionRecord = Static<typeof SessionRecord>;

const words = (description: string) =>
  nullable(Type.String({ description: `${description} At most ${limits.summaryTextChars} characters.` }));
const summed = `Of the newest ${limits.summaryTurns} turns.`;

export const SessionSummary = Type.Object(
  {
    id: idOutput("session"),
    agent_id: idOutput("agent"),
    agent_name: Type.String(),
    name: nullable(Type.String()),
    title: words("The name, or else the first message's text. Null: neither."),
    last_words: words("The newest answer, the error, or else the newest message's text."),
    status: oneOf(sessionStatuses),
    last_message_id: nullable(idOutput("message")),
    last_message_status: nullable(messageStatus),
    created_by: nullable(
      Type.Object(
        {
          type: oneOf(["member", "api_key", "schedule", "batch", "trigger"]),
          id: Type.String(),
          name: nullable(
            Type.String({
              description:
                "A member's address, an API key's label, or a name. Null if there is none. Addresses and labels are " +
                "also null unless the caller is a member or has the scope `admin`.",
            }),
          ),
        },
        { description: "Who started the session. Null: unknown, for example imported." },
      ),
    ),
    messages: Type.Integer({ description: "All messages, also rolled back ones." }),
    failed: Type.Integer({ description: `Failed messages. ${summed}` }),
    tokens: Type.Integer({ description: `Tokens that the agent's SDK reported. ${summed}` }),
    turn_seconds: Type.Number({ description: `Seconds that the agent ran. ${summed}` }),
    created_at: timestamp,
    last_activity_at: Type.String({
      ...timestamp,
      description: "When the newest message was accepted or ended; without messages, `created_at`.",
    }),
  },
  { title: "SessionSummary" },
);
export type SessionSummary = Static<typeof SessionSummary>;
