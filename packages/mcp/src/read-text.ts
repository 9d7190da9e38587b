// Returns a file as text for a model, or refuses it and says what it is.

import { ToolError } from "./calls.ts";

/** Maximum size of a file for a model, in bytes. */
const bytesMax = 256 * 1024;

/** @throws ToolError if the content is longer than 256 KiB, or is not UTF-8 text. */
export async function readText(content: AsyncIterable<Uint8Array>, path: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of content) {
    length += piece.length;
    if (length > bytesMax)
      throw new ToolError(`${path} has more than ${bytesMax} bytes; read it with dari session files`);
    pieces.push(piece);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw new ToolError(`${path} is not text: ${length} bytes that are not UTF-8`);
  }
}
