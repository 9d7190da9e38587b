// What a run of the AG-UI protocol asks for. Pure.

import { AgUiUserMessage, validate, type AgUiContent, type MessageRecord, type RunAgUiRequest } from "@dari/contract";
import { AppError, invalidField } from "@dari/domain";
import type { InlineFile, InputPart } from "../openai/input.ts";
import type { GivenAnswers } from "./answer-question.ts";
import { messageOf, parseInputId, type InputId } from "./ids.ts";

export type AgUiAction =
  | { readonly kind: "send"; readonly message: AgUiUserMessage; readonly path: string }
  /** Shows a message's turn from its start. */
  | { readonly kind: "show"; readonly messageId: string }
  /** Shows the conversation, and the turn that runs. */
  | { readonly kind: "attach" }
  | ({ readonly kind: "answer" } & GivenAnswers);

/** @throws AppError `invalid`, with the path of what is wrong */
export function readAgUiAction(body: RunAgUiRequest): AgUiAction {
  const [resume] = body.resume ?? [];
  const asked = parseInputId(resume?.interruptId);
  if (resume !== undefined && asked === undefined) {
    throw invalidField("resume[0].interruptId", "expected the id of an interrupt");
  }
  if (resume?.status === "resolved" && asked !== undefined) {
    const { messageId, key } = asked;
    return { kind: "answer", messageId, answers: [{ key, value: resume.payload ?? null, path: "resume[0].payload" }] };
  }
  const last = body.messages.at(-1);
  if (last?.role !== "user") {
    if (asked !== undefined) return { kind: "show", messageId: asked.messageId };
    if (last === undefined) return { kind: "attach" };
    throw invalidField(`messages[${body.messages.length - 1}].role`, "expected 'user'");
  }
  // A client that got the conversation from here continues to watch its last message.
  const own = messageOf(last.id);
  if (own !== undefined) return { kind: "show", messageId: own };
  return { kind: "send", ...readUserMessage(last, `messages[${body.messages.length - 1}]`) };
}

/** Returns the input of an abandoned interrupt. Its message is cancelled. */
export function abandonedIn({ resume }: RunAgUiRequest): InputId | undefined {
  const [first] = resume ?? [];
  return first?.status === "cancelled" ? parseInputId(first.interruptId) : undefined;
}

function readUserMessage(message: object, path: string): { readonly message: AgUiUserMessage; readonly path: string } {
  const issues = validate(AgUiUserMessage, message);
  if (issues.length === 0) return { message: message as AgUiUserMessage, path };
  const named = issues.map((issue) => ({ ...issue, path: issue.path === "body" ? path : `${path}.${issue.path}` }));
  throw new AppError("invalid", "the body is invalid", { issues: named });
}

/** Returns the parts of a message, with the bytes of files that the request has in itself. */
export function readAgUiParts(content: string | readonly AgUiContent[]): InputPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.map((part) => {
    if (part.type === "text") return { type: "text", text: part.text };
    const type = part.type === "image" ? "image" : "file";
    const { source } = part;
    return source.type === "file" ? { type, file_id: source.value } : inlineFile(type, source.value, source.mimeType);
  });
}

/** Returns whether a message has these texts and files. Files in a request are compared by their names. */
export function hasSameContent({ parts }: Pick<MessageRecord, "parts">, given: readonly InputPart[]): boolean {
  if (parts.length !== given.length) return false;
  return parts.every((part, index) => {
    const other = given[index];
    if (other === undefined || other.type !== part.type) return false;
    if (part.type === "text") return "text" in other && other.text === part.text;
    return "file_id" in other
      ? other.file_id === part.file_id
      : "filename" in other && other.filename === part.filename;
  });
}

function inlineFile(type: "file" | "image", data: string, contentType: string): InlineFile {
  const subtype = /^\w+\/([a-z0-9]{1,10})/i.exec(contentType)?.[1]?.toLowerCase();
  const filename = subtype === undefined ? "file" : `file.${subtype}`;
  return { type, filename, contentType, bytes: Buffer.from(data, "base64") };
}
