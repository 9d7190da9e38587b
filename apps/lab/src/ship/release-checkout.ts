// The sources of another release in a directory of their own, installed by its own setup.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { machineEnvironment } from "../config.ts";
import { checkout } from "../program.ts";

const installWithinMs = 900_000;

/** `dir` must not exist. @throws if this checkout has no such commit, or it does not install. */
export async function checkOutRelease(commit: string, dir: string): Promise<void> {
  const run = (command: string, args: readonly string[]): Promise<unknown> =>
    promisify(execFile)(command, args, { env: machineEnvironment(), timeout: installWithinMs, maxBuffer: 1 << 26 });
  await run("git", ["clone", "--quiet", "--shared", "--no-checkout", checkout, dir]);
  await run("git", ["-C", dir, "checkout", "--quiet", "--detach", commit]);
  // Every command installs first. This one does nothing else.
  await run(process.execPath, [path.join(dir, "scripts/run.mjs"), "dari", "--help"]);
}
