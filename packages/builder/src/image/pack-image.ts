// Packs a directory into one object whose digest depends only on the tree: a sorted tar without times or owners, zstd.
// Malicious programs may have written the directory: links are never followed, other special files are left out.

import { createHash } from "node:crypto";
import { constants, createWriteStream, type Dirent } from "node:fs";
import { chmod, open, readdir, readlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { limits } from "@dari/domain";
import { pack, type Header, type Pack } from "tar-stream";
import { compressFrames } from "./compress-frames.ts";
import { ImageEntryNames } from "./image-entry-names.ts";
import { linkStaysInside } from "./check-link-target.ts";
import { openTakenOver, removeEntry, takeOverDirectory, takeOverLink } from "./take-ownership.ts";

const epoch = new Date(0);
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW;
/** Files up to this size are read in advance, this many at a time. Larger ones are streamed. */
const smallFileBytes = 256 * 1024;
const readAhead = 16;
/**
 * Maximum length of an entry's path. Linux allows 4096 bytes including the path of the tree, here and where it is
 * unpacked.
 */
const pathBytesMax = 3072;
/** Each piece passes between threads several times, so pieces are large. */
const pieceBytes = 256 * 1024;

/** The tree exceeds the limit of an image. The message is for the tenant. */
export class ImageTooLargeError extends Error {
  override readonly name = "ImageTooLargeError";
}

export interface PackedImage {
  /** sha256 of the tar before compression: zstd's output differs with its version and buffers. */
  readonly digest: string;
  /** Size of the compressed file. */
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
  readonly entries: number;
  /** Paths that were left out, with the reasons. */
  readonly omitted: readonly string[];
}

export interface PackOptions {
  readonly dir: string;
  /** Must not exist yet. */
  readonly file: string;
  /** Paths that are left out, with everything below them. */
  readonly except?: readonly string[];
  /**
   * Makes `dir` itself what unpacking the image gives. Each file is taken over before it is read, so that no other
   * process can still change it when its bytes go into the digest.
   */
  readonly takeOver?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Writes the image of `dir` to `file`. Nothing may write to `dir` at the same time.
 * @throws ImageTooLargeError above `limits.imageUnpackedBytes` or `limits.imageMembers`.
 */
export async function packImage(options: PackOptions): Promise<PackedImage> {
  const archive = pack();
  const hash = createHash("sha256");
  const target = createWriteStream(options.file, { flags: "wx" });
  const { signal, takeOver = false } = options;
  const frames = compressFrames(archive as AsyncIterable<Uint8Array>, (piece) => hash.update(piece));
  const written = pipeline(frames, target, signal === undefined ? {} : { signal });
  const counts = new Counts();
  const packed = addTree(archive, {
    root: options.dir,
    except: new Set(options.except),
    takeOver,
    open: [],
    counts,
  }).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error as Error),
  );
  // Wait for both, so that nothing works in the directory when the caller removes it after a failure.
  await Promise.all([written, packed]).finally(() => Promise.allSettled([packed]));
  const { unpackedBytes, entries, omitted } = counts;
  return { digest: hash.digest("hex"), sizeBytes: target.bytesWritten, unpackedBytes, entries, omitted };
}

class Counts {
  unpackedBytes = 0;
  entries = 0;
  readonly omitted: string[] = [];
  #copiedBytes = 0;

  add(path: string, sizeBytes: number): void {
    this.entries += 1;
    this.unpackedBytes += sizeBytes;
    if (this.entries > limits.imageEntries) {
      throw new ImageTooLargeError(`the installed agent has more than ${limits.imageEntries} files`);
    }
    this.#bound(this.unpackedBytes, path);
  }

  /** Counts a file that is copied before it is added: a sparse one may claim to be larger than any disk. */
  addCopy(path: string, sizeBytes: number): void {
    this.#copiedBytes += sizeBytes;
    this.#bound(this.#copiedBytes, path);
  }

  #bound(bytes: number, path: string): void {
    if (bytes <= limits.imageUnpackedBytes) return;
    throw new ImageTooLargeError(`the installed agent is larger than ${limits.imageUnpackedBytes} bytes, at ${path}`);
  }
}

type Loaded =
  | { readonly header: MemberHeader; readonly body: Buffer }
  | { readonly header: MemberHeader; readonly handle: FileHandle }
  | { readonly omitted: string };
type MemberHeader = Partial<Header> & { name: string; size: number };

interface Tree {
  readonly root: string;
  readonly except: ReadonlySet<string>;
  readonly takeOver: boolean;
  /** Directories that were taken over. */
  readonly open: string[];
  readonly counts: Counts;
}

/** Writes entries in order while the next ones are read. */
async function addTree(archive: Pack, tree: Tree): Promise<void> {
  const window: Promise<Loaded>[] = [];
  const emitNext = async (): Promise<void> => {
    const loaded = await window.shift()!;
    if ("omitted" in loaded) tree.counts.omitted.push(loaded.omitted);
    else await addMember(archive, loaded, tree.counts);
  };
  try {
    for await (const found of walk(tree, "", new ImageEntryNames(pathBytesMax))) {
      const loading = load(tree, found);
      loading.catch(() => {}); // The error is thrown when the entry is awaited.
      window.push(loading);
      if (window.length >= readAhead) await emitNext();
    }
    while (window.length > 0) await emitNext();
    // Make directories read-only last, because their entries were replaced or removed before.
    for (const dir of tree.open.reverse()) await chmod(dir, 0o555);
  } finally {
    for (const loaded of await Promise.allSettled(window)) {
      if (loaded.status === "fulfilled" && "handle" in loaded.value) await loaded.value.handle.close();
    }
  }
}

interface Found {
  readonly path: string;
  readonly entry: Dirent<Buffer>;
  /** Why an image cannot contain it. */
  readonly refused?: string;
}

/** Yields entries depth first, each directory sorted by the bytes of its names, a directory before its contents. */
async function* walk(tree: Tree, path: string, names: ImageEntryNames): AsyncGenerator<Found, void> {
  const dir = join(tree.root, path);
  if (tree.takeOver) {
    await takeOverDirectory(dir);
    tree.open.push(dir);
  }
  const entries = await readdir(dir, { withFileTypes: true, encoding: "buffer" });
  for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
    const name = entry.name.toString("utf8");
    const child = path === "" ? name : `${path}/${name}`;
    if (tree.except.has(child)) continue;
    const accepted = names.accept(child, entry.isDirectory() ? "directory" : "file");
    yield { path: child, entry, ...accepted };
    if (entry.isDirectory() && !("refused" in accepted)) yield* walk(tree, child, names);
  }
}

async function load(tree: Tree, found: Found): Promise<Loaded> {
  const { path, entry, refused } = found;
  const nothing = Buffer.alloc(0);
  const full = join(tree.root, path);
  if (refused !== undefined) return omit(tree, found, refused);
  if (entry.isDirectory()) {
    return { header: { name: `${path}/`, type: "directory", mode: 0o755, size: 0 }, body: nothing };
  }
  if (entry.isSymbolicLink()) {
    const target = await readlink(full);
    if (target.includes("\uFFFD")) return omit(tree, found, `${path}: a link to what is not valid UTF-8`);
    if (!linkStaysInside(path, target)) return omit(tree, found, `${path}: a link that leaves the image`);
    if (tree.takeOver) await takeOverLink(full);
    return { header: { name: path, type: "symlink", linkname: target, mode: 0o777, size: 0 }, body: nothing };
  }
  if (!entry.isFile()) return omit(tree, found, `${path}: neither a file, a directory nor a link`);
  if (!tree.takeOver) return loadFile(path, await open(full, readOnly));
  return loadFile(path, await openTakenOver(full, (sizeBytes) => tree.counts.addCopy(path, sizeBytes)));
}

async function omit(tree: Tree, { path, entry }: Found, omitted: string): Promise<Loaded> {
  if (tree.takeOver) await removeEntry(dirname(join(tree.root, path)), entry, tree.root);
  return { omitted };
}

async function loadFile(path: string, handle: FileHandle): Promise<Loaded> {
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
      // Exactly the size in the header, whatever happens to the file.
      const content = loaded.handle.createReadStream({
        start: 0,
        end: header.size - 1,
        autoClose: false,
        highWaterMark: pieceBytes,
      });
      // An abort destroys the archive and the entry that is being written. Without a listener, that would end this
      // process.
      sink.on("error", reject);
      content.on("error", reject).pipe(sink as unknown as NodeJS.WritableStream);
    });
  } finally {
    if ("handle" in loaded) await loaded.handle.close();
  }
}
