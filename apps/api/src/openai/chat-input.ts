// The conversation that a client of Chat Completions sends: what is new in it, its digest, and its text for an agent
// that has not seen it. Pure.

import { createHash } from "node:crypto";
import type { OpenAiChatMessage, OpenAiChatPart } from "@dari/contract";
import { invalidField, limits } from "@dari/domain";
import { readFilePart, type InputPart } from "./input.ts";

type Messages = readonly OpenAiChatMessage[];

export interface Conversation {
  /** What was sent before the last answer. */
  readonly before: Messages;
  /** The text of the last answer; undefined if there is none. */
  readonly answer: string | undefined;
  /** The messages after it, which are to be answered. */
  readonly asked: Messages;
}

/** @throws AppError `invalid` if the last message is an answer, or an answer has files */
export function splitConversation(messages: Messages): Conversation {
  for (const [index, { role, content }] of messages.entries()) {
    if (role === "user" || typeof content === "string" || content.every(({ type }) => type === "text")) continue;
    throw invalidField(`messages[${index}].content`, "expected text: only messages of the role 'user' have files");
  }
  const last = messages.findLastIndex(({ role }) => role === "assistant");
  const asked = messages.slice(last + 1);
  if (!asked.some(({ role }) => role === "user")) {
    throw invalidField("messages", "expected a message of the role 'user' after the last one of the role 'assistant'");
  }
  const answer = messages[last];
  return { before: messages.slice(0, Math.max(0, last)), answer: answer && textOf(answer), asked };
}

export interface DigestScope {
  readonly agentId: string;
  readonly versionId: string | undefined;
  /** The end user. Conversations of different end users have different digests. */
  readonly user: string | number | boolean | undefined;
}

/** Returns the digest of a conversation, and the digest of its first `count` messages. */
export function digestConversation(
  messages: Messages,
  count: number,
  { agentId, versionId, user }: DigestScope,
): { readonly whole: Buffer; readonly first: Buffer } {
  const hash = createHash("sha256").update(JSON.stringify([agentId, versionId ?? null, user ?? null]));
  const add = ({ role, content }: OpenAiChatMessage): void => {
    hash.update(JSON.stringify([role, partsOf(content).map(identityOf)]));
  };
  messages.slice(0, count).forEach(add);
  const first = hash.copy().digest();
  messages.slice(count).forEach(add);
  return { whole: hash.digest(), first };
}

function identityOf(part: OpenAiChatPart): readonly unknown[] {
  if (part.type === "text") return ["text", part.text];
  if (part.type === "image_url") return ["image", part.image_url.url];
  return ["file", part.file.file_id ?? part.file.file_data];
}

/** Returns the parts of messages that are to be answered. */
export function readAsked(asked: Messages, path = "messages"): InputPart[] {
  return limitParts(asked.flatMap(({ content }) => readParts(content, path)));
}

/** Returns the parts of a conversation that begins here: its earlier messages as one text, and then the rest. */
export function readWhole({ before, answer, asked }: Conversation): InputPart[] {
  if (answer === undefined) return readAsked(asked);
  const said = [...before, { role: "assistant", content: answer } as const];
  // No text in JSON can look like a message of another role.
  const lines = said.map((message) => JSON.stringify({ role: message.role, content: textOf(message) }));
  const text = ["The conversation so far, one JSON object per message:", ...lines].join("\n");
  const files = before.flatMap(({ content }) => readParts(content, "messages")).filter(({ type }) => type !== "text");
  return limitParts([{ type: "text", text }, ...files, ...readAsked(asked)]);
}

function limitParts(parts: InputPart[]): InputPart[] {
  if (parts.length > limits.messagePartsMax) {
    throw invalidField("messages", `expected at most ${limits.messagePartsMax} parts to send, not ${parts.length}`);
  }
  const longest = Math.max(...parts.map((part) => ("text" in part ? Buffer.byteLength(part.text) : 0)));
  if (longest <= limits.messageTextBytes) return parts;
  throw invalidField("messages", `expected at most ${limits.messageTextBytes} bytes of earlier text, not ${longest}`);
}

function readParts(content: OpenAiChatMessage["content"], path: string): InputPart[] {
  return partsOf(content).map((part): InputPart => {
    if (part.type === "text") return { type: "text", text: part.text };
    if (part.type === "image_url") return readFilePart("image", { data: part.image_url.url }, path);
    const { file_id: fileId, file_data: data, filename } = part.file;
    return readFilePart("file", { fileId, data, filename }, path);
  });
}

function partsOf(content: OpenAiChatMessage["content"]): readonly OpenAiChatPart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function textOf({ content }: Pick<OpenAiChatMessage, "content">): string {
  return partsOf(content)
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n");
}
