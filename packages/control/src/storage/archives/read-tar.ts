// Reads a tar archive of the kind that write-tar.ts writes, entry by entry, from an untrusted stream. Refuses other
// types of entries and other header extensions. Holds one header in memory and no content.

import { pipeline } from "node:stream/promises";
import { findArchiveFault } from "@dari/bundles";
import { extract, type Header } from "tar-stream";
import type { ArchiveEntry } from "./archive-entry.ts";

const blockBytes = 512;
/** An archive ends with two empty blocks. */
const endBytes = 2 * blockBytes;
/** The maximum distance between entries: header extensions, and the padding of the last record. */
const slackBytes = 64 * 1024;

/** A refused archive. The message is for its sender. */
export class ArchiveRefusedError extends Error {
  override readonly name = "ArchiveRefusedError";
}

export interface TarEntry extends Omit<ArchiveEntry, "open"> {
  /** Read it before the next entry; the rest is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** @throws ArchiveRefusedError, also if the archive ends without its end mark. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const archive = extract();
  const extent: Extent = { readBytes: 0, endOfEntry: 0, lastBytes: new Uint8Array() };
  const feeding = pipeline(bounded(source, extent), archive);
  // `refusalOf` reads its error.
  feeding.catch(() => undefined);
  try {
    for await (const entry of archive) {
      const described = describe(entry.header);
      const { byteOffset, pax } = entry.header as Placed;
      // tar-stream skips empty blocks between entries, and header extensions that it cannot read.
      if (byteOffset !== extent.endOfEntry + extensionBytes(pax) + blockBytes) throw tooMuch();
      extent.endOfEntry = byteOffset + roundUp(described.sizeBytes);
      yield { ...described, content: contentOf(entry as AsyncIterable<Uint8Array>, feeding) };
      entry.resume();
    }
    await feeding;
  } catch (error) {
    throw await refusalOf(error, feeding);
  } finally {
    archive.destroy();
  }
  const tailBytes = extent.readBytes - extent.endOfEntry;
  if (tailBytes < endBytes || extent.lastBytes.some((byte) => byte !== 0)) throw endsEarly();
  if (tailBytes > endBytes + slackBytes) throw tooMuch();
}

/** tar-stream also returns where an entry's content begins. */
type Placed = Header & { readonly byteOffset: number };

interface Extent {
  readBytes: number;
  endOfEntry: number;
  /** The last bytes read, as many as the end mark has. */
  lastBytes: Uint8Array;
}

/** Passes the archive on while it contains entries. */
async function* bounded(source: AsyncIterable<Uint8Array>, extent: Extent): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    // All that was passed on is parsed, except one buffer.
    if (extent.readBytes - extent.endOfEntry > 2 * slackBytes) throw tooMuch();
    extent.readBytes += piece.byteLength;
    const last = piece.byteLength < endBytes ? Buffer.concat([extent.lastBytes, piece]) : piece;
    extent.lastBytes = last.subarray(-endBytes);
    yield piece;
  }
}

/** Returns the size of the header extension with these records, including its own header. */
function extensionBytes(pax: Header["pax"]): number {
  if (!pax) return 0;
  const records = Object.entries(pax).map(([key, value]) => {
    const bytes = Buffer.byteLength(` ${key}=${value}\n`);
    // The length of a record counts its own digits.
    return bytes + String(bytes + String(bytes).length).length;
  });
  return blockBytes + roundUp(records.reduce((sum, bytes) => sum + bytes, 0));
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

function endsEarly(): ArchiveRefusedError {
  return new ArchiveRefusedError("the archive ends too early");
}

function tooMuch(): ArchiveRefusedError {
  return new ArchiveRefusedError("there is data after the archive's end, or a header is damaged or too large");
}

function describe(header: Header): Omit<TarEntry, "content"> {
  const { name, type, mode, size, linkname, pax } = header;
  if (type !== "file" && type !== "directory" && type !== "symlink") {
    throw new ArchiveRefusedError("an entry is of an unsupported type");
  }
  for (const key of Object.keys(pax ?? {})) {
    if (key !== "path" && key !== "linkpath" && key !== "size") {
      throw new ArchiveRefusedError("a header has an unknown field");
    }
  }
  if (!Number.isSafeInteger(size)) throw new ArchiveRefusedError("an entry's size is not a number of bytes");
  if (type !== "file" && size !== 0) throw new ArchiveRefusedError("an entry without content has a size");
  const target = (linkname as string | null) ?? "";
  // tar-stream replaces bytes that it cannot decode by this character.
  if (`${name}${target}`.includes("\ufffd")) throw new ArchiveRefusedError("a name is not UTF-8");
  return { path: name.replace(/\/$/, ""), type, mode: mode & 0o777, sizeBytes: size, target };
}

async function* contentOf(entry: AsyncIterable<Uint8Array>, feeding: Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* entry;
  } catch (error) {
    throw await refusalOf(error, feeding);
  }
}

/** Translates tar-stream's errors into refusals. Returns other errors unchanged. */
async function refusalOf(error: unknown, feeding: Promise<void>): Promise<unknown> {
  if (error instanceof ArchiveRefusedError) return error;
  // A reader of a destroyed stream gets no cause. The writer has it.
  const first: unknown = await feeding.then(
    () => error,
    (cause: unknown) => cause,
  );
  const fault = findArchiveFault(first);
  if (fault === "ends too early") return endsEarly();
  return fault === "not tar" ? new ArchiveRefusedError("it is not a tar archive, or it is damaged") : first;
}
