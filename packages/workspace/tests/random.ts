// Random trees and edits from a seed, on a real disk. The seed replays a failing case.

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { appendFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const names = [
  "a",
  "b",
  "c",
  "a-b",
  "a.b",
  "A",
  "ä",
  "日本",
  "😀",
  "\uffee",
  "\ufffd",
  "new\nline",
  "sp ace",
  "..x",
  "back\\slash",
  "%2e",
  "-rf",
  "n".repeat(255),
];
const modes = [0o644, 0o755, 0o600, 0o444, 0o777, 0o100];
const targets = ["a", "../b", "/etc/passwd", "../../../../outside", "nowhere", "ä/日本"];

export interface Random {
  below(max: number): number;
  pick<T>(from: readonly T[]): T;
  bytes(size: number): Buffer;
}

/** mulberry32: small, fast, the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (max: number): number => Math.floor(next() * max);
  return {
    below,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
    bytes(size) {
      const isText = next() < 0.5;
      return Buffer.from(Uint8Array.from({ length: size }, () => (isText ? 97 + below(4) : below(256))));
    },
  };
}

/** Makes `count` random edits below both roots of `dir`. */
export function edit(dir: string, random: Random, count: number): void {
  for (const root of ["workspace", "state"]) mkdirSync(join(dir, root), { recursive: true });
  for (let i = 0; i < count; i++) editOnce(dir, random);
}

function editOnce(dir: string, random: Random): void {
  const existing = pathsBelow(dir);
  const some = existing.length > 0 ? random.pick(existing) : undefined;
  const isFile = some !== undefined && lstatSync(some).isFile();
  switch (random.below(10)) {
    case 0:
      if (some !== undefined) rmSync(some, { recursive: true });
      break;
    case 1:
      if (isFile) appendFileSync(some, random.bytes(random.below(50)));
      break;
    case 2:
      // Same size and same mtime: only ctime differs.
      if (isFile) overwriteQuietly(some, random);
      break;
    case 3:
      if (some !== undefined && !lstatSync(some).isSymbolicLink()) {
        chmodSync(some, lstatSync(some).isDirectory() ? random.pick([0o755, 0o700]) : random.pick(modes));
      }
      break;
    case 4:
      move(dir, some, random);
      break;
    default:
      create(newPath(dir, random), random);
  }
}

function create(path: string | undefined, random: Random): void {
  if (path === undefined) return;
  const kind = random.below(8);
  if (kind < 2) mkdirSync(path);
  else if (kind === 2) symlinkSync(random.pick(targets), path);
  else writeFileSync(path, random.bytes(random.pick([0, 1, 10, 100, 3000])), { mode: random.pick(modes) });
}

function overwriteQuietly(path: string, random: Random): void {
  const { size, atime, mtime } = lstatSync(path);
  writeFileSync(path, random.bytes(size));
  utimesSync(path, atime, mtime);
}

function move(dir: string, some: string | undefined, random: Random): void {
  const to = newPath(dir, random);
  if (some === undefined || to === undefined || `${to}/`.startsWith(`${some}/`)) return;
  try {
    renameSync(some, to);
  } catch (error) {
    // A directory of an overlay's lower layer cannot be renamed, so programs copy it.
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EINVAL") return;
    if (code !== "EXDEV") throw error;
    execFileSync("mv", ["--", some, to]);
  }
}

function newPath(dir: string, random: Random): string | undefined {
  const inside = pathsBelow(dir).filter((path) => lstatSync(path).isDirectory());
  const folders = [join(dir, "workspace"), join(dir, "state"), ...inside];
  const path = join(random.pick(folders), random.pick(names));
  return existsSync(path) || pathsBelow(dirname(path)).includes(path) ? undefined : path;
}

// Not with readdir's recursion, which follows symlinks, anywhere and in cycles.
function pathsBelow(dir: string): string[] {
  const isRoot = (path: string): boolean => path === join(dir, "workspace") || path === join(dir, "state");
  const found: string[] = [];
  for (let folders = [dir]; folders.length > 0;) {
    const entries = folders.flatMap((folder) => readdirSync(folder, { withFileTypes: true }));
    const placed = entries.map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }));
    found.push(...placed.map(({ path }) => path).filter((path) => !isRoot(path)));
    folders = placed.filter(({ entry }) => entry.isDirectory()).map(({ path }) => path);
  }
  return found;
}
