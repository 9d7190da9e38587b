// The guest of Node agents as one script, which a Node starts sooner than a dozen modules. The guest is the platform's
// own: nothing of a tenant's is read here, so that this needs no sandbox.

import { execFile } from "node:child_process";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { nodeGuestMain } from "@dari/harness";
import { findEsbuild } from "./find-esbuild.ts";

const scriptBytesMax = 4 * 1024 ** 2;
const timeoutMs = 30_000;

/** Makes the script strict, like the modules, and hides it as main module, which agents could notice. */
const banner = '"use strict"; delete process.mainModule; delete require.cache[__filename];';

const options = [
  "--bundle",
  "--format=cjs",
  "--platform=node",
  // The oldest that agents may have.
  "--target=node20",
  // What the guest makes a `require` from, which takes a file's path as well.
  "--define:import.meta.url=__filename",
  `--banner:js=${banner}`,
  "--charset=utf8",
  "--log-level=error",
];

/**
 * A CommonJS script without source map that may lie anywhere. What runs SDKs is in it and is run when an export needs
 * it. @throws when esbuild is not installed or fails.
 */
export async function bundleNodeGuest(): Promise<string> {
  const { binary } = await findEsbuild();
  const { stdout } = await promisify(execFile)(binary, [basename(nodeGuestMain), ...options], {
    // Paths in the script's comments are relative to it.
    cwd: dirname(nodeGuestMain),
    env: {},
    maxBuffer: scriptBytesMax,
    timeout: timeoutMs,
  });
  return stdout;
}
