// The directories of a killed process are removed at the next start; those of a running process stay.

import { expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clearScratch, makeScratch } from "../src/scratch-space.ts";

test("directories of dead processes are removed, those of running ones stay", async () => {
  const module = new URL("../src/scratch-space.ts", import.meta.url).href;
  const script = `const { makeScratch } = await import(${JSON.stringify(module)});
    process.stdout.write(await makeScratch("import"));
    process.stdin.resume();`;
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const other = spawn(process.execPath, flags, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(other, "exit");
  const theirs = String((await once(other.stdout, "data"))[0]);
  writeFileSync(join(theirs, "bundle.tar.gz"), "half of it");
  const ours = await makeScratch("write");
  try {
    await clearScratch();
    expect([existsSync(theirs), existsSync(ours)]).toEqual([true, true]);
    other.kill("SIGKILL");
    await exited;
    await clearScratch();
    expect([existsSync(theirs), existsSync(ours)]).toEqual([false, true]);
  } finally {
    other.kill("SIGKILL");
    for (const dir of [theirs, ours]) rmSync(dir, { recursive: true, force: true });
  }
});
