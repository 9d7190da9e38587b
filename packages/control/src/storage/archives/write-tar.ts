// Writes a tar archive as a stream of bytes. The same entries give the same bytes: no times, no owners.

import { constants } from "node:fs";
import type { Writable } from "node:stream";
import { pack, type Pack } from "tar-stream";
import type { ArchiveEntry } from "./archive-entry.ts";

const epoch = new Date(0);
/** Longer names are written as PAX records, which every release reads, and not split into ustar's two fields. */
const nameBytesMax = 100;

export async function* writeTar(
  entries: Iterable<ArchiveEntry> | AsyncIterable<ArchiveEntry>,
): AsyncGenerator<Uint8Array> {
  const archive = pack();
  let read = Promise.withResolvers<void>();
  const waitForReader = async (): Promise<void> => {
    while (isFull(archive) && !archive.destroyed) await read.promise;
  };
  const adding = addAll(archive, entries, waitForReader).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error as Error),
  );
  try {
    for await (const piece of archive as AsyncIterable<Uint8Array>) {
      yield piece;
      read.resolve();
      read = Promise.withResolvers();
    }
  } finally {
    archive.destroy();
    read.resolve();
    await adding;
  }
}

/** Returns whether the archive has buffered enough. `isFull` is a static method of streamx's Readable. */
function isFull(archive: Pack): boolean {
  return (archive.constructor as unknown as { isBackpressured(stream: Pack): boolean }).isBackpressured(archive);
}

/** Waits for the reader before each entry: tar-stream does not apply backpressure to entries without content. */
async function addAll(
  archive: Pack,
  entries: Iterable<ArchiveEntry> | AsyncIterable<ArchiveEntry>,
  hasRoom: () => Promise<void>,
): Promise<void> {
  for await (const entry of entries) {
    await hasRoom();
    if (archive.destroyed) return;
    const { type, target, sizeBytes: size } = entry;
    // tar-stream replaces a mode of 0 by its default. It writes only the permission bits.
    const mode = constants.S_IFREG | entry.mode;
    const name = type === "directory" ? `${entry.path}/` : entry.path;
    const header = { name, type, mode, size, mtime: epoch, ...(target !== "" && { linkname: target }) };
    const isLong = Buffer.byteLength(name) > nameBytesMax;
    const packed = Promise.withResolvers<void>();
    const done = (error?: Error | null): void => (error ? packed.reject(error) : packed.resolve());
    const sink = archive.entry(isLong ? { ...header, pax: {} } : header, done) as unknown as Writable;
    sink.on("error", packed.reject);
    // If the content fails, that error is thrown instead of this one.
    packed.promise.catch(() => undefined);
    if (type === "file") await writeContent(sink, entry);
    await packed.promise;
  }
}

async function writeContent(sink: Writable, entry: ArchiveEntry): Promise<void> {
  for await (const piece of await entry.open()) {
    // The reader destroyed the archive.
    if (sink.destroyed) return;
    if (!sink.write(piece)) await drainedOrClosed(sink);
  }
  sink.end();
}

function drainedOrClosed(sink: Writable): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      sink.off("drain", end).off("close", end);
      resolve();
    };
    sink.on("drain", end).on("close", end);
  });
}
