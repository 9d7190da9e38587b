// A directory to one object whose digest depends on the tree alone: a sorted tar without times or owners, zstd.
// The directory may have been written by hostile programs: links are never followed, other special files are left out.

import { createHash } from "node:crypto";
import { constants, createWriteStream, type Dirent } from "node:fs";
import { open, readdir, readlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants as zlib, createZstdCompress } from "node:zlib";
import { limits } from "@dari/domain";
import { pack, type Header, type Pack } from "tar-stream";
import { linkStaysInside } from "./link-target.ts";

const epoch = new Date(0);
const zstdLevel = 3;
/** Files up to this size are read ahead, this many at a time; larger ones are streamed. */
const smallFileBytes = 256 * 1024;
const readAhead = 16;
/** Each piece goes through the threads several times. */
const pieceBytes = 256 * 1024;

/** The tree is larger than an image may be; the message is for the tenant. */
export class ImageTooLargeError extends Error {
  override readonly name = "ImageTooLargeError";
}

export interface PackedImage {
  /** sha256 of the tar before compression: what zstd makes of equal input differs with its version and buffers. */
  readonly digest: string;
  /** Of the compressed file. */
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
  readonly members: number;
  /** Paths that were left out, each with why. */
  readonly omitted: readonly string[];
}

/**
 * Writes the image of `dir` to `file`, without the paths of `except`. Nobody may write to `dir` meanwhile.
 * @throws ImageTooLargeError over `limits.imageUnpackedBytes` or `limits.imageMembers`.
 */
export async function packImage(options: {
  dir: string;
  file: string;
  except?: readonly string[];
  signal?: AbortSignal;
}): Promise<PackedImage> {
  const archive = pack();
  const hash = createHash("sha256");
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const compress = createZstdCompress({ params: { [zlib.ZSTD_c_compressionLevel]: zstdLevel }, chunkSize: pieceBytes });
  const target = createWriteStream(options.file, { flags: "wx" });
  const { signal } = options;
  const written = pipeline(archive, hashed, compress, target, signal === undefined ? {} : { signal });
  const counts = new Counts();
  const packed = addTree(archive, options.dir, new Set(options.except), counts).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error as Error),
  );
  await Promise.all([written, packed]);
  const { unpackedBytes, members, omitted } = counts;
  return { digest: hash.digest("hex"), sizeBytes: target.bytesWritten, unpackedBytes, members, omitted };
}

class Counts {
  unpackedBytes = 0;
  members = 0;
  readonly omitted: string[] = [];

  add(path: string, sizeBytes: number): void {
    this.members += 1;
    this.unpackedBytes += sizeBytes;
    if (this.members > limits.imageMembers) {
      throw new ImageTooLargeError(`the installed agent has more than ${limits.imageMembers} files`);
    }
    if (this.unpackedBytes > limits.imageUnpackedBytes) {
      throw new ImageTooLargeError(`the installed agent is larger than ${limits.imageUnpackedBytes} bytes, at ${path}`);
    }
  }
}

type Loaded =
  | { readonly header: MemberHeader; readonly body: Buffer }
  | { readonly header: MemberHeader; readonly handle: FileHandle }
  | { readonly omitted: string };
type MemberHeader = Partial<Header> & { name: string; size: number };

/** Members are written in order while the next ones are read. */
async function addTree(archive: Pack, root: string, except: ReadonlySet<string>, counts: Counts): Promise<void> {
  const window: Promise<Loaded>[] = [];
  const emitNext = async (): Promise<void> => {
    const loaded = await window.shift()!;
    if ("omitted" in loaded) counts.omitted.push(loaded.omitted);
    else await addMember(archive, loaded, counts);
  };
  try {
    for await (const { path, entry } of walk(root, "", except)) {
      const loading = load(root, path, entry);
      loading.catch(() => {}); // whoever takes it from the window sees the error
      window.push(loading);
      if (window.length >= readAhead) await emitNext();
    }
    while (window.length > 0) await emitNext();
  } finally {
    for (const loaded of await Promise.allSettled(window)) {
      if (loaded.status === "fulfilled" && "handle" in loaded.value) await loaded.value.handle.close();
    }
  }
}

/** Depth first, each directory sorted by the bytes of its names, a directory before what is in it. */
async function* walk(
  root: string,
  path: string,
  except: ReadonlySet<string>,
): AsyncGenerator<{ path: string; entry: Dirent<Buffer> }> {
  const entries = await readdir(join(root, path), { withFileTypes: true, encoding: "buffer" });
  for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
    const name = entry.name.toString("utf8");
    const child = path === "" ? name : `${path}/${name}`;
    if (except.has(child)) continue;
    yield { path: child, entry };
    if (entry.isDirectory() && isUtf8(entry.name)) yield* walk(root, child, except);
  }
}

function isUtf8(name: Buffer): boolean {
  return Buffer.from(name.toString("utf8")).equals(name);
}

async function load(root: string, path: string, entry: Dirent<Buffer>): Promise<Loaded> {
  if (!isUtf8(entry.name)) return { omitted: `${path}: its name is not valid UTF-8` };
  const nothing = Buffer.alloc(0);
  if (entry.isDirectory()) {
    return { header: { name: `${path}/`, type: "directory", mode: 0o755, size: 0 }, body: nothing };
  }
  if (entry.isSymbolicLink()) {
    const target = await readlink(join(root, path));
    if (!linkStaysInside(path, target)) return { omitted: `${path}: a link that leaves the image` };
    return { header: { name: path, type: "symlink", linkname: target, mode: 0o777, size: 0 }, body: nothing };
  }
  if (!entry.isFile()) return { omitted: `${path}: neither a file, a directory nor a link` };
  return loadFile(root, path);
}

async function loadFile(root: string, path: string): Promise<Loaded> {
  const handle = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW);
  let keepOpen = false;
  try {
    const { size, mode } = await handle.stat();
    const header = { name: path, type: "file" as const, size, mode: (mode & 0o111) === 0 ? 0o644 : 0o755 };
    if (size <= smallFileBytes) return { header, body: await handle.readFile() };
    keepOpen = true;
    return { header, handle };
  } finally {
    if (!keepOpen) await handle.close();
  }
}

async function addMember(archive: Pack, loaded: Exclude<Loaded, { omitted: string }>, counts: Counts): Promise<void> {
  const header = { ...loaded.header, mtime: epoch, uid: 0, gid: 0 };
  try {
    counts.add(header.name, header.size);
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null): void => (error ? reject(error) : resolve());
      if ("body" in loaded) return void archive.entry(header, loaded.body, done);
      const sink = archive.entry(header, done);
      // Exactly the size that the header claims, whatever happens to the file.
      const content = loaded.handle.createReadStream({
        start: 0,
        end: header.size - 1,
        autoClose: false,
        highWaterMark: pieceBytes,
      });
      // An abort destroys the archive, and what is being written with it; unheard, that would end this process.
      sink.on("error", reject);
      content.on("error", reject).pipe(sink as unknown as NodeJS.WritableStream);
    });
  } finally {
    if ("handle" in loaded) await loaded.handle.close();
  }
}
