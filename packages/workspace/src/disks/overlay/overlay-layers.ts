// Overlay layers: directories with trees or changes of trees, cached on this machine by the hash of the tree that they
// show. The size of the cache is limited: the least recently used layers that are not in use are evicted.

import { hash, randomInt } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { lstat, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "@dari/native";
import type { WhiteoutMarks } from "./mounts.ts";
import { assertOrganizationId } from "../../tree/path-rules.ts";

export interface OverlayLayer {
  /**
   * The name of its directory in the organization's directory. Short, because the kernel limits the length of a mount's
   * list.
   */
  readonly id: string;
  readonly bytes: number;
  /** Whether the directory is a mounted squashfs image, which lasts only as long as this process. */
  readonly isSquashfs?: boolean;
  /** The name of a downloaded squashfs image's file, beside the directory. The next process can use the file. */
  readonly squashfsFile?: string;
}

/** The layers that show one tree, uppermost first. They are never changed while the base is held. */
export interface OverlayBase {
  readonly organizationId: string;
  readonly treeHash: string;
  readonly layers: readonly OverlayLayer[];
  /** User and group of all contents of the layers (default: this process's). */
  readonly owner?: number | undefined;
}

interface Kept extends OverlayBase {
  /** Number of callers that hold the base. */
  held: number;
}

const idLength = 6;
const record = ".base";
const squashfsFilePattern = /^([0-9a-f]{16})\.[a-z0-9]{6}\.i$/;

export class OverlayLayerStore {
  readonly #dir: string;
  readonly #maxBytes: number;
  readonly #unmount: (target: string) => Promise<unknown>;
  /** Least recently used first. */
  readonly #bases = new Map<string, Kept>();
  /** Number of bases that use a layer, by its path. */
  readonly #uses = new Map<string, { bytes: number; count: number; isSquashfs: boolean }>();
  /** Squashfs image files that an earlier process downloaded, by organization and image name. */
  readonly #spares = new Map<string, { place: string; bytes: number }>();
  #bootId = "";
  sizeBytes = 0;

  /** `unmount` unmounts a squashfs image, given its directory. */
  constructor(dir: string, maxBytes: number, unmount: (target: string) => Promise<unknown>) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
    this.#unmount = unmount;
  }

  /**
   * Finds the layers of an earlier process. Removes layers from before the last boot of the machine, because they may
   * not have reached the disk completely, and layers with other `marks`, because they would show deleted files.
   */
  async load(marks: WhiteoutMarks = "trusted"): Promise<void> {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    this.#bootId = boot === "" || marks === "trusted" ? boot : `${boot} ${marks}`;
    for (const organizationId of await readdir(this.#dir)) {
      const names = await readdir(this.directory(organizationId)).catch(() => []);
      const found = await Promise.all(
        names.filter((name) => name.endsWith(record)).map((name) => this.#readRecord(organizationId, name)),
      );
      found.sort((a, b) => a.usedMs - b.usedMs);
      for (const { base } of found) if (base !== undefined) this.#add(base);
      for (const name of names) {
        const isKnown = name.endsWith(record)
          ? this.#bases.has(`${organizationId}/${name.slice(0, -record.length)}`)
          : this.#uses.has(`${organizationId}/${name}`) || (await this.#addSpare(organizationId, name));
        if (!isKnown) await removeTree(join(this.#dir, organizationId, name));
      }
    }
    await this.evict();
  }

  /** Returns the directory of an organization's layers. */
  directory(organizationId: string): string {
    assertOrganizationId(organizationId);
    return join(this.#dir, organizationId);
  }

  /** Returns an unused name in the organization's directory. */
  newLayerId(organizationId: string): string {
    const dir = this.directory(organizationId);
    // Synchronous, because a restore waits for the name, and on a busy machine each await takes long.
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (;;) {
      const id = Array.from({ length: idLength }, () => randomInt(36).toString(36)).join("");
      if (lstatSync(join(dir, id), { throwIfNoEntry: false }) === undefined) return id;
    }
  }

  /** Returns an unused name for a squashfs image's file. */
  newSquashfsFile(objectKey: string, layerId: string): string {
    return `${squashfsName(objectKey)}.${layerId}.i`;
  }

  /**
   * Returns the path of a squashfs image's file that an earlier process downloaded; undefined if there is none. The
   * file then belongs to the caller, who must check its contents.
   */
  takeSpare(organizationId: string, objectKey: string): string | undefined {
    const key = `${organizationId}/${squashfsName(objectKey)}`;
    const spare = this.#spares.get(key);
    if (spare === undefined) return undefined;
    this.#spares.delete(key);
    this.sizeBytes -= spare.bytes;
    return spare.place;
  }

  /** Holds the base of a tree with this owner until it is released, and returns it; undefined if there is none. */
  hold({ organizationId, treeHash, owner }: Omit<OverlayBase, "layers">): OverlayBase | undefined {
    const key = `${organizationId}/${treeHash}`;
    const kept = this.#bases.get(key);
    if (kept === undefined) return undefined;
    if (kept.owner !== owner) {
      // An earlier process has left the base, and ran the organization as another user.
      void this.#removeBase(kept).catch(() => undefined);
      return undefined;
    }
    kept.held++;
    this.#bases.delete(key);
    this.#bases.set(key, kept);
    return kept;
  }

  async release(base: OverlayBase): Promise<void> {
    const kept = this.#bases.get(keyOf(base));
    if (kept === undefined || kept.held === 0) throw new Error("a base was released that is not held");
    kept.held--;
    await this.evict();
  }

  /** Adds finished layers as a base and holds it. If the tree already has a base, holds and returns that one. */
  async add(base: OverlayBase): Promise<OverlayBase> {
    const known = this.hold(base);
    if (known !== undefined) {
      await this.#removeUnused(base);
      return known;
    }
    this.#add(base).held++;
    // A base on a mount is valid for this process only.
    if (!base.layers.some(({ isSquashfs }) => isSquashfs === true)) await this.#writeRecord(base);
    await this.evict();
    return base;
  }

  /** Returns whether the base is held once and no other base uses its layers, so that they may be changed. */
  isAlone(base: OverlayBase): boolean {
    const held = this.#bases.get(keyOf(base))?.held ?? 0;
    return held === 1 && base.layers.every((layer) => this.#uses.get(pathOf(base, layer))?.count === 1);
  }

  /** Removes unused bases that share a layer with this base. */
  async removeRelatives(base: OverlayBase): Promise<void> {
    const ids = new Set(base.layers.map(({ id }) => id));
    for (const other of [...this.#bases.values()]) {
      const isRelative = other.organizationId === base.organizationId && other.layers.some(({ id }) => ids.has(id));
      if (isRelative && other.held === 0 && other.treeHash !== base.treeHash) await this.#removeBase(other);
    }
  }

  /**
   * Removes the entry of a base that only the caller uses. The layers then belong to the caller, who may change them.
   */
  async withdraw(base: OverlayBase): Promise<void> {
    if (!this.isAlone(base)) throw new Error("a base was withdrawn that another caller uses");
    this.#bases.delete(keyOf(base));
    await this.#removeRecord(base);
    for (const layer of base.layers) {
      this.#uses.delete(pathOf(base, layer));
      this.sizeBytes -= layer.bytes;
    }
  }

  /** Unmounts all squashfs images. A base on one is valid for this process only. */
  async close(): Promise<void> {
    for (const [path, { isSquashfs }] of this.#uses) {
      // A concurrent sweep may have unmounted the image. If the mount stays, the next start removes it.
      if (isSquashfs) await this.#unmount(join(this.#dir, path)).catch(() => undefined);
    }
    this.#uses.clear();
    this.#bases.clear();
  }

  /** Removes unused data until the size is within the limit. */
  async evict(): Promise<void> {
    // First files of squashfs images that this process has not used.
    for (const [key, { place, bytes }] of this.#spares) {
      if (this.sizeBytes <= this.#maxBytes) return;
      this.#spares.delete(key);
      this.sizeBytes -= bytes;
      await rm(place, { force: true });
    }
    for (const kept of [...this.#bases.values()]) {
      if (this.sizeBytes <= this.#maxBytes) return;
      if (kept.held === 0) await this.#removeBase(kept);
    }
  }

  #add(base: OverlayBase): Kept {
    const kept: Kept = { ...base, held: 0 };
    this.#bases.set(keyOf(base), kept);
    for (const layer of base.layers) {
      const use = this.#uses.get(pathOf(base, layer)) ?? {
        bytes: layer.bytes,
        count: 0,
        isSquashfs: layer.isSquashfs === true,
      };
      if (use.count === 0) this.sizeBytes += layer.bytes;
      use.count++;
      this.#uses.set(pathOf(base, layer), use);
    }
    return kept;
  }

  /** Does nothing if another caller removes the base: each base gives its layers back once. */
  async #removeBase(kept: Kept): Promise<void> {
    if (this.#bases.get(keyOf(kept)) !== kept) return;
    this.#bases.delete(keyOf(kept));
    await this.#removeRecord(kept);
    for (const layer of kept.layers) {
      const use = this.#uses.get(pathOf(kept, layer));
      if (use !== undefined) use.count--;
    }
    await this.#removeUnused(kept);
  }

  /** Records the base for the next process. If the disk is full, the next process cannot use the base. */
  async #writeRecord(base: OverlayBase): Promise<void> {
    const file = join(this.directory(base.organizationId), base.treeHash + record);
    const text = JSON.stringify({ boot: this.#bootId, owner: base.owner, layers: base.layers });
    await writeFile(file, text, { mode: 0o600 }).catch(() => removeTree(file));
  }

  /** Called before the base's layers change, so that a record never names an incomplete layer. */
  async #removeRecord(base: OverlayBase): Promise<void> {
    await rm(join(this.directory(base.organizationId), base.treeHash + record), { force: true });
  }

  async #removeUnused(base: OverlayBase): Promise<void> {
    for (const layer of base.layers) {
      const path = pathOf(base, layer);
      const use = this.#uses.get(path);
      if (use !== undefined && use.count > 0) continue;
      if (this.#uses.delete(path)) this.sizeBytes -= layer.bytes;
      if (layer.isSquashfs === true) await this.#unmount(join(this.#dir, path));
      await removeTree(join(this.#dir, path));
      const { squashfsFile } = layer;
      if (squashfsFile !== undefined)
        await rm(join(this.directory(base.organizationId), squashfsFile), { force: true });
    }
  }

  async #addSpare(organizationId: string, name: string): Promise<boolean> {
    const squashfs = squashfsFilePattern.exec(name)?.[1];
    const key = `${organizationId}/${squashfs}`;
    if (squashfs === undefined || this.#spares.has(key)) return false;
    const place = join(this.directory(organizationId), name);
    const found = await lstat(place);
    if (!found.isFile()) return false;
    this.#spares.set(key, { place, bytes: found.size });
    this.sizeBytes += found.size;
    return true;
  }

  async #readRecord(organizationId: string, name: string): Promise<{ usedMs: number; base: OverlayBase | undefined }> {
    const file = join(this.#dir, organizationId, name);
    try {
      const { mtimeMs } = await lstat(file);
      const { boot, ...rest } = JSON.parse(await readFile(file, "utf8")) as { boot: string } & Omit<
        OverlayBase,
        "treeHash"
      >;
      const { layers, owner } = rest;
      const isHere = boot === this.#bootId && boot !== "" && !layers.some(({ isSquashfs }) => isSquashfs === true);
      const treeHash = name.slice(0, -record.length);
      return { usedMs: mtimeMs, base: isHere ? { organizationId, treeHash, layers, owner } : undefined };
    } catch {
      return { usedMs: 0, base: undefined };
    }
  }
}

// Returns a short, valid file name for the key of a squashfs image.
function squashfsName(objectKey: string): string {
  return hash("sha256", objectKey).slice(0, 16);
}

function keyOf({ organizationId, treeHash }: OverlayBase): string {
  return `${organizationId}/${treeHash}`;
}

function pathOf({ organizationId }: OverlayBase, { id }: OverlayLayer): string {
  return `${organizationId}/${id}`;
}
