// A temporary folder with a store, and an independent reader of directories to compare restores with.

import type { BlobStore } from "@dari/blobs";
import { openTestStore } from "@dari/testkit/store";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { save, scan, type SaveOptions, type Saved } from "../src/index.ts";

export interface Fixture extends Disposable {
  readonly top: string;
  readonly store: BlobStore;
  /** Returns an unused path. */
  fresh(): string;
}

export function openFixture(): Fixture {
  const top = mkdtempSync(join(tmpdir(), "dari-workspace-"));
  const store = openTestStore(join(top, "store"));
  let count = 0;
  return {
    top,
    store,
    fresh: () => join(top, `dir-${count++}`),
    [Symbol.dispose]: () => {
      void store.close();
      rmSync(top, { recursive: true, force: true });
    },
  };
}

/** Writes files by path below `dir`, with their directories. */
export function writeFiles(dir: string, files: Record<string, string | Uint8Array>): void {
  for (const root of ["workspace", "state"]) mkdirSync(join(dir, root), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
}

/** Returns everything below `dir`, one line per path: type, mode, content. */
export function picture(dir: string): string[] {
  return pathsBelow(dir, "").map((path) => {
    const stat = lstatSync(join(dir, path));
    const mode = (stat.mode & 0o777).toString(8);
    if (stat.isSymbolicLink()) return `${path} -> ${readlinkSync(join(dir, path))}`;
    return stat.isDirectory() ? `${path} ${mode}` : `${path} ${mode} ${readFileSync(join(dir, path)).toString("hex")}`;
  });
}

function pathsBelow(dir: string, folder: string): string[] {
  const entries = readdirSync(join(dir, folder), { withFileTypes: true });
  const paths = entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...pathsBelow(dir, path)] : [path];
  });
  return paths.sort();
}

/** Scans `dir` without a base and saves it after `before`. */
export async function saveDir(
  fixture: Fixture,
  dir: string,
  before: SaveOptions["before"],
  full = false,
): Promise<Saved> {
  const { tree } = await scan(dir);
  return await save({ store: fixture.store, keyPrefix: "s", dir, before, after: tree, full });
}

/** Counts requests and bytes of a store as if it were remote. Threads would read local files directly. */
export function counting(store: BlobStore): BlobStore & { requests: number; bytes: number } {
  const { fileOf: _, ...elsewhere } = store;
  return {
    ...elsewhere,
    requests: 0,
    bytes: 0,
    async read(key, range) {
      const bytes = await store.read(key, range);
      this.requests++;
      this.bytes += bytes.length;
      return bytes;
    },
  };
}
