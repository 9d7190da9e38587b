// Sends stored bytes, all or one range of them, with a strong ETag.

import { pipeline } from "node:stream/promises";
import type { OpenedContent } from "@dari/control/storage";
import type { Request, Response } from "express";
import { RangeNotSatisfiableError } from "./errors.ts";
import { setUnlessSent } from "./late-headers.ts";

interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Sends the content as an attachment, so that no browser renders it under the API's origin. Answers 200, 206 for a
 * range, or 304 for an ETag that the client has.
 * @throws RangeNotSatisfiableError (416)
 */
export async function sendContent(content: OpenedContent, request: Request, response: Response): Promise<void> {
  const etag = `"${content.sha256}"`;
  const isKnown = listsEtag(request.get("if-none-match"), etag);
  const range = isKnown ? undefined : readRange(request, etag, content.sizeBytes, response);
  const length = range === undefined ? content.sizeBytes : range.end - range.start + 1;
  const isEmpty = isKnown || request.method === "HEAD" || length === 0;
  // Read the first bytes before any header is sent: if they cannot be read, the reply is an error.
  const body = isEmpty ? undefined : await readAhead(await content.open(range), 1);
  setRestoredHeader(response, content.restoredFrom);
  response.set({
    etag,
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    "content-disposition": contentDisposition(content.filename),
  });
  if (isKnown) {
    response.status(304).end();
    return;
  }
  // Express's own method would add a charset to text types, and the charset is unknown.
  response.setHeader("content-type", content.contentType);
  response.setHeader("content-length", length);
  if (range !== undefined) {
    response.status(206).set("content-range", `bytes ${range.start}-${range.end}/${content.sizeBytes}`);
  }
  if (body === undefined) response.end();
  else await pipeline(body, response);
}

/** Tells the client that it reads an older snapshot because the session's head is damaged. */
export function setRestoredHeader(response: Response, snapshotId: string | undefined): void {
  if (snapshotId !== undefined) setUnlessSent(response, { "dari-restored-from": snapshotId });
}

/** Reads the first `bytes` bytes, then returns the whole stream. Rejects if they cannot be read. */
export async function readAhead(source: AsyncIterable<Uint8Array>, bytes: number): Promise<AsyncIterable<Uint8Array>> {
  const pieces = source[Symbol.asyncIterator]();
  const ahead: Uint8Array[] = [];
  for (let had = 0; had < bytes;) {
    const next = await pieces.next();
    if (next.done === true) break;
    ahead.push(next.value);
    had += next.value.byteLength;
  }
  // Closing a generator before its first step would leave the source open.
  const rest: AsyncIterator<Uint8Array> = {
    next: () => {
      const value = ahead.shift();
      return value === undefined ? pieces.next() : Promise.resolve({ value });
    },
    return: async () => {
      await pieces.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => rest };
}

function listsEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === "*" || header.split(",").some((item) => item.trim().replace(/^W\//, "") === etag);
}

/** Returns the requested range. Several ranges, or a range of other bytes than these, are answered with the whole. */
function readRange(request: Request, etag: string, sizeBytes: number, response: Response): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec((request.get("range") ?? "").replaceAll(" ", ""));
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const ifRange = request.get("if-range");
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  const range = boundsOf(match[1] ?? "", match[2] ?? "", sizeBytes);
  if (range.start < sizeBytes && range.start <= range.end) return range;
  response.set("content-range", `bytes */${sizeBytes}`);
  throw new RangeNotSatisfiableError(sizeBytes);
}

function boundsOf(first: string, last: string, sizeBytes: number): ByteRange {
  if (first === "") return { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes - 1 };
  return { start: Number(first), end: last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

/** Returns the header `Content-Disposition` (RFC 6266): an ASCII name for old clients, and the real name in UTF-8. */
export function contentDisposition(filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
