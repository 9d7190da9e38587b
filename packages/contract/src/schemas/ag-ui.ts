// A run of the AG-UI protocol as this platform accepts it. What it cannot do is refused by name.

import { idPrefixes, limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { anyJson } from "./activity.ts";
import { metadata, noOtherFields, oneOf } from "./common.ts";
import { onlyDefault, textOrList } from "./openai-responses.ts";

const agUiId = Type.String({ minLength: 1, maxLength: limits.nameChars });

/** A message as clients keep it. The platform reads the last one only. */
const AgUiMessage = Type.Unsafe<Readonly<Record<string, unknown>> & { readonly id: string; readonly role: string }>({
  type: "object",
  required: ["id", "role"],
  properties: { id: agUiId, role: { type: "string" } },
});

const Resume = Type.Object(
  {
    interruptId: Type.String({
      pattern: `^${idPrefixes.message}_[0-9a-z]+:`,
      maxLength: limits.nameChars,
      "x-expected": "the id of an interrupt",
    }),
    status: oneOf(["resolved", "cancelled"]),
    payload: Type.Optional(anyJson),
    metadata: Type.Optional(anyJson),
  },
  noOtherFields,
);

export const RunAgUiRequest = Type.Object(
  {
    threadId: agUiId,
    runId: agUiId,
    messages: Type.Array(AgUiMessage, {
      maxItems: limits.chatMessagesMax,
      description: "The conversation. If the last message has the role `user`, it is sent. None: shows the session's.",
    }),
    resume: Type.Optional(Type.Array(Resume, { maxItems: 1, description: "The answer to an interrupt." })),
    protocolVersion: Type.Optional(Type.String({ maxLength: 16 })),
    parentRunId: onlyDefault([], "roll back or fork the session"),
    state: onlyDefault([{}, ""], "the session has its own state"),
    tools: onlyDefault([[]], "the agent has its own tools"),
    context: onlyDefault([[]], "write it into the message"),
    forwardedProps: onlyDefault([{}], "send `metadata` of the message"),
  },
  noOtherFields,
);
export type RunAgUiRequest = Static<typeof RunAgUiRequest>;

const data = Type.Object(
  {
    type: oneOf(["data"]),
    value: Type.String({ pattern: "^[A-Za-z0-9+/]*={0,2}$", "x-expected": "base64 data" }),
    mimeType: Type.String({ minLength: 1, maxLength: limits.nameChars }),
  },
  noOtherFields,
);
const file = Type.Object(
  {
    type: oneOf(["file"]),
    value: Type.String({ pattern: `^${idPrefixes.file}_`, maxLength: 64, "x-expected": "the id of an uploaded file" }),
    provider: onlyDefault([], "the file must be one of this platform"),
    mimeType: Type.Optional(Type.String({ maxLength: limits.nameChars })),
  },
  noOtherFields,
);
const own = { id: Type.Optional(anyJson), metadata: Type.Optional(anyJson) };
const TextContent = Type.Object(
  { type: oneOf(["text"]), text: Type.String({ "x-max-bytes": limits.messageTextBytes }), ...own },
  noOtherFields,
);
const FileContent = Type.Object(
  {
    type: oneOf(["image", "audio", "video", "document"]),
    source: Type.Unsafe<Static<typeof data> | Static<typeof file>>({
      type: "object",
      discriminator: { propertyName: "type" },
      required: ["type"],
      oneOf: [data, file],
    }),
    ...own,
  },
  noOtherFields,
);
export type AgUiContent = Static<typeof TextContent> | Static<typeof FileContent>;

const content = Type.Unsafe<AgUiContent>({
  type: "object",
  discriminator: { propertyName: "type" },
  required: ["type"],
  oneOf: [TextContent, FileContent],
});

/** The message that is sent. */
export const AgUiUserMessage = Type.Object(
  {
    id: agUiId,
    role: oneOf(["user"]),
    content: textOrList<AgUiContent>(content),
    metadata: Type.Optional(metadata),
    name: onlyDefault([], "write it into the content"),
    encryptedValue: onlyDefault([], "there is none"),
  },
  noOtherFields,
);
export type AgUiUserMessage = Static<typeof AgUiUserMessage>;

export const AgUiEvent = Type.Unsafe<object>({
  type: "object",
  required: ["type"],
  properties: { type: { type: "string" } },
  description: "An event of the AG-UI protocol.",
});
