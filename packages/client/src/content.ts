// The bodies of uploads, as fetch takes them.

import type { Content, FileUpload } from "./call.ts";
import { newKey } from "./idempotency-key.ts";

type Body = NonNullable<RequestInit["body"]>;

/** A stream can be read only once. */
export function canResend(content: Content): boolean {
  return !(content instanceof ReadableStream);
}

export function bytesOf(content: Content): Body {
  // The types of fetch refuse views of shared memory, which fetch refuses itself.
  return content as Exclude<Content, Uint8Array> | Uint8Array<ArrayBuffer>;
}

/** Returns a form with one file. A form of a stream is written piece by piece. */
export function formOf(file: FileUpload): { readonly body: Body; readonly headers?: Record<string, string> } {
  const { content, contentType, filename } = file;
  if (content instanceof ReadableStream) return streamedForm(file, content);
  const blob = content instanceof Blob ? content : new Blob([content as Uint8Array<ArrayBuffer> | string]);
  const body = new FormData();
  body.set("file", contentType === undefined ? blob : blob.slice(0, blob.size, contentType), filename);
  return { body };
}

function streamedForm({ filename, contentType = "application/octet-stream" }: FileUpload, content: ReadableStream) {
  const boundary = `dari-${newKey()}`;
  const head = [
    `--${boundary}`,
    `content-disposition: form-data; name="file"; filename="${escapeQuoted(filename)}"`,
    `content-type: ${contentType}`,
    "",
    "",
  ].join("\r\n");
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: streamOf(frame(head, content, `\r\n--${boundary}--\r\n`)),
  };
}

/** `ReadableStream.from`, which not all browsers have. */
function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

async function* frame(head: string, content: ReadableStream<Uint8Array>, tail: string): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode(head);
  yield* piecesOf(content);
  yield encoder.encode(tail);
}

/** Returns the pieces of a stream. Not all browsers can iterate over one. Leaving the loop cancels the stream. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let isRead = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        isRead = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!isRead) await reader.cancel().catch(() => undefined);
  }
}

/** Escapes a file's name in a form as browsers do. */
function escapeQuoted(text: string): string {
  return text.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}
