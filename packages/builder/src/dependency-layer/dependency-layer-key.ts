// What decides which packages an installer installs, as one hash.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Installer } from "../build/installer.ts";
import type { Runtime } from "../runtimes/runtime.ts";

/** Raised with every change of what an installer or a layer is. */
const builderVersion = 1;

/**
 * sha256, hex. `paths` are the files of the bundle that the installer may read, relative to `root`.
 * Without a lockfile, dependencies are resolved again each day.
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
  // Where the interpreter and the installer lie on this machine says nothing of what they install.
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

/** Every file below `root`, relative, POSIX. */
export async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}
