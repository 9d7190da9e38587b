// Lines of JSON out of a member of an export that anybody may have written.

import { validate } from "@dari/contract";
import { limits } from "@dari/domain";
import { ArchiveRefused, type TarMember } from "../archives/read-tar.ts";

type Schema = Parameters<typeof validate>[0];

/** Deeper values than any agent reports could exhaust a stack, here or in the database. */
const depthMax = 500;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The member's text. @throws ArchiveRefused for what is too large, no file, or not UTF-8. */
export async function readText(member: TarMember): Promise<string> {
  const { path, type, sizeBytes } = member;
  if (type !== "file") throw new ArchiveRefused(`${path} is not a file`);
  if (sizeBytes > limits.exportMemberBytes) {
    throw new ArchiveRefused(`${path} has more than ${limits.exportMemberBytes} bytes`);
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of member.content) pieces.push(piece);
  try {
    return utf8.decode(Buffer.concat(pieces));
  } catch {
    throw new ArchiveRefused(`${path} is not UTF-8`);
  }
}

/** The value of each line, in order, with where it stands. @throws ArchiveRefused */
export async function* readLines<Value>(
  member: TarMember,
  schema: Schema,
): AsyncGenerator<{ value: Value; at: string }> {
  const text = await readText(member);
  let number = 0;
  for (let start = 0; start < text.length;) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end === -1 ? text.length : end);
    start += line.length + 1;
    const at = `${member.path}, line ${++number}`;
    yield { value: parseValue<Value>(line, schema, at), at };
  }
}

/** @throws ArchiveRefused with the first problems. */
export function parseValue<Value>(text: string, schema: Schema, at: string): Value {
  const value = parseJson(text, at);
  const issues = validate(schema, value);
  if (issues.length > 0) {
    const words = issues.slice(0, 3).map(({ path, message }) => `${path}: ${message}`);
    throw new ArchiveRefused(`${at}: ${words.join("; ")}`);
  }
  return value as Value;
}

function parseJson(text: string, at: string): unknown {
  if (depthOf(text) > depthMax) throw new ArchiveRefused(`${at}: expected less nesting`);
  try {
    return JSON.parse(text);
  } catch {
    throw new ArchiveRefused(`${at}: expected JSON`);
  }
}

/** How deep the brackets nest outside of strings. */
function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++depth);
    else if (token === "]" || token === "}") depth--;
  }
  return deepest;
}
