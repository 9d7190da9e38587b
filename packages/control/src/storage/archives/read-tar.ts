// Reads a tar archive of the kind that tar.ts writes, member by member, from a stream that anybody may have made. What
// it does not know it refuses; it holds one header in memory and no content.

import type { ArchiveEntry } from "./entry.ts";

const blockBytes = 512;
/** Paths and targets of one member, said in PAX. */
const paxBytesMax = 64 * 1024;
/** What may follow the archive's end: tar fills its last record. */
const tailBytesMax = 64 * 1024;

/** What of an archive was refused; the message is for whoever sent it. */
export class ArchiveRefused extends Error {
  override readonly name = "ArchiveRefused";
}

export interface TarMember extends Omit<ArchiveEntry, "open"> {
  /** To be read before the next member is asked for; what is left of it is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** @throws ArchiveRefused, also where the archive ends without its end mark. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember> {
  const bytes = new ByteReader(source);
  for (;;) {
    const block = await bytes.take(blockBytes);
    if (isZero(block)) return await readEnd(bytes);
    let header = parseHeader(block);
    let pax: Pax = {};
    if (header.kind === "x") {
      if (header.sizeBytes > paxBytesMax) throw new ArchiveRefused("a header is too large");
      pax = parsePax(await bytes.take(header.sizeBytes));
      await bytes.skip(-header.sizeBytes & (blockBytes - 1));
      header = parseHeader(await bytes.take(blockBytes));
    }
    const { kind, mode } = header;
    if (kind !== "0" && kind !== "5" && kind !== "2") throw new ArchiveRefused("a member is of an unsupported type");
    const type = ({ 0: "file", 5: "directory", 2: "symlink" } as const)[kind];
    const sizeBytes = type === "file" ? (pax.sizeBytes ?? header.sizeBytes) : 0;
    if (type !== "file" && header.sizeBytes !== 0) throw new ArchiveRefused("a member without content has a size");
    const path = (pax.path ?? header.path).replace(/\/$/, "");
    const end = bytes.position + sizeBytes;
    yield { path, type, mode, sizeBytes, target: pax.target ?? header.target, content: bytes.pieces(sizeBytes) };
    await bytes.skip(end - bytes.position);
    await bytes.skip(-sizeBytes & (blockBytes - 1));
  }
}

async function readEnd(bytes: ByteReader): Promise<void> {
  if (!isZero(await bytes.take(blockBytes))) throw new ArchiveRefused("the archive is damaged");
  for (let read = 0; ; read += blockBytes) {
    const block = await bytes.takeIfAny(blockBytes);
    if (block === undefined) return;
    if (read > tailBytesMax || !isZero(block)) throw new ArchiveRefused("something follows the archive's end");
  }
}

interface Header {
  readonly path: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly kind: string;
  readonly target: string;
}

function parseHeader(block: Buffer): Header {
  let sum = 8 * 0x20;
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
  if (octalAt(block, 148, 8) !== sum) throw new ArchiveRefused("it is not a tar archive, or it is damaged");
  return {
    path: textAt(block, 0, 100),
    mode: octalAt(block, 100, 8) & 0o777,
    sizeBytes: octalAt(block, 124, 12),
    kind: String.fromCharCode(block[156] ?? 0),
    target: textAt(block, 157, 100),
  };
}

function textAt(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return decode(end === -1 ? field : field.subarray(0, end));
}

function octalAt(block: Buffer, start: number, length: number): number {
  const text = block.toString("latin1", start, start + length).replace(/[\0 ]+$/, "");
  if (!/^[0-7]{1,12}$/.test(text)) throw new ArchiveRefused("it is not a tar archive, or it is damaged");
  return Number.parseInt(text, 8);
}

interface Pax {
  path?: string;
  target?: string;
  sizeBytes?: number;
}

/** `<length> <name>=<value>\n`, where the length counts itself. */
function parsePax(body: Buffer): Pax {
  const pax: Pax = {};
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const digits = space === -1 ? "" : body.toString("latin1", at, space);
    const end = at + Number(digits);
    if (!/^[1-9][0-9]{0,5}$/.test(digits) || end > body.length || body[end - 1] !== 0x0a || end <= space) {
      throw new ArchiveRefused("a header is damaged");
    }
    const record = decode(body.subarray(space + 1, end - 1));
    const equals = record.indexOf("=");
    const [name, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (name === "path") pax.path = value;
    else if (name === "linkpath") pax.target = value;
    else if (name === "size" && /^[0-9]{1,15}$/.test(value)) pax.sizeBytes = Number(value);
    else throw new ArchiveRefused("a header says something unknown");
    at = end;
  }
  return pax;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ArchiveRefused("a name is not UTF-8");
  }
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** A stream of pieces, read by numbers of bytes. */
class ByteReader {
  position = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const taken = await this.takeIfAny(count);
    if (taken === undefined && count > 0) throw endsEarly();
    return taken ?? Buffer.alloc(0);
  }

  /** Undefined at the end of the stream. */
  async takeIfAny(count: number): Promise<Buffer | undefined> {
    const pieces: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      const piece = await this.#next(missing);
      if (piece === undefined && pieces.length === 0) return undefined;
      if (piece === undefined) throw endsEarly();
      pieces.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(count: number): Promise<void> {
    for await (const _piece of this.pieces(count));
  }

  async *pieces(count: number): AsyncGenerator<Buffer> {
    for (let missing = count; missing > 0;) {
      const piece = await this.#next(missing);
      if (piece === undefined) throw endsEarly();
      missing -= piece.length;
      yield piece;
    }
  }

  /** At most so many of the bytes that are there, at least one; undefined at the end. */
  async #next(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const result = await this.#source.next();
      if (result.done === true) return undefined;
      this.#rest = Buffer.from(result.value.buffer, result.value.byteOffset, result.value.byteLength);
    }
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    this.position += piece.length;
    return piece;
  }
}

function endsEarly(): ArchiveRefused {
  return new ArchiveRefused("the archive ends too early");
}
