// Packs the contents that a snapshot adds: combines small files into frames, and cuts large files into chunks.

import { hash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { WorkspaceChangedError } from "../errors.ts";
import { encodeFrame, frameBytesMax, frameTargetBytes } from "../snapshot/frame.ts";
import type { KnownContent } from "./known-content.ts";
import { readChunks } from "../directory/large-files.ts";
import type { PermissionLoan } from "../directory/permission-loan.ts";
import { readSmallFile } from "../directory/read-disk.ts";
import type { Spool } from "./spool.ts";
import type { ChunkLocation, Frame, TreeEntry } from "../tree/tree.ts";

/**
 * A frame of the pack that is being written. Its offset is relative to the pack's start until the object is complete.
 */
export interface DraftFrame extends Frame {
  offset: number;
  storedBytes: number;
  codec: Frame["codec"];
  sha256: string;
}

const compressionsAtOnce = 4;

/** Writes frames to a spool in order, and compresses several concurrently. */
export class PackWriter {
  readonly frames: DraftFrame[] = [];
  readonly #objectKey: string;
  readonly #spool: Spool;
  readonly #pending: { frame: DraftFrame; encoded: ReturnType<typeof encodeFrame> }[] = [];

  constructor(objectKey: string, spool: Spool) {
    this.#objectKey = objectKey;
    this.#spool = spool;
  }

  /** Returns the key of a new object: the prefix, a slash and a random name. */
  static newKey(prefix: string): string {
    return `${prefix.replace(/\/+$/, "")}/${randomUUID()}`;
  }

  async add(raw: Uint8Array): Promise<DraftFrame> {
    return await this.addEncoded(raw.byteLength, encodeFrame(raw));
  }

  /** Adds a frame of `sizeBytes` that the caller encodes. */
  async addEncoded(sizeBytes: number, encoded: ReturnType<typeof encodeFrame>): Promise<DraftFrame> {
    const draft = { objectKey: this.#objectKey, offset: 0, storedBytes: 0, sizeBytes };
    const frame: DraftFrame = { ...draft, codec: "stored", sha256: "" };
    // A failure is thrown where the frame is awaited. Until then it must not count as an unhandled rejection.
    encoded.catch(() => undefined);
    this.frames.push(frame);
    this.#pending.push({ frame, encoded });
    if (this.#pending.length >= compressionsAtOnce) await this.#writeOldest();
    return frame;
  }

  async finish(): Promise<void> {
    while (this.#pending.length > 0) await this.#writeOldest();
  }

  async #writeOldest(): Promise<void> {
    const oldest = this.#pending.shift();
    if (oldest === undefined) return;
    const { codec, bytes } = await oldest.encoded;
    oldest.frame.offset = this.#spool.sizeBytes;
    oldest.frame.storedBytes = bytes.byteLength;
    oldest.frame.codec = codec;
    oldest.frame.sha256 = hash("sha256", bytes);
    await this.#spool.append(bytes);
  }
}

export interface PackSource {
  readonly dir: string;
  readonly loan: PermissionLoan;
  readonly known: KnownContent;
}

/**
 * Packs files in order, and adds their contents to `known`, so that equal files are stored once.
 * @throws WorkspaceChangedError if a file's content differs from its entry.
 */
export async function packFiles(files: readonly TreeEntry[], source: PackSource, writer: PackWriter): Promise<void> {
  let group: { entry: TreeEntry; bytes: Buffer }[] = [];
  let groupBytes = 0;
  async function closeGroup(): Promise<void> {
    if (group.length === 0) return;
    const frame = await writer.add(Buffer.concat(group.map(({ bytes }) => bytes)));
    let offset = 0;
    for (const { entry, bytes } of group) {
      const sha256 = entry.sha256 ?? "";
      source.known.addFile(sha256, [{ frame, offset, sizeBytes: bytes.length, sha256 }]);
      offset += bytes.length;
    }
    group = [];
    groupBytes = 0;
  }

  const seen = new Set<string>();
  for (const entry of files) {
    if (entry.sha256 === undefined || seen.has(entry.sha256)) continue;
    seen.add(entry.sha256);
    if (entry.sizeBytes > frameBytesMax) {
      source.known.addFile(entry.sha256, await packLargeFile(entry, source, writer));
      continue;
    }
    if (groupBytes + entry.sizeBytes > frameTargetBytes) await closeGroup();
    group.push({ entry, bytes: await readWhole(entry, source) });
    groupBytes += entry.sizeBytes;
  }
  await closeGroup();
  await writer.finish();
}

async function readWhole(entry: TreeEntry, { dir, loan }: PackSource): Promise<Buffer> {
  const bytes = readSmallFile(entry.path, join(dir, entry.path), entry.sizeBytes, loan);
  if (hash("sha256", bytes) !== entry.sha256) throw new WorkspaceChangedError(entry.path);
  return bytes;
}

async function packLargeFile(entry: TreeEntry, source: PackSource, writer: PackWriter): Promise<ChunkLocation[]> {
  const { path, sizeBytes } = entry;
  const { dir, loan, known } = source;
  const location: ChunkLocation[] = [];
  const file = { path, place: join(dir, path), sizeBytes, loan };
  const whole = await readChunks(file, async ({ sha256, sizeBytes, encode }) => {
    let chunk = known.chunk(sha256, sizeBytes);
    if (chunk === undefined) {
      const frame = await writer.addEncoded(sizeBytes, Promise.resolve(await encode()));
      chunk = { frame, offset: 0, sizeBytes, sha256 };
      known.addChunk(chunk);
    }
    location.push(chunk);
  });
  if (whole !== entry.sha256) throw new WorkspaceChangedError(path);
  return location;
}
