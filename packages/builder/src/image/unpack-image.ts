// Unpacks and verifies an object into a read-only directory. Its digest is known, but its contents come from a tenant's
// files, so unpacking is as defensive as for a bundle.

import { createHash } from "node:crypto";
import { chmod, mkdir, open, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import { findArchiveFault } from "@dari/bundles";
import { limits } from "@dari/domain";
import { extract, type Header } from "tar-stream";
import { messageOf } from "../errors.ts";
import { ImageEntryNames } from "./image-entry-names.ts";
import { linkStaysInside } from "./check-link-target.ts";

/** The stored image does not match its reference. */
export class ImageDamagedError extends Error {
  override readonly name = "ImageDamagedError";
}

class MemberRefused extends Error {}

/** Files up to this size are held in memory while they are written, this many at a time. */
const smallFileBytes = 256 * 1024;
const writesMax = 16;
/** Each piece passes between threads: with the default of 16 KiB, decompressing takes 50 % longer. */
const pieceBytes = 256 * 1024;

/**
 * Unpacks `source` below `dir`, which must not exist yet, and verifies its sha256. Files get mode 0444 or 0555 and
 * directories 0555.
 * @throws ImageDamagedError; the caller removes what was written.
 */
export async function unpackImage(options: {
  source: Readable;
  digest: string;
  dir: string;
}): Promise<{ bytes: number }> {
  const { source, digest, dir } = options;
  await mkdir(dir);
  const hash = createHash("sha256");
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const unpacker = new Unpacker(dir);
  const archive = extract();
  archive.on("entry", (header, stream, next) => {
    stream.on("error", () => {}); // The archive fails with the same error.
    unpacker.add(header, stream as AsyncIterable<Uint8Array>).then(
      () => {
        stream.resume();
        next();
      },
      (error: unknown) => archive.destroy(error as Error),
    );
  });
  try {
    await pipeline(source, createZstdDecompress({ chunkSize: pieceBytes }), hashed, archive);
    await unpacker.finish();
  } catch (error) {
    await unpacker.settle();
    // Errors of the store and the disk are not the image's fault.
    if (!(error instanceof MemberRefused) && findArchiveFault(error) === undefined) throw error;
    throw new ImageDamagedError(`image ${digest} cannot be unpacked: ${messageOf(error)}`, { cause: error });
  }
  if (hash.digest("hex") !== digest) throw new ImageDamagedError(`image ${digest} does not have its digest`);
  return { bytes: unpacker.bytes };
}

class Unpacker {
  bytes = 0;
  #entries = 0;
  readonly #root: string;
  readonly #accepted = new ImageEntryNames();
  readonly #directories = new Set<string>();
  readonly #writes = new Set<Promise<void>>();
  readonly #links: { path: string; target: string }[] = [];

  constructor(root: string) {
    this.#root = root;
    this.#directories.add(root);
  }

  async add(header: Header, content: AsyncIterable<Uint8Array>): Promise<void> {
    const isDirectory = header.type === "directory";
    const accepted = this.#accepted.accept(header.name, isDirectory ? "directory" : "file");
    if ("refused" in accepted) throw new MemberRefused(accepted.refused);
    const { name } = accepted;
    this.#entries += 1;
    this.bytes += header.size ?? 0;
    if (this.#entries > limits.imageEntries || this.bytes > limits.imageUnpackedBytes) {
      throw new MemberRefused("it is too large");
    }
    const path = join(this.#root, name);
    if (isDirectory) return this.#makeDirectory(path);
    await this.#makeDirectory(dirname(path));
    const mode = (header.mode ?? 0) & 0o111 ? 0o555 : 0o444;
    if (header.type === "symlink") this.#links.push({ path: name, target: header.linkname ?? "" });
    else if (header.type !== "file") throw new MemberRefused(`${name} is of type ${String(header.type)}`);
    else if ((header.size ?? 0) > smallFileBytes) await writeReadOnly(path, mode, content);
    else await this.#writeBehind(path, mode, await readAll(content));
  }

  /** Creates links last, so that no entry is written through one, and then makes the directories read-only. */
  async finish(): Promise<void> {
    await Promise.all(this.#writes);
    for (const { path, target } of this.#links) {
      if (!linkStaysInside(path, target)) throw new MemberRefused(`the link ${path} leaves the image`);
      await symlink(target, join(this.#root, path));
    }
    for (const directory of [...this.#directories].reverse()) await chmod(directory, 0o555);
  }

  /** Waits until nothing is being written. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }

  /** Writes small files while the next entries are read. */
  async #writeBehind(path: string, mode: number, body: Uint8Array): Promise<void> {
    const write = writeReadOnly(path, mode, body).then(() => void this.#writes.delete(write));
    write.catch(() => {}); // The next entry or `finish` throws it.
    this.#writes.add(write);
    if (this.#writes.size >= writesMax) await Promise.race(this.#writes);
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#directories.has(path)) return;
    await this.#makeDirectory(dirname(path));
    await mkdir(path);
    this.#directories.add(path);
  }
}

type Content = AsyncIterable<Uint8Array>;

async function readAll(content: Content): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

async function writeReadOnly(path: string, mode: number, content: Uint8Array | Content): Promise<void> {
  const handle = await open(path, "wx", mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode); // The umask may have removed permissions.
  } finally {
    await handle.close();
  }
}
