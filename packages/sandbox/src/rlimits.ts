// Resource limits of each process: set by our own first program, or by util-linux's prlimit, which becomes the program.

import { readFileSync } from "node:fs";
import type { SandboxLimits } from "./types.ts";

/** Beyond the bound, so that what counts the sandbox as a whole is the first to see it and says so. */
const cpuSecondsBeyond = 5;

/** Processor time of each process. */
export function processCpuSeconds({ cpuSeconds }: SandboxLimits): number | undefined {
  return cpuSeconds === undefined ? undefined : cpuSeconds + cpuSecondsBeyond;
}

/**
 * Bounds on what the kernel counts by host user, so that one sandbox does not use up the worker's. `sigpending`: queued
 * signals and POSIX timers. `memlock`: locked shared memory, bytes. `inProc`: the bound's name in /proc/self/limits.
 */
const sharesOfUser = {
  sigpending: { share: 1_024, inProc: "Max pending signals" },
  memlock: { share: 1024 * 1024, inProc: "Max locked memory" },
} as const;

let shares: Readonly<Record<keyof typeof sharesOfUser, number>> | undefined;

/** The share of each bound that the kernel counts by user; at most what this process has. */
export function userShares(): Readonly<Record<keyof typeof sharesOfUser, number>> {
  if (shares !== undefined) return shares;
  const text = process.platform === "linux" ? readFileSync("/proc/self/limits", "latin1") : "";
  const shareOf = ({ share, inProc }: { share: number; inProc: string }): number => {
    const hard = new RegExp(`^${inProc} +\\S+ +(\\d+)`, "m").exec(text)?.[1];
    return Math.min(share, hard === undefined ? share : Number(hard));
  };
  return (shares = { sigpending: shareOf(sharesOfUser.sigpending), memlock: shareOf(sharesOfUser.memlock) });
}

/**
 * What each process of a sandbox may have, as `limit=number`. RLIMIT_DATA bounds memory: RLIMIT_AS counts reserved
 * address space, of which V8 takes gigabytes. `processes`: the value of RLIMIT_NPROC. A sandbox with a kernel of its
 * own shares no count with the host's users, and gVisor refuses RLIMIT_SIGPENDING.
 */
export function processLimits(
  limits: SandboxLimits,
  o: { processes: number | undefined; hasOwnKernel?: boolean },
): string[] {
  const { memoryBytes, openFiles, fileBytes } = limits;
  const all = {
    data: memoryBytes,
    nofile: openFiles,
    fsize: fileBytes,
    cpu: processCpuSeconds(limits),
    nproc: o.processes,
    ...(o.hasOwnKernel === true ? {} : userShares()),
  };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return ["core=0", ...set.map(([name, value]) => `${name}=${value}`)];
}

/** Arguments that start `prlimit` in front of a program. */
export function prlimitArguments(
  prlimit: string,
  limits: SandboxLimits,
  o: { processes: number | undefined },
): string[] {
  return [prlimit, ...processLimits(limits, o).map((limit) => `--${limit}`), "--"];
}

/** For a host user the kernel refuses only here: the watch must see first that the bound was passed. */
const hostUserFactor = 4;

/**
 * How many processes the kernel lets a sandbox have by RLIMIT_NPROC, which it counts by user and namespace; undefined:
 * it does not count them.
 */
export function processesOfUser({ processes }: SandboxLimits, hostUser: number | undefined): number | undefined {
  if (processes === undefined) return undefined;
  if (hostUser !== undefined) return processes * hostUserFactor;
  return isHostRoot() ? undefined : processes;
}

/** The kernel exempts host root from RLIMIT_NPROC, in a user namespace too. */
export function isHostRoot(): boolean {
  return process.geteuid?.() === 0;
}
