// Scripts of packages that builds on this machine have made, each with its code cache. One process owns the directory.

import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

export interface BundleCache {
  /** Copies the files of `key` to where `targets` says, by name. False where they are not here. */
  take(key: readonly unknown[], targets: Readonly<Record<string, string>>): Promise<boolean>;
  /** Keeps copies of these files; of too many entries, those that were not used for longest go. */
  keep(key: readonly unknown[], sources: Readonly<Record<string, string>>): Promise<void>;
}

/** One has a few megabytes. */
const entriesMax = 64;

/** What a crash left half-written is never read: an entry gets its name when it is whole. */
export function openBundleCache(options: { dir: string }): BundleCache {
  const { dir } = options;
  const pathOf = (key: readonly unknown[]): string =>
    join(dir, createHash("sha256").update(JSON.stringify(key)).digest("hex"));
  return {
    async take(key, targets) {
      const path = pathOf(key);
      try {
        const now = new Date();
        await utimes(path, now, now);
        for (const [name, target] of Object.entries(targets)) await copyFile(join(path, name), target);
        return true;
      } catch {
        return false;
      }
    },
    async keep(key, sources) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const staging = await mkdtemp(join(dir, ".new-"));
      try {
        for (const [name, source] of Object.entries(sources)) await copyFile(source, join(staging, name));
        await rename(staging, pathOf(key)).catch(ignore); // another build was first
      } finally {
        await rm(staging, { recursive: true, force: true });
      }
      await evict(dir);
    },
  };
}

async function evict(dir: string): Promise<void> {
  const found = (await readdir(dir)).map((name) => join(dir, name));
  const ages = await Promise.all(found.map(async (path) => ({ path, at: (await stat(path)).mtimeMs })));
  ages.sort((a, b) => b.at - a.at);
  for (const { path } of ages.slice(entriesMax)) await rm(path, { recursive: true, force: true });
}

function ignore(): void {}
