// Sends text in pieces as they arrive.

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Response } from "express";

/** Sends text. The headers are sent at once, so that a following client sees that it is connected. */
export async function sendText(
  pieces: AsyncIterable<string>,
  response: Response,
  contentType: "text/plain" | "application/x-ndjson" = "text/plain",
): Promise<void> {
  response.set({ "content-type": `${contentType}; charset=utf-8`, "x-accel-buffering": "no" });
  response.flushHeaders();
  await pipeline(Readable.from(pieces, { objectMode: true }), encode, response);
}

async function* encode(pieces: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) if (piece !== "") yield Buffer.from(piece, "utf8");
}
