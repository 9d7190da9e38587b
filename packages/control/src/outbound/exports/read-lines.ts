// Reads lines of JSON from an untrusted archive entry.

import { setImmediate } from "node:timers/promises";
import { validate } from "@dari/contract";
import { ArchiveRefusedError, type TarEntry } from "@dari/control/storage";
import { limits } from "@dari/domain";

type Schema = Parameters<typeof validate>[0];

/** Deeper nesting could exhaust a stack, here or in the database. */
const depthMax = 500;
/** Maximum number of JSON values per entry: a few compressed bytes can expand to more than fits into memory. */
const valuesMax = 2_000_000;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns the entry's text. @throws ArchiveRefusedError if it is too large, not a file, or not UTF-8. */
export async function readText(entry: TarEntry): Promise<string> {
  const { path, type, sizeBytes } = entry;
  if (type !== "file") throw new ArchiveRefusedError(`${path} is not a file`);
  if (sizeBytes > limits.exportMemberBytes) {
    throw new ArchiveRefusedError(`${path} has more than ${limits.exportMemberBytes} bytes`);
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of entry.content) pieces.push(piece);
  try {
    return utf8.decode(Buffer.concat(pieces));
  } catch {
    throw new ArchiveRefusedError(`${path} is not UTF-8`);
  }
}

/** Returns the value of each line, in order, with its place. @throws ArchiveRefusedError */
export async function* readLines<Value>(entry: TarEntry, schema: Schema): AsyncGenerator<{ value: Value; at: string }> {
  const text = await readText(entry);
  let number = 0;
  let values = 0;
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end === -1 ? text.length : end);
    start += line.length + 1;
    const at = `${entry.path}, line ${++number}`;
    const shape = shapeOf(line);
    values += shape.values;
    if (values > valuesMax) throw new ArchiveRefusedError(`${entry.path} has more than ${valuesMax} values`);
    yield { value: parseValue<Value>(line, schema, at, shape), at };
    // Lets other calls run in between.
    await setImmediate();
  }
}

/** @throws ArchiveRefusedError with the first problems. */
export function parseValue<Value>(text: string, schema: Schema, at: string, shape = shapeOf(text)): Value {
  if (shape.depth > depthMax) throw new ArchiveRefusedError(`${at}: expected less nesting`);
  if (shape.values > valuesMax) throw new ArchiveRefusedError(`${at}: expected at most ${valuesMax} values`);
  const value = parseJson(text, at);
  const issues = validate(schema, value);
  if (issues.length > 0) {
    const words = issues.slice(0, 3).map(({ path, message }) => `${path}: ${message}`);
    throw new ArchiveRefusedError(`${at}: ${words.join("; ")}`);
  }
  return value as Value;
}

function parseJson(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ArchiveRefusedError(`${at}: expected JSON`);
  }
}

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c];

/** Returns the depth and a lower bound of the number of values of a JSON text, without parsing it. */
function shapeOf(text: string): { depth: number; values: number } {
  let [depth, deepest, values] = [0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === quote) at = endOfString(text, at);
    else if (unit === comma) values++;
    // `[` and `{`; `]` and `}`.
    else if (unit === 0x5b || unit === 0x7b) {
      values++;
      deepest = Math.max(deepest, ++depth);
    } else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return { depth: deepest, values };
}

/** Returns where the string that begins at `start` ends, or the text's end. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === quote) return at;
    if (unit === backslash) at++;
  }
  return text.length;
}
