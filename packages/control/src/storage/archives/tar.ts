// A tar archive as a stream of bytes: POSIX ustar, with PAX records where a name or a size does not fit. The same
// entries give the same bytes: no times, no owners.

import type { ArchiveEntry } from "./entry.ts";

const blockBytes = 512;
const nameBytes = 100;
const octalSizeMax = 0o77777777777;

/** Archives end with two empty blocks; tar programs also expect whole records of twenty. */
const recordBytes = 20 * blockBytes;

export async function* writeTar(
  entries: Iterable<ArchiveEntry> | AsyncIterable<ArchiveEntry>,
): AsyncGenerator<Uint8Array> {
  let written = 0;
  for await (const entry of entries) {
    const head = headOf(entry);
    yield head;
    written += head.length;
    if (entry.type !== "file" || entry.sizeBytes === 0) continue;
    for await (const piece of await entry.open()) yield piece;
    const padding = -entry.sizeBytes & (blockBytes - 1);
    if (padding > 0) yield Buffer.alloc(padding);
    written += entry.sizeBytes + padding;
  }
  const rest = recordBytes - (written % recordBytes);
  yield Buffer.alloc(rest >= 2 * blockBytes ? rest : rest + recordBytes);
}

function headOf(entry: ArchiveEntry): Buffer {
  const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
  const records: [string, string][] = [];
  if (!fits(path)) records.push(["path", path]);
  if (!fits(entry.target)) records.push(["linkpath", entry.target]);
  if (entry.sizeBytes > octalSizeMax) records.push(["size", String(entry.sizeBytes)]);
  const type = { file: "0", directory: "5", symlink: "2" }[entry.type];
  const own = header(path, entry.mode, entry.sizeBytes, type, entry.target);
  if (records.length === 0) return own;
  const body = Buffer.concat(records.map(([name, value]) => paxRecord(name, value)));
  const padding = Buffer.alloc(-body.length & (blockBytes - 1));
  return Buffer.concat([header("PaxHeader", 0o644, body.length, "x", ""), body, padding, own]);
}

/** Names that are not ASCII are said in PAX, where they are UTF-8 by definition. */
function fits(name: string): boolean {
  return name.length <= nameBytes && /^[\x20-\x7e]*$/.test(name);
}

/** `<length> <name>=<value>\n`, where the length counts itself. */
function paxRecord(name: string, value: string): Buffer {
  const rest = ` ${name}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return Buffer.from(`${length}${rest}`);
}

function header(name: string, mode: number, sizeBytes: number, type: string, target: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(cut(name), 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(sizeBytes > octalSizeMax ? 0 : sizeBytes, 11), 124);
  block.write(octal(0, 11), 136);
  block.fill(" ", 148, 156);
  block.write(type, 156);
  block.write(cut(target), 157);
  block.write("ustar\0", 257);
  block.write("00", 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** What old programs show of a name that PAX says in full. */
function cut(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, "_").slice(0, nameBytes);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
