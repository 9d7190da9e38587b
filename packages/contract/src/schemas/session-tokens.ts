// Tokens with which a browser uses one session, and the origins from which browsers can do so.

import { limits, sessionTokenLimits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { sessionTokenScopes } from "../vocabulary.ts";
import { idOutput, noOtherFields, nullable, oneOf, plainText, timestamp } from "./common.ts";

const endUserText = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: limits.nameChars,
    pattern: `^${plainText}+$`,
    "x-expected": "text without control characters or characters that change the text direction",
    description,
  });

const EndUserInput = Type.Object(
  {
    id: Type.Optional(endUserText("The end user's id in your application.")),
    name: Type.Optional(endUserText("The end user's name, for people.")),
  },
  {
    ...noOtherFields,
    minProperties: 1,
    description:
      "Who gets the token. Messages sent with it have `end_user_id` and `end_user_name` in their `metadata`.",
  },
);
export type EndUser = Static<typeof EndUserInput>;

/** In replies. */
export const EndUser = Type.Object(
  { id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) },
  { title: "EndUser", description: "The end user of the session token that the message was sent with." },
);

const scopes = Type.Array(oneOf(sessionTokenScopes), {
  minItems: 1,
  uniqueItems: true,
  description:
    "`send`: send messages. `read`: read the session, its messages, events and files. `answer`: answer what its " +
    "agent asks for. `upload`: upload files for its messages. `cancel`: cancel messages. Default: all.",
});

export const CreateSessionTokenRequest = Type.Object(
  {
    expires_in: Type.Optional(
      Type.Integer({
        minimum: sessionTokenLimits.secondsMin,
        maximum: sessionTokenLimits.secondsMax,
        description: `How long the token is valid, in seconds (default ${sessionTokenLimits.secondsDefault}).`,
      }),
    ),
    scopes: Type.Optional(scopes),
    end_user: Type.Optional(EndUserInput),
  },
  { ...noOtherFields, title: "CreateSessionTokenRequest" },
);
export type CreateSessionTokenRequest = Static<typeof CreateSessionTokenRequest>;

export const SessionTokenCreated = Type.Object(
  {
    id: idOutput("sessionToken"),
    token: Type.String({ description: "Send it as `Authorization: Bearer`. It cannot be read again." }),
    session_id: idOutput("session"),
    scopes: Type.Array(oneOf(sessionTokenScopes)),
    end_user: nullable(EndUser),
    expires_at: timestamp,
  },
  { title: "SessionTokenCreated" },
);
export type SessionTokenCreated = Static<typeof SessionTokenCreated>;

const origin = Type.String({
  maxLength: sessionTokenLimits.originChars,
  // The operation also checks that it is written as browsers send it.
  pattern: "^(https://[^/?#@\\s*]+|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]+)?)$",
  "x-expected": "an origin such as 'https://app.example.com', or 'http://localhost:3000', without a path or a wildcard",
});

export const PutAllowedOriginsRequest = Type.Object(
  {
    origins: Type.Array(origin, {
      uniqueItems: true,
      maxItems: sessionTokenLimits.originsMax,
      description: "All origins; they replace the earlier ones.",
    }),
  },
  { ...noOtherFields, title: "PutAllowedOriginsRequest" },
);
export type PutAllowedOriginsRequest = Static<typeof PutAllowedOriginsRequest>;

export const AllowedOrigins = Type.Object(
  { origins: Type.Array(Type.String()) },
  {
    title: "AllowedOrigins",
    description: "Pages of these origins can call the organization's sessions with a session token.",
  },
);
export type AllowedOrigins = Static<typeof AllowedOrigins>;
