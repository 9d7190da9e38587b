// What a request of the package `ai` asks for. Pure.

import { UiUserMessage, validate, type SendUiMessageRequest, type UiMessage, type UiUserPart } from "@dari/contract";
import { AppError, invalidField } from "@dari/domain";
import { readFilePart, type InputPart } from "../openai/input.ts";
import type { GivenAnswers } from "./answer-question.ts";
import { isAnswerId, messageOf, parseInputId } from "./ids.ts";
import { textOf } from "./message-text.ts";
import type { Replaced } from "./replace-message.ts";

export type UiAction =
  | { readonly kind: "send"; readonly message: UiUserMessage; readonly path: string }
  | { readonly kind: "replace"; readonly message: UiUserMessage; readonly path: string; readonly named: Named }
  | { readonly kind: "regenerate"; readonly named: Named }
  | ({ readonly kind: "answer" } & GivenAnswers);

/** The message that a request replaces. */
type Named = Omit<Replaced, "sessionId">;

interface Placed {
  readonly message: UiMessage;
  readonly path: string;
}

/** @throws AppError `invalid`, with the path of the message that is wrong */
export function readUiAction(body: SendUiMessageRequest): UiAction {
  const placed = placedIn(body);
  const messageId = body.messageId ?? undefined;
  const last = placed.at(-1);
  if (body.trigger === "regenerate-message") {
    const text = last?.message.role === "user" ? textOf(last.message) : undefined;
    const before = last?.message.role === "user" ? placed.slice(0, -1) : placed;
    const place = { messageId: messageOf(messageId), ...placeAfter(before) };
    return { kind: "regenerate", named: { ...place, text, isNewest: true } };
  }
  if (last === undefined) throw invalidField("messages", "field is required, or `message`");
  // An answer can belong to an earlier message, which the request then names.
  const named = placed.find(({ message }) => message.id === messageId && message.role === "assistant") ?? last;
  if (named.message.role === "assistant") return readAnswers(named);
  const { path } = last;
  const message = readUserMessage(last);
  if (messageId !== message.id) return { kind: "send", message, path };
  const place = { messageId: messageOf(messageId), ...placeAfter(placed.slice(0, -1)) };
  return { kind: "replace", message, path, named: { ...place, text: undefined, isNewest: false } };
}

function placedIn({ messages, message }: SendUiMessageRequest): Placed[] {
  if (messages !== undefined && message !== undefined) {
    throw invalidField("message", "expected either `message` or `messages`");
  }
  if (message !== undefined) return [{ message, path: "message" }];
  return (messages ?? []).map((one, index) => ({ message: one, path: `messages[${index}]` }));
}

/** Returns the message whose answer is the last one in a conversation, and what follows that answer. */
function placeAfter(placed: readonly Placed[]): Pick<Replaced, "afterMessageId" | "between"> {
  const index = placed.findLastIndex(({ message }) => message.role === "assistant" && isAnswerId(message.id));
  const between = placed.slice(index + 1).map(({ message }) => messageOf(message.id));
  return { afterMessageId: messageOf(placed[index]?.message.id), between };
}

function readUserMessage({ message, path }: Placed): UiUserMessage {
  const issues = validate(UiUserMessage, message);
  if (issues.length === 0) return message as UiUserMessage;
  const named = issues.map((issue) => ({ ...issue, path: issue.path === "body" ? path : `${path}.${issue.path}` }));
  throw new AppError("invalid", "the body is invalid", { issues: named });
}

interface ShownCall {
  readonly state?: unknown;
  readonly toolCallId?: unknown;
  readonly output?: unknown;
  readonly approval?: { readonly id?: unknown; readonly approved?: unknown; readonly reason?: unknown } | null;
}

/** Reads the answers from the last step of a message, where the client has the questions that were open. */
function readAnswers({ message, path }: Placed): UiAction {
  const start = message.parts.findLastIndex(({ type }) => type === "step-start") + 1;
  const answers = message.parts.slice(start).flatMap((part, index) => {
    const isCall = part.type === "dynamic-tool" || part.type.startsWith("tool-");
    return isCall ? readAnswer(part, `${path}.parts[${start + index}]`) : [];
  });
  const [first] = answers;
  if (first === undefined) {
    throw invalidField(path, "expected a message of the role 'user', or an answer to an input in the last step");
  }
  const { messageId } = first;
  if (answers.some((answer) => answer.messageId !== messageId)) {
    throw invalidField(path, "expected answers to inputs of one message");
  }
  return { kind: "answer", messageId, answers, askedIn: isAnswerId(message.id) ? messageOf(message.id) : undefined };
}

function readAnswer(part: object, path: string) {
  const { state, toolCallId, output, approval } = part as ShownCall;
  const asked = parseInputId(approval?.id);
  if (state === "approval-responded" && asked !== undefined) {
    const { approved, reason } = approval ?? {};
    const given = typeof reason === "string" && reason !== "" ? { reason } : {};
    return [{ ...asked, value: { approved, ...given }, path: `${path}.approval` }];
  }
  const called = parseInputId(toolCallId);
  if (called === undefined) return [];
  if (state === "output-error") {
    throw invalidField(`${path}.state`, "expected 'output-available': an input has no error; cancel its message");
  }
  return state === "output-available" ? [{ ...called, value: output, path: `${path}.output` }] : [];
}

/** Returns the parts of a message, with the bytes of files that the request has in itself. */
export function readUiParts(parts: readonly UiUserPart[], path: string): InputPart[] {
  return parts.map((part, index) => {
    if (part.type === "text") return { type: "text", text: part.text };
    const type = part.mediaType.startsWith("image/") ? "image" : "file";
    const fileId = /^\/v1\/files\/([^/]+)\/content$/.exec(part.url)?.[1];
    const given = fileId === undefined ? { data: part.url, filename: part.filename } : { fileId };
    return readFilePart(type, given, `${path}.parts[${index}]`);
  });
}
