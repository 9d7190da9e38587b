// The system call filter of this machine, ready for a launcher.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assembleFilter, type Architecture, type FilterProfile } from "./assemble-filter.ts";

let filter: Buffer | undefined;

/** Returns the filter of ordinary sandboxes. There is one for each architecture that has native programs. */
export function systemCallFilter(): Buffer {
  return (filter ??= readFileSync(fileURLToPath(new URL(`./${process.arch}.bpf`, import.meta.url))));
}

/** Returns the filter for a sandbox with another profile. */
export function supervisedFilter(profile: Exclude<FilterProfile, "namespaces">): Buffer {
  return assembleFilter(process.arch as Architecture, profile);
}
