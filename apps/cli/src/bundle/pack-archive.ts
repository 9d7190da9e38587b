// Packs files into a bundle. The same files give the same bytes, for every user and at any time.

import { createHash } from "node:crypto";
import { constants, createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { limits } from "@dari/domain";
import { pack, type Pack } from "tar-stream";
import { invalid } from "../exit.ts";
import { formatBytes } from "../output.ts";
import { excludeAdvice, type BundleFile } from "./select.ts";

export interface Archive {
  readonly sha256: string;
  readonly size_bytes: number;
}

/** Writes `files` of `root` to the new file `target`. */
export async function packArchive(root: string, files: readonly BundleFile[], target: string): Promise<Archive> {
  const tar = pack();
  const gzip = createGzip({ level: 9 });
  const meter = new Meter();
  const writing = pipeline(tar, gzip, meter, createWriteStream(target, { flags: "wx", mode: 0o600 }));
  const adding = addFiles(tar, root, files).catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  // The first failure has the cause; the second one is its consequence.
  await Promise.all([adding, writing]);
  if (meter.sizeBytes > limits.bundleBytes) {
    const [size, limit] = [formatBytes(meter.sizeBytes), formatBytes(limits.bundleBytes)];
    throw invalid(`the bundle has ${size}, compressed; the limit is ${limit}; ${excludeAdvice}`);
  }
  return { sha256: meter.sha256(), size_bytes: meter.sizeBytes };
}

async function addFiles(tar: Pack, root: string, files: readonly BundleFile[]): Promise<void> {
  for (const file of files) await addFile(tar, root, file);
  tar.finalize();
}

async function addFile(tar: Pack, root: string, file: BundleFile): Promise<void> {
  // Does not follow a link that replaced the file since it was selected.
  const handle = await open(join(root, file.path), constants.O_RDONLY | constants.O_NOFOLLOW);
  await using _ = handle;
  const entry = tar.entry({
    name: file.path,
    size: file.size_bytes,
    mode: file.mode,
    mtime: new Date(0),
    uid: 0,
    gid: 0,
    uname: "",
    gname: "",
    type: "file",
  });
  // One byte more than the file's size shows that it has grown.
  const content = createReadStream("", { fd: handle, autoClose: false, end: file.size_bytes });
  try {
    await pipeline(content, entry);
  } catch (error) {
    throw new Error(`${file.path} changed while it was packed`, { cause: error });
  }
}

/** Byte 9 of a gzip header is the packer's operating system; 255 means "unknown". */
const osByte = { offset: 9, value: 255 } as const;

/** Fixes the header's byte that differs between systems, and counts the bytes. */
class Meter extends Transform {
  readonly #hash = createHash("sha256");
  sizeBytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const at = osByte.offset - this.sizeBytes;
    if (at >= 0 && at < chunk.length) chunk[at] = osByte.value;
    this.#hash.update(chunk);
    this.sizeBytes += chunk.length;
    done(null, chunk);
  }

  sha256(): string {
    return this.#hash.digest("hex");
  }
}
