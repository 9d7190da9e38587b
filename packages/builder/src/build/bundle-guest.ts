// Builds the guest of Node agents as one script, which starts sooner than a dozen modules. Reads only the platform's
// own code, so it needs no sandbox.

import { execFile } from "node:child_process";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { nodeGuestMain } from "@dari/harness";
import { findEsbuild } from "./find-esbuild.ts";

const scriptBytesMax = 4 * 1024 ** 2;
const timeoutMs = 30_000;

/** Makes the script strict, like the modules, and removes it as main module, which agents could notice. */
const banner = '"use strict"; delete process.mainModule; delete require.cache[__filename];';

const options = [
  "--bundle",
  "--format=cjs",
  "--platform=node",
  // The oldest version that agents can use.
  "--target=node20",
  // The guest passes it to `createRequire`, which also accepts a file's path.
  "--define:import.meta.url=__filename",
  `--banner:js=${banner}`,
  "--charset=utf8",
  "--log-level=error",
];

/**
 * Returns a CommonJS script without source map that works anywhere. Contains the runners of SDKs, which run only if an
 * export needs them. @throws if esbuild is not installed or fails
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
