// How the object of a recorded answer is laid out, before it is sealed.

import type { RecordedAnswer } from "@dari/gateway";

/** Returns the head as a line of JSON, then the body. */
export function encodeAnswer({ body, ...head }: RecordedAnswer): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

export function decodeAnswer(bytes: Buffer): RecordedAnswer {
  const end = bytes.indexOf("\n");
  const head = JSON.parse(bytes.toString("utf8", 0, end)) as Omit<RecordedAnswer, "body">;
  return { ...head, body: bytes.subarray(end + 1) };
}
