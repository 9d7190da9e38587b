// Computes the resource limits of each process. Our own first program in the sandbox sets them, or util-linux's
// prlimit.

import { readFileSync } from "node:fs";
import type { SandboxLimits } from "../types.ts";

/**
 * Added to the limit of each process, so that the watcher of the whole sandbox notices and reports the excess first.
 */
const cpuSecondsBeyond = 5;

/** Returns the limit on the processor time of each process, in seconds. */
export function processCpuSeconds({ cpuSeconds }: SandboxLimits): number | undefined {
  return cpuSeconds === undefined ? undefined : cpuSeconds + cpuSecondsBeyond;
}

/** Returns the limit on the data segment of each process, in bytes. */
export function processDataBytes({ memoryBytes, reservedBytes = 0 }: SandboxLimits): number | undefined {
  return memoryBytes === undefined ? undefined : memoryBytes + reservedBytes;
}

/**
 * Limits on what the kernel counts per host user, so that one sandbox does not use up the worker's. `sigpending`:
 * queued signals and POSIX timers. `memlock`: locked shared memory, bytes. `inProc`: the limit's name in
 * /proc/self/limits.
 */
const sharesOfUser = {
  sigpending: { share: 1_024, inProc: "Max pending signals" },
  memlock: { share: 1024 * 1024, inProc: "Max locked memory" },
} as const;

let shares: Readonly<Record<keyof typeof sharesOfUser, number>> | undefined;

/** Returns the share of each limit that the kernel counts per user; at most this process's own. */
export function userLimitShares(): Readonly<Record<keyof typeof sharesOfUser, number>> {
  if (shares !== undefined) return shares;
  const text = process.platform === "linux" ? readFileSync("/proc/self/limits", "latin1") : "";
  const shareOf = ({ share, inProc }: { share: number; inProc: string }): number => {
    const hard = new RegExp(`^${inProc} +\\S+ +(\\d+)`, "m").exec(text)?.[1];
    return Math.min(share, hard === undefined ? share : Number(hard));
  };
  return (shares = { sigpending: shareOf(sharesOfUser.sigpending), memlock: shareOf(sharesOfUser.memlock) });
}

/**
 * Returns the limits of each process of a sandbox, as `limit=number`. RLIMIT_DATA limits memory: RLIMIT_AS counts
 * reserved address space, of which V8 takes gigabytes. `processes`: the value of RLIMIT_NPROC. A sandbox with its own
 * kernel shares no count with the host's users, and gVisor refuses RLIMIT_SIGPENDING.
 */
export function processLimits(
  limits: SandboxLimits,
  o: { processes: number | undefined; hasOwnKernel?: boolean },
): string[] {
  const { openFiles, fileBytes } = limits;
  const all = {
    data: processDataBytes(limits),
    nofile: openFiles,
    fsize: fileBytes,
    cpu: processCpuSeconds(limits),
    nproc: o.processes,
    ...(o.hasOwnKernel === true ? {} : userLimitShares()),
  };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return ["core=0", ...set.map(([name, value]) => `${name}=${value}`)];
}

/** Returns arguments that start `prlimit` before a program. */
export function prlimitArguments(
  prlimit: string,
  limits: SandboxLimits,
  o: { processes: number | undefined },
): string[] {
  return [prlimit, ...processLimits(limits, o).map((limit) => `--${limit}`), "--"];
}

/** For a host user, the kernel's limit is this multiple, so that the watcher notices and reports the excess first. */
const hostUserFactor = 4;

/**
 * Returns how many processes the kernel allows a sandbox by RLIMIT_NPROC; undefined if it needs no such limit. Linux
 * before 5.14 counts all sandboxes of a user together, so that hundreds of them would exceed it. So there is no such
 * limit if a control group counts the processes of each sandbox (`isBounded`).
 */
export function countProcessesOfUser(
  { processes }: SandboxLimits,
  { hostUser, isBounded = false }: { readonly hostUser?: number | undefined; readonly isBounded?: boolean },
): number | undefined {
  if (processes === undefined || isBounded) return undefined;
  if (hostUser !== undefined) return processes * hostUserFactor;
  return isHostRoot() ? undefined : processes;
}

/** Returns whether this process is root on the host, which the kernel exempts from RLIMIT_NPROC. */
export function isHostRoot(): boolean {
  return process.geteuid?.() === 0;
}
