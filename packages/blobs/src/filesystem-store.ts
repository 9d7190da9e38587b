// Objects as files below one folder, for a single machine. Independent of their contents.

import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, open, readdir, rename, rm, rmdir, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  BlobNotFoundError,
  type BlobBody,
  type BlobInfo,
  type BlobRange,
  type BlobStore,
  type PutOptions,
  type PutResult,
} from "./blob-store.ts";
import { getErrorCode } from "./get-error-code.ts";
import { assertKey, assertPrefix, assertRange } from "./check-key.ts";
import { listFiles } from "./list-files.ts";
import { measureBody } from "./measure-body.ts";

export interface FilesystemBlobStoreOptions {
  /** Created if missing. It contains `objects`, and `incoming` for incomplete objects. */
  readonly root: string;
  /** Flushes each object to the disk before it becomes visible. Default: true; false is for tests. */
  readonly durable?: boolean;
}

const abandonedAfterMs = 24 * 3600 * 1000;
const deletesAtOnce = 32;

/** Creates a store on the local disk. Objects become visible by rename, so a reader never sees an incomplete one. */
export function createFilesystemBlobStore(options: FilesystemBlobStoreOptions): BlobStore {
  const root = resolve(options.root);
  const durable = options.durable ?? true;
  const objects = join(root, "objects");
  const incoming = join(root, "incoming");
  const fileOf = (key: string): string => {
    assertKey(key);
    return join(objects, key);
  };

  async function put(key: string, body: BlobBody, { maxBytes }: PutOptions = {}): Promise<PutResult> {
    const file = fileOf(key);
    const draft = join(incoming, randomUUID());
    try {
      const result = await writeDraft(draft, measureBody(key, body, maxBytes), durable);
      await publish(draft, file);
      if (durable) await syncFolder(dirname(file));
      return result;
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async function get(key: string, range?: BlobRange): Promise<Readable> {
    assertRange(range);
    const handle = await openObject(key, fileOf(key));
    return handle.createReadStream({ ...range });
  }

  async function read(key: string, range?: BlobRange): Promise<Buffer> {
    assertRange(range);
    await using handle = await openObject(key, fileOf(key));
    if (range === undefined) return await handle.readFile();
    if (range.end === undefined) return await buffer(handle.createReadStream({ ...range, autoClose: false }));
    return await readRange(handle, range.start, range.end);
  }

  async function head(key: string): Promise<{ sizeBytes: number } | undefined> {
    const found = await stat(fileOf(key)).catch(undefinedIfMissing);
    return found?.isFile() ? { sizeBytes: found.size } : undefined;
  }

  async function* list(prefix: string, after?: string): AsyncGenerator<BlobInfo> {
    assertPrefix(prefix);
    if (after !== undefined) assertKey(after);
    yield* listFiles(objects, prefix, after);
  }

  async function deleteKeys(keys: readonly string[]): Promise<void> {
    const files = keys.map(fileOf);
    for (let i = 0; i < files.length; i += deletesAtOnce) {
      await Promise.all(files.slice(i, i + deletesAtOnce).map((file) => deleteFile(file, objects)));
    }
  }

  async function check(): Promise<void> {
    try {
      await mkdir(objects, { recursive: true });
      await mkdir(incoming, { recursive: true });
      await access(objects, constants.R_OK | constants.W_OK | constants.X_OK);
      await access(incoming, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new Error(`the folder for objects, ${root}, cannot be used: make it writable for this user`, { cause });
    }
    await removeAbandoned(incoming, Date.now() - abandonedAfterMs);
  }

  return { put, get, read, fileOf, head, list, delete: deleteKeys, check, close: async () => {} };
}

async function writeDraft(draft: string, body: ReturnType<typeof measureBody>, durable: boolean): Promise<PutResult> {
  await using handle = await openDraft(draft);
  for await (const piece of body.stream) await writeAll(handle, piece);
  if (durable) await handle.datasync();
  return body.result();
}

async function openDraft(draft: string): Promise<FileHandle> {
  try {
    return await open(draft, "wx", 0o600);
  } catch (error) {
    if (getErrorCode(error) !== "ENOENT") throw error;
    await mkdir(dirname(draft), { recursive: true });
    return await open(draft, "wx", 0o600);
  }
}

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.byteLength;) {
    done += (await handle.write(piece, done)).bytesWritten;
  }
}

// A delete can remove the folder between mkdir and rename, so each round creates it again.
async function publish(draft: string, file: string): Promise<void> {
  for (let round = 0; ; round++) {
    try {
      return await rename(draft, file);
    } catch (error) {
      if (getErrorCode(error) !== "ENOENT" || round === 20) throw error;
      await mkdir(dirname(file), { recursive: true }).catch((failed: unknown) => {
        if (getErrorCode(failed) !== "ENOENT") throw failed;
      });
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(undefinedIfMissing);
  if (handle === undefined) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function openObject(key: string, file: string): Promise<FileHandle> {
  const handle = await open(file, "r").catch((cause: unknown) => {
    const code = getErrorCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") throw new BlobNotFoundError(key, { cause });
    throw cause;
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new BlobNotFoundError(key);
}

async function readRange(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const size = (await handle.stat()).size;
  const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(end + 1, size) - start));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

async function deleteFile(file: string, top: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    // A folder of other objects is not an object: Linux reports EISDIR, macOS EPERM.
    if (!["EISDIR", "EPERM"].includes(getErrorCode(error) ?? "")) undefinedIfMissing(error);
  });
  for (let folder = dirname(file); folder !== top; folder = dirname(folder)) {
    const emptied = await rmdir(folder).then(
      () => true,
      () => false,
    );
    if (!emptied) return;
  }
}

async function removeAbandoned(incoming: string, olderThanMs: number): Promise<void> {
  for (const name of await readdir(incoming)) {
    const draft = join(incoming, name);
    const found = await stat(draft).catch(undefinedIfMissing);
    if (found !== undefined && found.mtimeMs < olderThanMs) await rm(draft, { force: true });
  }
}

function undefinedIfMissing(error: unknown): undefined {
  const code = getErrorCode(error);
  if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
}
