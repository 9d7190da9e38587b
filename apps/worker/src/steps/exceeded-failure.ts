// Names the limit that an attempt exceeded, with its value and the setting that raises it.

import { failure, type Failure } from "@dari/domain";
import type { Exceeded, SandboxLimits } from "@dari/sandbox";

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

/** Returns the failure of an attempt that exceeded a limit of its sandbox, whatever error the agent reports. */
export function toExceededFailure(exceeded: Exceeded, limits: SandboxLimits): Failure {
  switch (exceeded) {
    case "memory":
      return failure(
        "out_of_memory",
        exceeding(`its memory limit${size(limits.memoryBytes)}`, "use less memory", "DARI_TURN_MEMORY_BYTES"),
      );
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
          : ` (${inUnits(diskBytes)} or ${diskFiles?.toLocaleString("en-US") ?? "any number of"} files)`;
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

/** `remedy`: what the agent can change. `setting`: what an operator can raise. */
function exceeding(limit: string, remedy: string, setting: string): string {
  return `the agent exceeded ${limit}; ${remedy}, or ask an operator to raise ${setting}`;
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? "" : ` (${inUnits(bytes)})`;
}

function count(processes: number | undefined): string {
  return processes === undefined ? " of processes and threads" : ` of ${processes} processes and threads`;
}

function inUnits(bytes: number): string {
  return bytes % GiB === 0 ? `${bytes / GiB} GiB` : `${Math.round(bytes / MiB)} MiB`;
}
