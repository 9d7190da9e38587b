// The filter of system calls for this machine, ready to be given to a launcher.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

let filter: Buffer | undefined;

/** Undefined on a machine for which there is none. */
export function systemCallFilter(): Buffer | undefined {
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  return (filter ??= readFileSync(fileURLToPath(new URL(`./${process.arch}.bpf`, import.meta.url))));
}
