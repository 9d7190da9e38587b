// Unpacked images on this machine's disk, shared by its turns, bounded by bytes. One process owns the directory.

import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, utimes, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@dari/blobs";
import { codeOf } from "../errors.ts";
import type { ImageRef } from "./image-ref.ts";
import { removeTree } from "./remove-tree.ts";
import { unpackImage } from "./unpack-image.ts";

export interface ImageLease {
  /** The image's root: read-only, verified, not evicted until `release`. */
  readonly dir: string;
  /** Idempotent. */
  release(): void;
}

export interface ImageCache {
  /**
   * Fetches, verifies and unpacks the image unless it is there. Any number of callers at once unpack it once.
   * @throws ImageDamagedError, BlobNotFoundError; the next call tries again.
   */
  ensure(image: ImageRef): Promise<ImageLease>;
  /** Waits for what is in progress. Images stay for the next start. */
  close(): Promise<void>;
}

interface Unpacked {
  readonly dir: string;
  readonly bytes: number;
}

interface Held {
  readonly ready: Promise<Unpacked>;
  /** Undefined until unpacked. */
  bytes: number | undefined;
  users: number;
  /** Grows with each use; the smallest is evicted first. */
  usedAt: number;
  /** When its directory was last marked as used, for a later process. Milliseconds by this process's clock. */
  touchedAt: number;
}

/** An image that each turn uses is marked no oftener. Milliseconds. */
const touchEveryMs = 1_000;

/** A directory with this file in it is complete: it is written before the directory gets its name. */
const markerName = "complete.json";

interface Marker {
  readonly bytes: number;
  /** After a crash of the machine (not of the process) a file may be named and yet not hold its bytes. */
  readonly boot: string;
}

export function openImageCache(options: { dir: string; store: BlobStore; maxBytes: number }): ImageCache {
  const held = new Map<string, Held>();
  const removals = new Set<Promise<void>>();
  let clock = 0;
  let opened: Promise<void> | undefined;
  const keep = ({ digest, bytes }: { readonly digest: string; readonly bytes: number }): void => {
    const ready = Promise.resolve({ dir: join(options.dir, digest, "tree"), bytes });
    held.set(digest, { ready, bytes, users: 0, usedAt: (clock += 1), touchedAt: -Infinity });
  };
  const open = (): Promise<void> => (opened ??= recover(options.dir).then((found) => found.forEach(keep)));

  function evict(): void {
    const idle = [...held].filter(([, one]) => one.users === 0 && one.bytes !== undefined);
    idle.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    let total = [...held.values()].reduce((sum, one) => sum + (one.bytes ?? 0), 0);
    for (const [digest, one] of idle) {
      if (total <= options.maxBytes) return;
      total -= one.bytes!;
      held.delete(digest);
      const removal = discard(options.dir, digest)
        .catch(() => {})
        .finally(() => removals.delete(removal));
      removals.add(removal);
    }
  }

  async function ensure(image: ImageRef): Promise<ImageLease> {
    if (!/^[0-9a-f]{64}$/.test(image.digest)) throw new TypeError(`${image.digest} is not a sha256`);
    await open();
    // An image that was just evicted must be gone before it is unpacked again under the same name.
    if (!held.has(image.digest)) await Promise.all(removals);
    let entry = held.get(image.digest);
    if (entry === undefined) {
      entry = { ready: fetchImage(options, image), bytes: undefined, users: 0, usedAt: 0, touchedAt: -Infinity };
      held.set(image.digest, entry);
    }
    const current = entry;
    current.users += 1;
    current.usedAt = clock += 1;
    try {
      const { dir, bytes } = await current.ready;
      current.bytes = bytes;
      evict();
      if (performance.now() - current.touchedAt >= touchEveryMs) {
        current.touchedAt = performance.now();
        await touch(join(options.dir, image.digest));
      }
      return {
        dir,
        release: once(() => {
          current.users -= 1;
          evict();
        }),
      };
    } catch (error) {
      current.users -= 1;
      if (held.get(image.digest) === current) held.delete(image.digest);
      throw error;
    }
  }

  return {
    ensure,
    async close() {
      await opened;
      await Promise.all([...held.values()].map((one) => one.ready.catch(() => {})));
      await Promise.all(removals);
    },
  };
}

async function fetchImage(o: { dir: string; store: BlobStore }, image: ImageRef): Promise<Unpacked> {
  const staging = await mkdtemp(join(o.dir, ".unpack-"));
  try {
    const source = await o.store.get(image.objectKey);
    const { bytes } = await unpackImage({ source, digest: image.digest, dir: join(staging, "tree") });
    const marker: Marker = { bytes, boot: bootId() };
    await writeFile(join(staging, markerName), JSON.stringify(marker));
    await discard(o.dir, image.digest); // a rest that could not be removed earlier
    await rename(staging, join(o.dir, image.digest));
    return { dir: join(o.dir, image.digest, "tree"), bytes };
  } catch (error) {
    await removeTree(staging).catch(() => {});
    throw error;
  }
}

/** Removes what a crash left behind; the rest, least recently used first. */
async function recover(dir: string): Promise<{ digest: string; bytes: number }[]> {
  await mkdir(dir, { recursive: true });
  const found: { digest: string; bytes: number; usedAtMs: number }[] = [];
  for (const name of await readdir(dir)) {
    const marker = /^[0-9a-f]{64}$/.test(name) ? await readMarker(join(dir, name)) : undefined;
    if (marker === undefined) await removeTree(join(dir, name));
    else found.push({ digest: name, bytes: marker.bytes, usedAtMs: (await stat(join(dir, name))).mtimeMs });
  }
  return found.sort((a, b) => a.usedAtMs - b.usedAtMs);
}

async function readMarker(dir: string): Promise<Marker | undefined> {
  try {
    const marker = JSON.parse(await readFile(join(dir, markerName), "utf8")) as Marker;
    return marker.boot === bootId() && Number.isSafeInteger(marker.bytes) ? marker : undefined;
  } catch {
    return undefined;
  }
}

/** The name goes first, at once, so that a half-removed image is never taken for a whole one. */
async function discard(dir: string, digest: string): Promise<void> {
  const doomed = join(dir, `.evict-${digest}`);
  await rename(join(dir, digest), doomed).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
  await removeTree(doomed);
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
