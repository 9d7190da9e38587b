// The filter of system calls for this machine, ready to be given to a launcher.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assembleFilter, type Around } from "./assemble.ts";

let filter: Buffer | undefined;

/** Undefined on a machine for which there is none. */
export function systemCallFilter(): Buffer | undefined {
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  return (filter ??= readFileSync(fileURLToPath(new URL(`./${process.arch}.bpf`, import.meta.url))));
}

/** For a sandbox around which something else stands; undefined likewise. */
export function supervisedFilter(around: Exclude<Around, "namespaces">): Buffer | undefined {
  return process.arch === "x64" || process.arch === "arm64" ? assembleFilter(process.arch, around) : undefined;
}
