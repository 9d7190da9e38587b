// Stores a whole tree as one squashfs image beside the snapshot's object. The kernel mounts the image, which restores
// large trees fast. Images are optional: packs have the same contents, and workers that cannot mount images read packs.

import type { BlobStore } from "@dari/blobs";
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { open, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { folderOf } from "../tree/folder.ts";
import { chunkBytes } from "../snapshot/frame.ts";
import { restore } from "../restore/restore-tree.ts";
import { scan } from "../directory/scan-directory.ts";
import { squashfsSuffix, type SquashfsRef } from "../snapshot/squashfs-image.ts";
import type { Tree } from "../tree/tree.ts";
import { treeHash } from "../tree/tree-hash.ts";

const MiB = 1024 * 1024;
/** Smaller trees get no squashfs image: restoring them from packs is about as fast. */
const worthFiles = 2_000;
const worthBytes = 32 * MiB;
/** Larger trees get no squashfs image: creating it would need too much space in the temporary directory. */
const treeBytesMax = 4096 * MiB;
const toolTimeoutMs = 600_000;

const run = promisify(execFile);
/**
 * Stores a squashfs image of a saved tree. Returns undefined if the tree is too small or too large for an image, or if
 * this machine has no squashfs-tools. The image is unpacked before it is stored, to check that it contains the same
 * tree.
 */
export async function storeSquashfs(o: {
  store: BlobStore;
  keyPrefix: string;
  tree: Tree;
}): Promise<SquashfsRef | undefined> {
  const { files, bytes } = folderOf(o.tree);
  if ((files < worthFiles && bytes < worthBytes) || bytes > treeBytesMax) return undefined;
  const top = await mkdtemp(join(tmpdir(), "dari-image-"));
  try {
    const file = join(top, "image");
    const source = join(top, "tree");
    await restore({ store: o.store, tree: o.tree, dir: source });
    if (!(await createImage(source, file, top, treeHash(o.tree)))) return undefined;
    return await putImage(o.store, `${o.keyPrefix.replace(/\/+$/, "")}/${randomUUID()}${squashfsSuffix}`, file);
  } finally {
    await rm(top, { recursive: true, force: true });
  }
}

// Creates and checks the image. Returns false if the tools cannot read or represent a file: that is not an error.
async function createImage(source: string, file: string, top: string, hash: string): Promise<boolean> {
  const unpacked = join(top, "unpacked");
  const options = ["-comp", "zstd", "-Xcompression-level", "1", "-all-root", "-no-xattrs", "-no-exports"];
  const quiet = ["-noappend", "-exit-on-error", "-quiet", "-no-progress"];
  const limits = { timeout: toolTimeoutMs, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } };
  try {
    await run("mksquashfs", [source, file, ...options, ...quiet, "-processors", "1"], limits);
    await rm(source, { recursive: true });
    await run("unsquashfs", ["-quiet", "-no-progress", "-processors", "1", "-dest", unpacked, file], limits);
    return treeHash((await scan(unpacked)).tree) === hash;
  } catch {
    return false;
  }
}

async function putImage(store: BlobStore, objectKey: string, file: string): Promise<SquashfsRef> {
  const chunks: string[] = [];
  await using handle = await open(file, "r");
  async function* body(): AsyncGenerator<Uint8Array> {
    chunks.length = 0;
    for (let at = 0; ;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes, at);
      if (bytesRead === 0) return;
      const chunk = buffer.subarray(0, bytesRead);
      chunks.push(createHash("sha256").update(chunk).digest("hex"));
      at += bytesRead;
      yield chunk;
    }
  }
  const { sizeBytes } = await store.put(objectKey, body());
  return { objectKey, sizeBytes, chunks };
}
