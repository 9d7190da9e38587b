#!/usr/bin/env node
// The `dari` command. Plain JavaScript, so that an old Node can still print what is missing.

import { existsSync, mkdirSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

const [major = 0] = process.versions.node.split(".").map(Number);
if (major < 24) {
  const found = `Node ${process.versions.node} (${process.execPath})`;
  process.stderr.write(`dari needs Node 24 or newer; this is ${found}.\n`);
  process.exitCode = 2;
} else {
  keepCompiled();
  const { main } = await import("../src/main.ts");
  process.exitCode = await main(process.argv.slice(2));
}

/**
 * Caches compiled code in the user's own cache directory, which halves the start time. Does without if that is not
 * possible.
 */
function keepCompiled() {
  // The user has chosen NODE_COMPILE_CACHE.
  if (nodeModule.getCompileCacheDir() !== undefined) return;
  try {
    const cache = join(homedir(), ".cache");
    const directory = join(cache, "dari");
    // One by one: a recursive mkdir never ends where the file system answers ENOENT, as /proc does.
    for (const path of [cache, directory]) {
      if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
      // Cached code is executed, and HOME can belong to another user, or be writable by everyone.
      const { uid, mode } = statSync(path);
      if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return;
    }
    nodeModule.enableCompileCache(directory);
  } catch {}
}
