// Names the limit that an attempt exceeded, with its value.

import { failure, type Failure } from "@dari/domain";
import type { Exceeded, SandboxLimits } from "@dari/sandbox";

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

/** Returns the failure of an attempt that exceeded a limit of its sandbox, whatever error the agent reports. */
export function toExceededFailure(exceeded: Exceeded, limits: SandboxLimits): Failure {
  switch (exceeded) {
    case "memory":
      return failure("out_of_memory", `the agent exceeded its memory limit${size(limits.memoryBytes)}`);
    case "processes":
      return failure("too_many_processes", `the agent exceeded its limit${count(limits.processes)}`);
    case "disk": {
      const { diskBytes, diskFiles } = limits;
      const bound = diskBytes === undefined ? "" : ` (${inUnits(diskBytes)} or ${diskFiles ?? "any number of"} files)`;
      return failure("disk_full", `the agent exceeded its disk limit${bound}`);
    }
    case "tmp":
      return failure("disk_full", `the agent exceeded the limit of /tmp${size(limits.tmpBytes)}`);
    case "cpu": {
      const bound = limits.cpuSeconds === undefined ? "" : ` (${limits.cpuSeconds} s)`;
      return failure("cpu_limit", `the agent exceeded its limit of processor time${bound}`);
    }
  }
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
