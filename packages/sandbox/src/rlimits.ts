// Resource limits by way of util-linux's prlimit, which sets them and becomes the program.

import type { SandboxLimits } from "./types.ts";

/**
 * Arguments that start `prlimit` in front of a program. RLIMIT_DATA bounds memory: RLIMIT_AS counts reserved address
 * space, of which V8 takes gigabytes. RLIMIT_NPROC only where it counts this sandbox alone.
 */
export function prlimitArguments(prlimit: string, limits: SandboxLimits, o: { countsProcesses: boolean }): string[] {
  const flags = ["--core=0"];
  if (limits.memoryBytes !== undefined) flags.push(`--data=${limits.memoryBytes}`);
  if (limits.openFiles !== undefined) flags.push(`--nofile=${limits.openFiles}`);
  if (limits.fileBytes !== undefined) flags.push(`--fsize=${limits.fileBytes}`);
  if (limits.cpuSeconds !== undefined) flags.push(`--cpu=${limits.cpuSeconds}`);
  if (limits.processes !== undefined && o.countsProcesses) flags.push(`--nproc=${limits.processes}`);
  return [prlimit, ...flags, "--"];
}

/** The kernel exempts host root from RLIMIT_NPROC, in a user namespace too. */
export function isHostRoot(): boolean {
  return process.geteuid?.() === 0;
}
