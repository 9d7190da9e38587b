// Unpacked images on this machine's disk, shared by its turns, with a size limit. One process owns the directory.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, utimes, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@dari/blobs";
import type { ImageRef } from "@dari/bundles";
import { removeTree } from "@dari/native";
import { codeOf } from "../errors.ts";
import { linkDependencyLayer } from "../dependency-layer/link-dependency-layer.ts";
import type { PackedImage } from "./pack-image.ts";
import { LruCache } from "./lru-cache.ts";
import { unpackImage } from "./unpack-image.ts";

export interface ImageLease {
  /** The image's root: read-only, verified, and not evicted before `release`. */
  readonly dir: string;
  /** Idempotent. */
  release(): void;
}

export interface ImageCache {
  /**
   * Downloads, verifies and unpacks the image if it is missing. Concurrent callers unpack it once. An image with a
   * layer is combined by hard links, and holds its layer while it exists.
   * @throws ImageDamagedError, BlobNotFoundError; the next call tries again.
   */
  ensure(image: CachedImage): Promise<ImageLease>;
  /**
   * Keeps an image without a layer that was built here, so that it need not be downloaded: moves `tree` in, where no
   * build program can reach it, and calls `pack`, which takes it over. If `pack` fails, nothing remains. A tree on
   * another file system must already be unreachable: it is packed in place.
   */
  adopt<P extends PackedTree>(tree: string, pack: (dir: string) => Promise<P>): Promise<AdoptedImage<P>>;
  /** Waits for running work. Images stay for the next start. */
  close(): Promise<void>;
}

/** What the cache needs to know about an image. A layer is an image without a layer. */
export type CachedImage = Pick<ImageRef, "digest" | "objectKey" | "layer">;

/** The result of packing a directory. */
export type PackedTree = Pick<PackedImage, "digest" | "unpackedBytes">;

export interface AdoptedImage<P extends PackedTree> {
  readonly packed: P;
  readonly lease: ImageLease;
}

interface Unpacked {
  /** Without the bytes of its layer. */
  readonly bytes: number;
}

/** How often an image's last use is written at most, in milliseconds. */
const touchEveryMs = 1_000;

/** A directory with this file is complete: the file is written before the directory gets its name. */
const markerName = "complete.json";

interface Marker {
  readonly bytes: number;
  readonly layer?: string;
  /** After a crash of the machine (not of the process), a file may have a name but not its bytes. */
  readonly boot: string;
}

export interface ImageCacheOptions {
  readonly dir: string;
  readonly store: BlobStore;
  readonly maxBytes: number;
}

export function openImageCache(options: ImageCacheOptions): ImageCache {
  const cache = new DirectoryImageCache(options);
  return {
    ensure: (image) => cache.ensure(image),
    adopt: (tree, pack) => cache.adopt(tree, pack),
    close: () => cache.close(),
  };
}

class DirectoryImageCache implements ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #removals = new Set<Promise<void>>();
  readonly #shelf: LruCache<Unpacked>;
  #opened: Promise<void> | undefined;

  constructor(options: ImageCacheOptions) {
    this.#options = options;
    this.#shelf = new LruCache<Unpacked>(options.maxBytes, (name) => {
      const removal = discard(options.dir, name)
        .catch(() => {})
        .finally(() => this.#removals.delete(removal));
      this.#removals.add(removal);
    });
  }

  async ensure(image: CachedImage): Promise<ImageLease> {
    for (const digest of [image.digest, image.layer?.digest ?? image.digest]) {
      if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError(`${digest} is not a sha256`);
    }
    await this.#open();
    const name = nameOf(image);
    return this.#use(name, () => this.#fetch(name, image));
  }

  async adopt<P extends PackedTree>(tree: string, pack: (dir: string) => Promise<P>): Promise<AdoptedImage<P>> {
    const { dir } = this.#options;
    await this.#open();
    const staging = await mkdtemp(join(dir, ".adopt-"));
    try {
      const packed = await moveAndPack(tree, join(staging, "tree"), pack);
      const { digest, unpackedBytes: bytes } = packed;
      let isPlaced = false;
      const keep = (): Promise<Unpacked> => {
        isPlaced = true;
        return place(dir, digest, staging, { bytes });
      };
      const lease = await this.#use(digest, keep).catch((error: unknown) => {
        if (isPlaced) throw error;
        return this.#use(digest, keep); // Another caller's download failed.
      });
      return { packed, lease };
    } finally {
      // Already moved, unless it failed or the same image was here before.
      await removeTree(staging).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await this.#opened;
    await Promise.all(this.#shelf.all().map((one) => one.ready.catch(() => {})));
    await Promise.all(this.#removals);
  }

  #open(): Promise<void> {
    return (this.#opened ??= this.#recoverAll());
  }

  async #recoverAll(): Promise<void> {
    const shelf = this.#shelf;
    const found = await recover(this.#options.dir);
    for (const { name, bytes } of found) shelf.add(name, Promise.resolve({ bytes }), bytes);
    for (const { name, layer } of found) {
      const base = layer === undefined ? undefined : shelf.get(layer);
      if (base !== undefined) shelf.get(name)!.needs = shelf.use(base);
    }
  }

  /** `make` is called if nothing of this name exists or is being made. */
  async #use(name: string, make: () => Promise<Unpacked>): Promise<ImageLease> {
    const shelf = this.#shelf;
    const path = join(this.#options.dir, name);
    // An image that was just evicted must be removed before it is unpacked again under the same name.
    if (shelf.get(name) === undefined) await Promise.all(this.#removals);
    const entry = shelf.get(name) ?? shelf.add(name, make());
    // Before the first await: a used image is not evicted.
    const lease = shelf.use(entry);
    try {
      entry.bytes = (await entry.ready).bytes;
      shelf.evict();
      if (performance.now() - entry.touchedAt >= touchEveryMs) {
        entry.touchedAt = performance.now();
        await touch(path);
      }
      return { dir: join(path, "tree"), release: () => lease.release() };
    } catch (error) {
      shelf.drop(name, entry);
      lease.release();
      throw error;
    }
  }

  async #fetch(name: string, image: CachedImage): Promise<Unpacked> {
    if (image.layer === undefined) return unpackInto(this.#options, name, image);
    const layer = await this.ensure({ digest: image.layer.digest, objectKey: image.layer.objectKey });
    try {
      const unpacked = await unpackInto(this.#options, name, image, layer.dir);
      this.#shelf.get(name)!.needs = layer;
      return unpacked;
    } catch (error) {
      layer.release();
      throw error;
    }
  }
}

/** The same files with another layer are another image. */
function nameOf({ digest, layer }: CachedImage): string {
  if (layer === undefined) return digest;
  return createHash("sha256").update(`${digest}+${layer.digest}`).digest("hex");
}

async function unpackInto(
  o: { dir: string; store: BlobStore },
  name: string,
  image: CachedImage,
  layerDir?: string,
): Promise<Unpacked> {
  const staging = await mkdtemp(join(o.dir, ".unpack-"));
  try {
    const source = await o.store.get(image.objectKey);
    const { bytes } = await unpackImage({ source, digest: image.digest, dir: join(staging, "tree") });
    if (layerDir !== undefined) await linkDependencyLayer(layerDir, join(staging, "tree"), { seal: true });
    return await place(o.dir, name, staging, { bytes, ...(image.layer && { layer: image.layer.digest }) });
  } catch (error) {
    await removeTree(staging).catch(() => {});
    throw error;
  }
}

/** Renames a complete directory to its final name. */
async function place(dir: string, name: string, staging: string, found: Omit<Marker, "boot">): Promise<Unpacked> {
  const marker: Marker = { ...found, boot: bootId() };
  await writeFile(join(staging, markerName), JSON.stringify(marker));
  await discard(dir, name); // left over if it could not be removed earlier
  await rename(staging, join(dir, name));
  return { bytes: found.bytes };
}

/** From another file system it is moved after packing: it can be copied then, and its size is limited. */
async function moveAndPack<P>(from: string, to: string, pack: (dir: string) => Promise<P>): Promise<P> {
  try {
    await rename(from, to);
  } catch (error) {
    if (codeOf(error) !== "EXDEV") throw error;
    const packed = await pack(from);
    await cp(from, to, { recursive: true, verbatimSymlinks: true });
    return packed;
  }
  return pack(to);
}

/** Removes what a crash left behind. Returns the rest, least recently used first. */
async function recover(dir: string): Promise<(Marker & { name: string })[]> {
  await mkdir(dir, { recursive: true });
  const found: (Marker & { name: string; usedAtMs: number })[] = [];
  for (const name of await readdir(dir)) {
    const marker = /^[0-9a-f]{64}$/.test(name) ? await readMarker(join(dir, name)) : undefined;
    if (marker === undefined) await removeTree(join(dir, name));
    else found.push({ ...marker, name, usedAtMs: (await stat(join(dir, name))).mtimeMs });
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

/** Removes an image. It is renamed first, so that a half-removed image is never used. */
async function discard(dir: string, name: string): Promise<void> {
  const doomed = join(dir, `.evict-${name}`);
  await rename(join(dir, name), doomed).catch((error: unknown) => {
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
