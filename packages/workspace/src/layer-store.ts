// Layers: directories that hold trees or changes of trees, kept on this machine by what they make up together. Bounded,
// least recently used first; what is in use stays. Knows no mount.

import { randomInt } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assertOrganizationId } from "./path-rules.ts";
import { removeTree } from "./remove-tree.ts";

export interface Layer {
  /** Its directory, in that of its organization. Short: the kernel bounds the length of a mount's list. */
  readonly id: string;
  readonly bytes: number;
  /** Its directory is where an image is mounted, as long as this process runs. */
  readonly isImage?: boolean;
}

/** Layers that show one tree, uppermost first. Never changed while it is held. */
export interface Base {
  readonly organizationId: string;
  readonly treeHash: string;
  readonly layers: readonly Layer[];
}

interface Kept extends Base {
  held: number;
}

const idLength = 6;
const record = ".base";

export class LayerStore {
  readonly #dir: string;
  readonly #maxBytes: number;
  readonly #unmount: (target: string) => Promise<unknown>;
  /** Least recently used first. */
  readonly #bases = new Map<string, Kept>();
  /** How many bases have a layer, by its path. */
  readonly #uses = new Map<string, { bytes: number; count: number; isImage: boolean }>();
  #bootId = "";
  sizeBytes = 0;

  /** `unmount` ends a mounted image, by its directory. */
  constructor(dir: string, maxBytes: number, unmount: (target: string) => Promise<unknown>) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
    this.#unmount = unmount;
  }

  /** Finds what an earlier process left; what an earlier boot left may never have reached the disk, and goes. */
  async load(): Promise<void> {
    this.#bootId = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
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
          : this.#uses.has(`${organizationId}/${name}`);
        if (!isKnown) await removeTree(join(this.#dir, organizationId, name));
      }
    }
    await this.evict();
  }

  /** Where an organization's layers are. */
  directory(organizationId: string): string {
    assertOrganizationId(organizationId);
    return join(this.#dir, organizationId);
  }

  /** A new name in the organization's directory, and nothing there. */
  async newLayerId(organizationId: string): Promise<string> {
    const dir = this.directory(organizationId);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    for (;;) {
      const id = Array.from({ length: idLength }, () => randomInt(36).toString(36)).join("");
      const isTaken = await lstat(join(dir, id)).catch(() => undefined);
      if (isTaken === undefined) return id;
    }
  }

  /** The layers of a tree, held until they are released; undefined when there are none. */
  hold(organizationId: string, treeHash: string): Base | undefined {
    const key = `${organizationId}/${treeHash}`;
    const kept = this.#bases.get(key);
    if (kept === undefined) return undefined;
    kept.held++;
    this.#bases.delete(key);
    this.#bases.set(key, kept);
    return kept;
  }

  async release(base: Base): Promise<void> {
    const kept = this.#bases.get(keyOf(base));
    if (kept === undefined || kept.held === 0) throw new Error("a base was released that nobody holds");
    kept.held--;
    await this.evict();
  }

  /** Takes finished layers as a base, held. When the tree has one already, that one is held and answered. */
  async add(base: Base): Promise<Base> {
    const known = this.hold(base.organizationId, base.treeHash);
    if (known !== undefined) {
      await this.#removeUnused(base);
      return known;
    }
    this.#add(base).held++;
    const file = join(this.directory(base.organizationId), base.treeHash + record);
    // The record is for the next process; on a full disk that one does without the base.
    await writeFile(file, JSON.stringify({ boot: this.#bootId, layers: base.layers }), { mode: 0o600 }).catch(() =>
      removeTree(file),
    );
    await this.evict();
    return base;
  }

  /** True when nothing but this base, held once, uses its layers: then they may be changed. */
  isAlone(base: Base): boolean {
    const held = this.#bases.get(keyOf(base))?.held ?? 0;
    return held === 1 && base.layers.every((layer) => this.#uses.get(pathOf(base, layer))?.count === 1);
  }

  /** Forgets bases that share a layer with this one and are not in use. */
  async forgetRelatives(base: Base): Promise<void> {
    const ids = new Set(base.layers.map(({ id }) => id));
    for (const other of [...this.#bases.values()]) {
      const isRelative = other.organizationId === base.organizationId && other.layers.some(({ id }) => ids.has(id));
      if (isRelative && other.held === 0 && other.treeHash !== base.treeHash) await this.#forget(other);
    }
  }

  /**
   * Takes a base that its holder alone has out of the store and leaves its layers to the caller, who may change them.
   */
  async withdraw(base: Base): Promise<void> {
    if (!this.isAlone(base)) throw new Error("a base was withdrawn that somebody else uses");
    this.#bases.delete(keyOf(base));
    await this.#removeRecord(base);
    for (const layer of base.layers) {
      this.#uses.delete(pathOf(base, layer));
      this.sizeBytes -= layer.bytes;
    }
  }

  /** Unmounts all images. What leans on one is for this process only. */
  async close(): Promise<void> {
    for (const [path, { isImage }] of this.#uses) {
      // Whoever swept all mounts was first; what stays mounted is swept at the next start.
      if (isImage) await this.#unmount(join(this.#dir, path)).catch(() => undefined);
    }
    this.#uses.clear();
    this.#bases.clear();
  }

  async evict(): Promise<void> {
    for (const kept of [...this.#bases.values()]) {
      if (this.sizeBytes <= this.#maxBytes) return;
      if (kept.held === 0) await this.#forget(kept);
    }
  }

  #add(base: Base): Kept {
    const kept: Kept = { ...base, held: 0 };
    this.#bases.set(keyOf(base), kept);
    for (const layer of base.layers) {
      const use = this.#uses.get(pathOf(base, layer)) ?? {
        bytes: layer.bytes,
        count: 0,
        isImage: layer.isImage === true,
      };
      if (use.count === 0) this.sizeBytes += layer.bytes;
      use.count++;
      this.#uses.set(pathOf(base, layer), use);
    }
    return kept;
  }

  async #forget(kept: Kept): Promise<void> {
    this.#bases.delete(keyOf(kept));
    await this.#removeRecord(kept);
    for (const layer of kept.layers) {
      const use = this.#uses.get(pathOf(kept, layer));
      if (use !== undefined) use.count--;
    }
    await this.#removeUnused(kept);
  }

  /** Before its layers change: a record never names a layer that is not whole. */
  async #removeRecord(base: Base): Promise<void> {
    await rm(join(this.directory(base.organizationId), base.treeHash + record), { force: true });
  }

  async #removeUnused(base: Base): Promise<void> {
    for (const layer of base.layers) {
      const path = pathOf(base, layer);
      const use = this.#uses.get(path);
      if (use !== undefined && use.count > 0) continue;
      if (this.#uses.delete(path)) this.sizeBytes -= layer.bytes;
      if (layer.isImage === true) await this.#unmount(join(this.#dir, path));
      await removeTree(join(this.#dir, path));
    }
  }

  async #readRecord(organizationId: string, name: string): Promise<{ usedMs: number; base: Base | undefined }> {
    const file = join(this.#dir, organizationId, name);
    try {
      const { mtimeMs } = await lstat(file);
      const { boot, layers } = JSON.parse(await readFile(file, "utf8")) as { boot: string; layers: Layer[] };
      const isHere = boot === this.#bootId && boot !== "" && !layers.some(({ isImage }) => isImage === true);
      const treeHash = name.slice(0, -record.length);
      return { usedMs: mtimeMs, base: isHere ? { organizationId, treeHash, layers } : undefined };
    } catch {
      return { usedMs: 0, base: undefined };
    }
  }
}

function keyOf({ organizationId, treeHash }: Base): string {
  return `${organizationId}/${treeHash}`;
}

function pathOf({ organizationId }: Base, { id }: Layer): string {
  return `${organizationId}/${id}`;
}
