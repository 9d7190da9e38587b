// Hashes everything that decides which packages an installer installs.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Installer } from "../build/installer.ts";
import type { Runtime } from "../runtimes/runtime.ts";

/** Raise it with every change of an installer or of the form of a layer. */
const builderVersion = 1;

/**
 * Returns a sha256 as hex. `paths`: the files of the bundle that the installer may read, relative to `root`. Without a
 * lockfile, dependencies are resolved again every day.
 */
export async function dependencyLayerKey(o: {
  root: string;
  paths: readonly string[];
  installer: Installer;
  runtime: Runtime;
  today: string;
}): Promise<string> {
  const hash = createHash("sha256");
  const { language, version } = o.runtime;
  const { name, flags, env, locked } = o.installer;
  const platform = `${process.platform}-${process.arch}-${libc()}`;
  const sources = Object.entries(env).filter(([name]) => /registry|index_url|find_links/i.test(name));
  const day = locked ? "" : o.today;
  // Without paths of the interpreter and the installer on this machine, which do not change what is installed.
  hash.update(JSON.stringify([builderVersion, language, version, platform, name, flags, sources, day]));
  for (const path of [...o.paths].sort()) {
    const content = await readFile(join(o.root, path));
    hash.update(JSON.stringify([path, content.length]));
    hash.update(content);
  }
  return hash.digest("hex");
}

function libc(): string {
  return existsSync("/etc/alpine-release") ? "musl" : "glibc";
}

/** Returns every file below `root`, with relative POSIX paths. */
export async function listFilesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}
