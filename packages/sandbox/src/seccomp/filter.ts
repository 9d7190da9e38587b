// The filter of system calls for this machine, ready to be given to a launcher.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assembleFilter, type FilterProfile } from "./assemble.ts";

let filter: Buffer | undefined;

/** Undefined on a machine for which there is none. */
export function systemCallFilter(): Buffer | undefined {
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  return (filter ??= readFileSync(fileURLToPath(new URL(`./${process.arch}.bpf`, import.meta.url))));
}

/** Returns the filter for a sandbox with another profile; undefined likewise. */
export function supervisedFilter(profile: Exclude<FilterProfile, "namespaces">): Buffer | undefined {
  return process.arch === "x64" || process.arch === "arm64" ? assembleFilter(process.arch, profile) : undefined;
}
