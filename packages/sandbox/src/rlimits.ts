// Resource limits of each process: set by our own first program, or by util-linux's prlimit, which becomes the program.

import type { SandboxLimits } from "./types.ts";

/** Beyond the bound, so that what counts the sandbox as a whole is the first to see it and says so. */
const cpuSecondsBeyond = 5;

/** Processor time of each process. */
export function processCpuSeconds({ cpuSeconds }: SandboxLimits): number | undefined {
  return cpuSeconds === undefined ? undefined : cpuSeconds + cpuSecondsBeyond;
}

/**
 * What each process of a sandbox may have, as `limit=number`. RLIMIT_DATA bounds memory: RLIMIT_AS counts reserved
 * address space, of which V8 takes gigabytes. RLIMIT_NPROC only where it counts this sandbox alone.
 */
export function processLimits(limits: SandboxLimits, o: { countsProcesses: boolean }): string[] {
  const { memoryBytes, openFiles, fileBytes } = limits;
  const processes = o.countsProcesses ? limits.processes : undefined;
  const all = {
    data: memoryBytes,
    nofile: openFiles,
    fsize: fileBytes,
    cpu: processCpuSeconds(limits),
    nproc: processes,
  };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return ["core=0", ...set.map(([name, value]) => `${name}=${value}`)];
}

/** Arguments that start `prlimit` in front of a program. */
export function prlimitArguments(prlimit: string, limits: SandboxLimits, o: { countsProcesses: boolean }): string[] {
  return [prlimit, ...processLimits(limits, o).map((limit) => `--${limit}`), "--"];
}

/** The kernel exempts host root from RLIMIT_NPROC, in a user namespace too. */
export function isHostRoot(): boolean {
  return process.geteuid?.() === 0;
}
