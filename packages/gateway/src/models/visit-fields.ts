// Visits every field of a JSON document, also those that have the same name as another one. A parser would keep one.

import { setImmediate } from "node:timers/promises";

export interface JsonField {
  readonly name: string;
  /** 1: a field of the document. Each object and array inside of it has the next depth. */
  readonly depth: number;
  /** The name of the field of the document that it is, or that it is in. */
  readonly outermost: string;
  /** Returns a number or a literal as it is written, a short string with its quotes, otherwise the first character. */
  value(): string;
}

const [quote, backslash, colon, comma, minus] = [0x22, 0x5c, 0x3a, 0x2c, 0x2d];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const literals = ["true", "false", "null"].map((text) => Buffer.from(text));
/** Longer strings are visited as empty ones, and longer numbers as `?`: none of them means anything here. */
const textBytesMax = 256;
/** The names and strings that are read, so that a document of many small ones takes no longer than others. */
const textsMax = 50_000;
/** How long other work waits, in milliseconds. Agents choose what is read, and all turns of a worker wait. */
const sliceMs = 2;
/** The time is read after this many strings, or bytes in strings. */
const [sliceTexts, sliceBytes] = [256, 256 * 1024];

/** The document is no JSON, is too large, or has what parsers read differently. */
class UnreadableError extends Error {
  override readonly name = "UnreadableError";
}

/**
 * Resolves to false if the bytes are not an object in UTF-8, or have more than 50,000 strings. Refuses what lenient
 * parsers accept besides JSON, such as names without quotes, because they would find other fields.
 */
export async function visitFields(
  bytes: Buffer,
  visit: (field: JsonField) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const reader = readFields(bytes, visit);
  try {
    for (;;) {
      const sliceEnd = performance.now() + sliceMs;
      let step = reader.next();
      while (step.done !== true && performance.now() < sliceEnd) step = reader.next();
      if (step.done === true) return step.value;
      await setImmediate();
      if (signal?.aborted === true) return false;
    }
  } catch (error) {
    if (error instanceof UnreadableError) return false;
    throw error;
  }
}

/** Yields often, so that the caller can pause. */
function* readFields(bytes: Buffer, visit: (field: JsonField) => void): Generator<void, boolean> {
  const start = skipSpace(bytes, 0);
  // Some parsers recognize other encodings by their zeros.
  if (bytes[start] !== openObject || bytes.includes(0)) return false;
  let depth = 0;
  let outermost = "";
  let texts = 0;
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at]!;
    if (byte === quote) {
      const end = yield* findEndOfString(bytes, at);
      texts += 1;
      if (texts > textsMax) return false;
      if (texts % sliceTexts === 0) yield;
      const next = skipSpace(bytes, end);
      if (bytes[next] === colon) {
        const name = textOf(bytes, at, end);
        if (depth === 1) outermost = name;
        visit({ name, depth, outermost, value: () => valueAt(bytes, skipSpace(bytes, next + 1)) });
      }
      at = end;
    } else if (byte === openObject || byte === openArray) {
      depth += 1;
      at += 1;
    } else if (byte === closeObject || byte === closeArray) {
      depth -= 1;
      at += 1;
      if (depth === 0) return skipSpace(bytes, at) === bytes.length;
    } else {
      at = skipToken(bytes, at);
    }
    if (at % sliceBytes === 0) yield;
  }
  return false;
}

/** Returns the position after a space, a comma, a colon, a number or a literal. */
function skipToken(bytes: Buffer, at: number): number {
  const byte = bytes[at]!;
  if (isSpace(byte) || byte === comma || byte === colon) return at + 1;
  if (byte === minus || isDigit(byte)) {
    let end = at + 1;
    while (end < bytes.length && isOfNumber(bytes[end]!)) end += 1;
    return end;
  }
  const literal = literals.find((one) => bytes.subarray(at, at + one.length).equals(one));
  if (literal === undefined) throw new UnreadableError("it is not JSON");
  return at + literal.length;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Digits, and the characters `+ - . e E`. */
function isOfNumber(byte: number): boolean {
  return isDigit(byte) || byte === minus || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && isSpace(bytes[at]!)) at += 1;
  return at;
}

/** Returns the position after the string that begins at `start`. */
function* findEndOfString(bytes: Buffer, start: number): Generator<void, number> {
  const first = bytes.indexOf(quote, start + 1);
  if (first === -1) throw new UnreadableError("a string does not end");
  if (bytes[first - 1] !== backslash) return first + 1;
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) return at + 1;
    if (byte === backslash) at += 1;
    if ((at & (sliceBytes - 1)) < 2) yield;
  }
  throw new UnreadableError("a string does not end");
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const hasEscapes = bytes.subarray(start, end).includes(backslash);
  if (end - start > textBytesMax) {
    // A lenient parser can drop most of it.
    if (hasEscapes) throw new UnreadableError("a long name has escapes");
    return "";
  }
  const text = bytes.toString("utf8", start, end);
  if (!hasEscapes) return text.slice(1, -1);
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new UnreadableError("a name has escapes that are not JSON");
  }
}

function valueAt(bytes: Buffer, at: number): string {
  const byte = bytes[at];
  if (byte === quote) {
    const end = bytes.indexOf(quote, at + 1) + 1;
    // A longer one is none of the values that mean something, unless a parser drops a part of it.
    const text = bytes.toString("utf8", at, Math.min(end, at + textBytesMax));
    if (text.includes("\\")) throw new UnreadableError("a value has escapes");
    return end - at > textBytesMax ? '""' : text;
  }
  if (byte === openObject || byte === openArray) return String.fromCharCode(byte);
  const text = bytes.toString("latin1", at, at + textBytesMax);
  const [value = ""] = /^[^\s,\]}]*/.exec(text) ?? [];
  return value.length === textBytesMax ? "?" : value;
}
