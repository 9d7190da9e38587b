// A bounded cache of file contents on the local disk. Returns copies, never links, because agents write in place.

import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "./errors.ts";
import { assertOrganizationId } from "./path-rules.ts";
import { PermissionLoan } from "./permission-loan.ts";
import { hashFile } from "./read-disk.ts";

/** Contents of one organization by sha256. Never fails a restore: an error is a cache miss. */
export interface ContentCache {
  /** Copies the content to a path that does not exist yet, and checks it. Returns whether it is there. */
  copyTo(sha256: string, sizeBytes: number, destination: string): Promise<boolean>;
  /** Stores a copy of the file's content, which the caller has checked. */
  add(sha256: string, sizeBytes: number, source: string): Promise<void>;
}

export interface DirectoryContentCache {
  /** Organizations share the disk space but no contents, so that timing reveals nothing about others. */
  forOrganization(organizationId: string): ContentCache;
  readonly sizeBytes: number;
}

const copyFlags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;

/**
 * Opens the cache in `dir`, which one process uses at a time. Above `maxBytes`, the least recently used contents are
 * evicted.
 */
export async function openContentCache(o: { dir: string; maxBytes: number }): Promise<DirectoryContentCache> {
  const index = new CacheIndex(o.dir, o.maxBytes);
  await index.load();
  return {
    forOrganization(organizationId) {
      assertOrganizationId(organizationId);
      return {
        copyTo: (sha256, sizeBytes, destination) => index.copyTo(`${organizationId}/${sha256}`, sizeBytes, destination),
        add: (sha256, sizeBytes, source) => index.add(`${organizationId}/${sha256}`, sizeBytes, source),
      };
    },
    get sizeBytes() {
      return index.sizeBytes;
    },
  };
}

class CacheIndex {
  sizeBytes = 0;
  readonly #dir: string;
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, number>();

  constructor(dir: string, maxBytes: number) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  async load(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    const found: { name: string; sizeBytes: number; usedMs: number }[] = [];
    for (const organization of await readdir(this.#dir)) {
      for (const sha256 of await readdir(join(this.#dir, organization)).catch(() => [])) {
        const name = `${organization}/${sha256}`;
        const { size, mtimeMs } = await stat(join(this.#dir, name));
        if (sha256.length === 64) found.push({ name, sizeBytes: size, usedMs: mtimeMs });
        else await rm(join(this.#dir, name), { force: true });
      }
    }
    found.sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, sizeBytes } of found) this.#set(name, sizeBytes);
    await this.#evict();
  }

  async copyTo(name: string, sizeBytes: number, destination: string): Promise<boolean> {
    if (this.#entries.get(name) !== sizeBytes) return false;
    const source = join(this.#dir, name);
    try {
      await copyFile(source, destination, copyFlags);
    } catch (error) {
      if (errorCode(error) === "EEXIST") throw error;
      await rm(destination, { force: true });
      await this.#forget(name);
      return false;
    }
    using loan = new PermissionLoan();
    const found = await hashFile(destination, destination, sizeBytes, loan).catch(() => undefined);
    if (found !== name.slice(-64)) {
      await rm(destination, { force: true });
      await this.#forget(name);
      return false;
    }
    this.#set(name, sizeBytes);
    // The file's time stores the last use across restarts.
    await utimes(source, new Date(), new Date()).catch(() => undefined);
    return true;
  }

  async add(name: string, sizeBytes: number, source: string): Promise<void> {
    if (this.#entries.has(name) || sizeBytes > this.#maxBytes) return;
    const place = join(this.#dir, name);
    const draft = `${place}.${randomUUID()}`;
    try {
      await mkdir(join(place, ".."), { recursive: true });
      await copyFile(source, draft, copyFlags);
      await chmod(draft, 0o600);
      await rename(draft, place);
      this.#set(name, sizeBytes);
      await this.#evict();
    } catch {
      // A full disk only makes the cache smaller.
      await rm(draft, { force: true });
    }
  }

  #set(name: string, sizeBytes: number): void {
    this.sizeBytes += sizeBytes - (this.#entries.get(name) ?? 0);
    this.#entries.delete(name);
    this.#entries.set(name, sizeBytes);
  }

  async #forget(name: string): Promise<void> {
    this.sizeBytes -= this.#entries.get(name) ?? 0;
    this.#entries.delete(name);
    await rm(join(this.#dir, name), { force: true });
  }

  async #evict(): Promise<void> {
    for (const name of this.#entries.keys()) {
      if (this.sizeBytes <= this.#maxBytes) return;
      await this.#forget(name);
    }
  }
}
