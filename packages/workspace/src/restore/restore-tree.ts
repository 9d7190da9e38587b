// Restores a saved tree to a directory. Trusts neither the tree's paths nor the stored bytes.

import type { BlobStore } from "@dari/blobs";
import {
  chmodSync,
  closeSync,
  fchmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
} from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { errorCode, SnapshotDamagedError } from "../errors.ts";
import { treeProblem } from "../tree/path-rules.ts";
import { PermissionLoan } from "../directory/permission-loan.ts";
import { forEachLimited } from "../for-each-limited.ts";
import { hashFile } from "../directory/read-disk.ts";
import { readObject } from "../snapshot/read-object.ts";
import { planFetches, type FrameFetch } from "../snapshot/plan-fetches.ts";
import { treeRoots, type Tree, type TreeEntry } from "../tree/tree.ts";
import { createFlags, writeJobOf } from "./write-pieces.ts";
import { shouldUseThread, writeFromFile, writeInThread } from "./write-threads.ts";

export interface RestoreOptions {
  readonly store: BlobStore;
  /** A saved tree, with locations. */
  readonly tree: Tree;
  /** Created if missing. Its two roots are missing or empty. */
  readonly dir: string;
  /** User and group of everything that is created (default: this process's). Needs CAP_CHOWN. */
  readonly owner?: number | undefined;
  /** Concurrent requests; each holds up to 4 MiB of stored bytes (default: 8). */
  readonly concurrency?: number;
}

export interface Restored {
  readonly files: number;
  readonly bytesFetched: number;
}

const entriesPerTick = 256;
const checksAtOnce = 4;
const localFetchBytes = 1024 * 1024;

/**
 * Restores `tree` below `dir`. Checks every file's size and sha256. If the directory cannot be filled completely and
 * correctly, throws; the caller then removes the directory. Symlinks are created last and never followed.
 * @throws SnapshotDamagedError if an object is missing, truncated or altered, or the tree's paths are not safe.
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { store, tree, dir, concurrency = 8 } = options;
  const problem = treeProblem(tree);
  if (problem !== undefined) throw new SnapshotDamagedError("(tree)", problem);
  const entries = [...tree.values()];
  const files = entries.filter((entry) => entry.type === "file");
  await makeDirectories(dir, entries);

  await createOtherFiles(files, dir);
  let bytesFetched = 0;
  await forEachLimited(planFetches(files, fetchBytesOf(store)), concurrency, async (fetch) => {
    await writeFetch(store, fetch, dir);
    bytesFetched += fetch.sizeBytes;
  });
  await checkChunkedFiles(files, dir);
  await finishEntries(dir, entries);
  if (options.owner !== undefined) await changeOwnerOfAll(dir, entries, options.owner);
  return { files: files.length, bytesFetched };
}

async function makeDirectories(dir: string, entries: readonly TreeEntry[]): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const root of treeRoots) makeRoot(join(dir, root));
  let made = 0;
  for (const { type, path } of entries) {
    if (type !== "directory") continue;
    mkdirSync(`${dir}/${path}`, 0o700);
    if (++made % entriesPerTick === 0) await nextTick();
  }
}

function makeRoot(place: string): void {
  try {
    mkdirSync(place, 0o755);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    if (!lstatSync(place).isDirectory() || readdirSync(place).length > 0) {
      throw new Error(`${place} is not an empty directory, so no workspace can be restored to it`, { cause: error });
    }
  }
}

// Creates the files that do not consist of exactly one piece: empty files, and chunked files, whose pieces arrive in
// any order.
async function createOtherFiles(files: readonly TreeEntry[], dir: string): Promise<void> {
  for (const [index, { path, mode, sizeBytes, location }] of files.entries()) {
    if (location?.length === 1) continue;
    if (location === undefined) throw new TypeError(`${path} has no location: only a saved tree can be restored`);
    if (index % entriesPerTick === 0) await nextTick();
    if (sizeBytes > 0 && location.length === 0) throw new SnapshotDamagedError("(tree)", `${path} has no content`);
    const fd = openSync(join(dir, path), createFlags, 0o600);
    fchmodSync(fd, mode);
    closeSync(fd);
  }
}

/**
 * Restores one file without its tree, and checks each piece. The path must not exist yet. @throws SnapshotDamagedError
 */
export async function fetchFile(store: BlobStore, entry: TreeEntry, dir: string, concurrency = 8): Promise<void> {
  await createOtherFiles([entry], dir);
  await forEachLimited(planFetches([entry]), concurrency, (fetch) => writeFetch(store, fetch, dir));
}

// Returns the size of a fetch from local files. Small fetches share the work of threads more evenly, and there is no
// network latency.
function fetchBytesOf({ fileOf }: BlobStore): number | undefined {
  return fileOf === undefined ? undefined : localFetchBytes;
}

async function writeFetch(store: BlobStore, fetch: FrameFetch, dir: string): Promise<void> {
  const job = writeJobOf(fetch, dir);
  const file = shouldUseThread(fetch.sizeBytes) ? store.fileOf?.(fetch.objectKey) : undefined;
  if (file !== undefined) return await writeFromFile(job, file);
  await writeInThread(job, await readObject(store, fetch.objectKey, fetch.offset, fetch.sizeBytes));
}

// Checks that chunked files consist of the right chunks in the right order. Each chunk was checked when it arrived.
async function checkChunkedFiles(files: readonly TreeEntry[], dir: string): Promise<void> {
  const chunked = files.filter(({ location = [] }) => location.length > 1);
  using loan = new PermissionLoan();
  await forEachLimited(chunked, checksAtOnce, async ({ path, sizeBytes, sha256, location }) => {
    const found = await hashFile(path, join(dir, path), sizeBytes, loan);
    if (found === sha256) return;
    const objectKey = location?.[0]?.frame.objectKey ?? "";
    throw new SnapshotDamagedError(objectKey, `the chunks of ${JSON.stringify(path)} do not make up its content`);
  });
}

/** Changes the owner of everything in the directory. No other process writes to it yet, and links are not followed. */
async function changeOwnerOfAll(dir: string, entries: readonly TreeEntry[], owner: number): Promise<void> {
  for (const root of treeRoots) lchownSync(join(dir, root), owner, owner);
  let given = 0;
  for (const { path } of entries) {
    lchownSync(`${dir}/${path}`, owner, owner);
    if (++given % entriesPerTick === 0) await nextTick();
  }
}

// Creates symlinks and sets the modes of directories, deepest first. Runs last, so that no write goes through a symlink
// or into a read-only directory.
async function finishEntries(dir: string, entries: readonly TreeEntry[]): Promise<void> {
  let finished = 0;
  for (const { type, path, mode, target = "" } of entries.filter((entry) => entry.type !== "file").reverse()) {
    if (type === "symlink") symlinkSync(target, `${dir}/${path}`);
    else chmodSync(`${dir}/${path}`, mode);
    if (++finished % entriesPerTick === 0) await nextTick();
  }
}
