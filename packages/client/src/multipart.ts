// Encodes one stream of unknown length as multipart/form-data. FormData does that for Blobs.

import type { UploadBody } from "./transport.ts";

/** A body with one part named `file`. */
export function multipart(file: {
  readonly filename: string;
  readonly content: ReadableStream<Uint8Array> | Blob;
  readonly contentType?: string;
}): UploadBody {
  const boundary = `dari-${globalThis.crypto.randomUUID()}`;
  const head = [
    `--${boundary}`,
    `content-disposition: form-data; name="file"; filename="${escapeQuoted(file.filename)}"`,
    `content-type: ${file.contentType ?? "application/octet-stream"}`,
    "",
    "",
  ].join("\r\n");
  const content = file.content instanceof Blob ? file.content.stream() : file.content;
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

async function* frame(head: string, content: AsyncIterable<Uint8Array>, tail: string): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode(head);
  yield* content;
  yield encoder.encode(tail);
}

/** Escapes a file's name in a form as browsers do. */
function escapeQuoted(text: string): string {
  return text.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}
