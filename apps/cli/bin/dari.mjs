#!/usr/bin/env node
// The `dari` command. Plain JavaScript, so that an old Node can still say what it lacks.

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

/** Keeps what Node compiles of these sources in the user's own cache, which halves the start; else goes without. */
function keepCompiled() {
  // NODE_COMPILE_CACHE is a place that somebody has chosen.
  if (nodeModule.getCompileCacheDir() !== undefined) return;
  try {
    const cache = join(homedir(), ".cache");
    const directory = join(cache, "dari");
    // One by one: making a path recursively never ends where the file system answers ENOENT, as /proc does.
    for (const path of [cache, directory]) {
      if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
      // What is kept there is run, and HOME may be somebody else's, or a place that everybody writes to.
      const { uid, mode } = statSync(path);
      if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return;
    }
    nodeModule.enableCompileCache(directory);
  } catch {}
}
