// The requests and messages of `useChat`, the chat of the npm package `ai`, as this platform accepts and shows them.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { anyJson } from "./activity.ts";
import { integerText, metadata, noOtherFields, oneOf } from "./common.ts";

/** The client chooses the ids of its messages. The platform's own are the ids of its messages and answers. */
const uiMessageId = Type.String({ minLength: 1, maxLength: limits.nameChars });

/** A part whose fields depend on its `type`, as the package's reference describes them. */
const uiPart = Type.Unsafe<Readonly<Record<string, unknown>> & { readonly type: string }>({
  type: "object",
  required: ["type"],
  properties: { type: { type: "string" } },
});

/** A message as clients keep it. Clients send all of them each time, and the platform reads the last ones only. */
export const UiMessage = Type.Object({
  id: uiMessageId,
  role: oneOf(["system", "user", "assistant"]),
  metadata: Type.Optional(anyJson),
  parts: Type.Array(uiPart),
});
export type UiMessage = Static<typeof UiMessage>;

export const uiTriggers = ["submit-message", "regenerate-message"] as const;

export const SendUiMessageRequest = Type.Object(
  {
    id: Type.Optional(Type.String({ maxLength: limits.nameChars, description: "The chat's id. It has no effect." })),
    messages: Type.Optional(
      Type.Array(UiMessage, {
        minItems: 1,
        maxItems: limits.chatMessagesMax,
        description: "The conversation. The last message is sent, or answers an input. The others are not stored.",
      }),
    ),
    message: Type.Optional(UiMessage),
    trigger: Type.Optional(oneOf(uiTriggers)),
    messageId: Type.Optional(
      Type.Unsafe<string | null>({
        type: ["string", "null"],
        maxLength: limits.nameChars,
        description: "The message to send again or to replace.",
      }),
    ),
  },
  noOtherFields,
);
export type SendUiMessageRequest = Static<typeof SendUiMessageRequest>;

const fileUrl = Type.String({
  pattern: "^(data:[^,]*;base64,[A-Za-z0-9+/]*={0,2}|/v1/files/file_[0-9a-z]+/content)$",
  "x-expected": "a data URL with base64 data, or /v1/files/{file_id}/content; the platform does not fetch addresses",
});
/** What the package adds to parts that it has shown. */
const shown = { state: Type.Optional(anyJson), providerMetadata: Type.Optional(anyJson) };
const UiTextPart = Type.Object(
  { type: oneOf(["text"]), text: Type.String({ "x-max-bytes": limits.messageTextBytes }), ...shown },
  noOtherFields,
);
const UiFilePart = Type.Object(
  {
    type: oneOf(["file"]),
    mediaType: Type.String({ minLength: 1, maxLength: limits.nameChars }),
    filename: Type.Optional(Type.String({ maxLength: limits.filenameBytes })),
    url: fileUrl,
    ...shown,
  },
  noOtherFields,
);
export type UiUserPart = Static<typeof UiTextPart> | Static<typeof UiFilePart>;

/** The message that is sent. */
export const UiUserMessage = Type.Object({
  id: uiMessageId,
  role: oneOf(["user"]),
  metadata: Type.Optional(metadata),
  parts: Type.Array(
    Type.Unsafe<UiUserPart>({
      type: "object",
      discriminator: { propertyName: "type" },
      required: ["type"],
      oneOf: [UiTextPart, UiFilePart],
    }),
    { minItems: 1, maxItems: limits.messagePartsMax },
  ),
});
export type UiUserMessage = Static<typeof UiUserMessage>;

export const aiVersions = ["5", "6", "7"] as const;

export const aiVersionQuery = Type.Optional(
  Type.Unsafe<(typeof aiVersions)[number]>({
    ...oneOf(aiVersions),
    description: "Major version of the package `ai` that reads the reply (default 7).",
  }),
);

export const uiMessagesQuery = Type.Object({
  version: aiVersionQuery,
  limit: Type.Optional(
    integerText(
      1,
      limits.listLimitDefault,
      `Messages of the session, each with its answer (default ${limits.listLimitDefault}).`,
    ),
  ),
  before: Type.Optional(Type.String({ maxLength: 64, description: "`previous` of the page after this one." })),
});

export const UiMessages = Type.Object({
  messages: Type.Array(UiMessage),
  previous: Type.Unsafe<string | null>({
    type: ["string", "null"],
    description: "`before` of the page before this one. Null: there is none.",
  }),
});
export type UiMessages = Static<typeof UiMessages>;

export const UiMessageChunk = Type.Unsafe<object>({
  type: "object",
  required: ["type"],
  properties: { type: { type: "string" } },
  description: "A chunk of the package's UI message stream.",
});
