// Names the limit that an attempt exceeded, with its value and the setting that raises it.

import { failure, retryAdvice, showMemorySize, type Failure } from "@dari/domain";
import type { Exceeded, SandboxLimits, SandboxUsage } from "@dari/sandbox";
import type { MemoryBound } from "@dari/sandbox-pool";

/** A sandbox that used less than this part of its memory limit at its peak did not exceed it. */
const atLimitPart = 0.9;

/** Returns the failure of an attempt that exceeded a limit of its sandbox, whatever error the agent reports. */
export function toExceededFailure(exceeded: Exceeded, limits: SandboxLimits, most: MemoryBound): Failure {
  switch (exceeded) {
    case "memory":
      return failure("out_of_memory", memoryExceeded(limits.memoryBytes, most));
    case "processes":
      return failure(
        "too_many_processes",
        exceeding(`its limit${count(limits.processes)}`, "start fewer processes and threads", "DARI_TURN_PROCESSES"),
      );
    case "disk": {
      const { diskBytes, diskFiles } = limits;
      const bound =
        diskBytes === undefined
          ? ""
          : ` (${showMemorySize(diskBytes)} or ${diskFiles?.toLocaleString("en-US") ?? "any number of"} files)`;
      return failure(
        "disk_full",
        exceeding(`its disk limit${bound}`, "delete temporary files", "DARI_TURN_DISK_BYTES"),
      );
    }
    case "tmp":
      return failure(
        "disk_full",
        `the agent exceeded the limit of /tmp${size(limits.tmpBytes)}; write large files to the workspace`,
      );
    case "cpu": {
      const bound = limits.cpuSeconds === undefined ? "" : ` (${limits.cpuSeconds} s)`;
      return failure(
        "cpu_limit",
        exceeding(
          `its limit of processor time${bound}`,
          "split the work into several messages",
          "DARI_TURN_CPU_SECONDS",
        ),
      );
    }
  }
}

/**
 * Returns whether the kernel ended a process of the sandbox although the sandbox kept its own memory limit, because the
 * machine, or a control group of the worker, had no memory left.
 */
export function wasEndedByMachine(
  { exceeded, peakMemoryBytes }: Pick<SandboxUsage, "exceeded" | "peakMemoryBytes">,
  { memoryBytes = Infinity }: Pick<SandboxLimits, "memoryBytes">,
): boolean {
  return exceeded === "memory" && peakMemoryBytes !== undefined && peakMemoryBytes < atLimitPart * memoryBytes;
}

/**
 * Returns the failure of a turn that ended because the worker had no memory left, although the turn kept its limit. The
 * worker lost it; the agent is not at fault.
 */
export function toShortageFailure(heldBytes: number): Failure {
  return failure(
    "worker_lost",
    `the worker had no memory left, and ended this turn, which held ${showMemorySize(heldBytes)} and kept its limit; ` +
      `${retryAdvice}; an operator can give the worker more memory`,
  );
}

/** Adds the limit to an agent's own report that it lacks memory. Other failures stay as they are. */
export function withMemoryLimit(found: Failure, { memoryBytes }: SandboxLimits, most: MemoryBound): Failure {
  if (found.code !== "out_of_memory" || memoryBytes === undefined) return found;
  const raise =
    memoryBytes < most.bytes
      ? `raise runtime.memory in dari.yml, up to ${showMemorySize(most.bytes)} here`
      : `ask an operator to raise ${most.setting}`;
  return failure(found.code, `${found.message}\nThe turn's memory limit is ${showMemorySize(memoryBytes)}; ${raise}.`);
}

/** Within the bound, the agent's author can raise the limit. */
function memoryExceeded(bytes: number | undefined, most: MemoryBound): string {
  const limit = `its memory limit${size(bytes)}`;
  if (bytes === undefined || bytes >= most.bytes) return exceeding(limit, "use less memory", most.setting);
  const raise = `raise runtime.memory in dari.yml, up to ${showMemorySize(most.bytes)} here`;
  return `the agent exceeded ${limit}; use less memory, or ${raise}`;
}

/** `remedy`: what the agent can change. `setting`: what an operator can raise. */
function exceeding(limit: string, remedy: string, setting: string): string {
  return `the agent exceeded ${limit}; ${remedy}, or ask an operator to raise ${setting}`;
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? "" : ` (${showMemorySize(bytes)})`;
}

function count(processes: number | undefined): string {
  return processes === undefined ? " of processes and threads" : ` of ${processes} processes and threads`;
}
