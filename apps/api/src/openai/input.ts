// The input of a request as the parts of a message, and the parts of a message as input items. Pure.

import type { MessagePart, MessagePartInput, OpenAiContentPart, OpenAiInputItem } from "@dari/contract";
import { invalidField, limits } from "@dari/domain";

type MessageInput = string | readonly OpenAiInputItem[];

/** A file whose bytes are in the request. */
export interface InlineFile {
  readonly type: "file" | "image";
  readonly filename: string;
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** A part of a message, or a file that must be stored to become one. */
export type InputPart = MessagePartInput | InlineFile;

/** @throws AppError `invalid`, with the path of the part that names no file or several */
export function readInput(input: MessageInput): InputPart[] {
  if (typeof input === "string") return [{ type: "text", text: input }];
  const parts = input.flatMap(({ content }, index) => readContent(content, `input[${index}].content`));
  if (parts.length <= limits.messagePartsMax) return parts;
  throw invalidField("input", `expected at most ${limits.messagePartsMax} parts in all items, not ${parts.length}`);
}

function readContent(content: string | readonly OpenAiContentPart[], path: string): InputPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.map((part, index) => readPart(part, `${path}[${index}]`));
}

function readPart(part: OpenAiContentPart, path: string): InputPart {
  if (part.type === "input_text") return { type: "text", text: part.text };
  if (part.type === "input_image") return readFilePart("image", { fileId: part.file_id, data: part.image_url }, path);
  return readFilePart("file", { fileId: part.file_id, data: part.file_data, filename: part.filename }, path);
}

interface GivenFile {
  readonly fileId?: string | null | undefined;
  /** A data URL. */
  readonly data?: string | null | undefined;
  readonly filename?: string | null | undefined;
}

/** @throws AppError `invalid` unless the file has either an id or data */
export function readFilePart(type: "file" | "image", { fileId, data, filename }: GivenFile, path: string): InputPart {
  if (typeof fileId === "string" && typeof data !== "string") return { type, file_id: fileId };
  if (typeof data === "string" && typeof fileId !== "string") {
    return { type, ...readDataUrl(data, filename ?? undefined) };
  }
  throw invalidField(path, `expected either file_id or ${type === "image" ? "image_url" : "file_data"}`);
}

/** The schema has checked the form: `data:<content type>;base64,<data>`. */
function readDataUrl(url: string, filename: string | undefined): Omit<InlineFile, "type"> {
  const comma = url.indexOf(",");
  const contentType = url.slice("data:".length, comma - ";base64".length);
  const subtype = /^\w+\/([a-z0-9]{1,10})/i.exec(contentType)?.[1]?.toLowerCase();
  const bytes = Buffer.from(url.slice(comma + 1), "base64");
  return { filename: filename ?? (subtype === undefined ? "file" : `file.${subtype}`), contentType, bytes };
}

/** Returns the parts of a message as the content of one input item. */
export function renderContent(parts: readonly MessagePart[]): object[] {
  return parts.map((part) => {
    if (part.type === "text") return { type: "input_text", text: part.text };
    if (part.type === "image") return { type: "input_image", file_id: part.file_id, detail: "auto" };
    return { type: "input_file", file_id: part.file_id, filename: part.filename ?? null };
  });
}
