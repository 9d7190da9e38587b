// Reads how much memory this process may use and how much of it is free, from its control groups and the machine.

import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { dirname, join } from "node:path";

/** The memory of the machine or of a control group. */
export interface Memory {
  /** Maximum usage, in bytes. */
  readonly totalBytes: number;
  /** Still available, in bytes. Caches that the kernel can reclaim count as free. */
  readonly availableBytes: number;
}

/** Where the kernel's files are. Tests use their own. */
export interface KernelFiles {
  readonly proc: string;
  readonly cgroups: string;
}

/** The files of this machine. */
export const kernelFiles: KernelFiles = { proc: "/proc", cgroups: "/sys/fs/cgroup" };

/**
 * Returns the memory of what has the least available: the machine, or a control group (version 1 or 2) that this
 * process is in. Reads a few small files of the kernel, which takes well under a millisecond.
 */
export function readMemory(files: KernelFiles = kernelFiles): Memory {
  return listMemories(files).reduce((least, one) => (one.availableBytes < least.availableBytes ? one : least));
}

/** Returns the most that this process may use, in bytes: the smallest of the machine and its control groups. */
export function readMemoryLimit(files: KernelFiles = kernelFiles): number {
  return Math.min(...listMemories(files).map(({ totalBytes }) => totalBytes));
}

/** Returns `readMemory` with a cache of `everyMs`, because each turn reads the memory several times. */
export function createMemoryReader(everyMs: number): () => Memory {
  let seen: Memory | undefined;
  let readAt = 0;
  return () => {
    const now = performance.now();
    if (seen === undefined || now - readAt >= everyMs) {
      readAt = now;
      seen = readMemory();
    }
    return seen;
  };
}

/** Returns the memory of the machine, and of the groups with a limit from the process's own group up to the root. */
function listMemories(files: KernelFiles): Memory[] {
  const info = read(join(files.proc, "meminfo")) ?? "";
  const bytesOf = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(info)?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const kernelBytes = ["Slab", "KernelStack", "PageTables"].reduce((sum, name) => sum + (bytesOf(name) ?? 0), 0);
  const reclaimablePart = (bytesOf("SReclaimable") ?? 0) / Math.max(1, kernelBytes);
  const machine = {
    totalBytes: bytesOf("MemTotal") ?? totalmem(),
    availableBytes: bytesOf("MemAvailable") ?? freemem(),
  };
  return [
    machine,
    ...listGroupDirs("memory", files).flatMap(({ dir, version }) => {
      return readGroup(dir, groupFiles[version], reclaimablePart, machine.totalBytes) ?? [];
    }),
  ];
}

/** Returns the directories of the control groups that this process is in, from its own group up to the root. */
export function listGroupDirs(
  controller: "memory" | "cpu" | "pids",
  files: KernelFiles = kernelFiles,
): { readonly dir: string; readonly version: 1 | 2 }[] {
  const found: { dir: string; version: 1 | 2 }[] = [];
  for (const line of (read(join(files.proc, "self", "cgroup")) ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers !== "" && !controllers.split(",").includes(controller)) continue;
    const version = controllers === "" ? 2 : 1;
    const root = version === 2 ? files.cgroups : join(files.cgroups, controller);
    // In a container the path may be the host's, which does not exist here. The root is the container's own group.
    for (let at = join("/", path); ; at = dirname(at)) {
      found.push({ dir: join(root, at), version });
      if (at === "/") break;
    }
  }
  return found;
}

interface GroupFiles {
  readonly limit: string;
  readonly used: string;
  /** The fields of `memory.stat` that the kernel can reclaim. */
  readonly reclaimable: readonly string[];
  /** The file with the kernel's memory, if no field says how much of that can be reclaimed. */
  readonly kernel?: string;
}

const groupFiles: Readonly<Record<1 | 2, GroupFiles>> = {
  1: {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: ["total_active_file", "total_inactive_file"],
    kernel: "memory.kmem.usage_in_bytes",
  },
  2: {
    limit: "memory.max",
    used: "memory.current",
    reclaimable: ["active_file", "inactive_file", "slab_reclaimable"],
  },
};

/**
 * `reclaimablePart`: the part of the machine's kernel memory that can be reclaimed. Returns undefined for a group that
 * may use all of the machine's memory. Version 1 has no other word for "no limit" than a very large number.
 */
function readGroup(dir: string, names: GroupFiles, reclaimablePart: number, machineBytes: number): Memory | undefined {
  const limit = Number(read(join(dir, names.limit))?.trim());
  // The limit is "max", or there is no such file.
  if (!(limit < machineBytes)) return undefined;
  const used = Number(read(join(dir, names.used))?.trim());
  if (!Number.isFinite(used)) return undefined;
  const stat = read(join(dir, "memory.stat")) ?? "";
  const bytesOf = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0);
  const kernel = names.kernel === undefined ? 0 : Number(read(join(dir, names.kernel)) ?? 0);
  const reclaimable = names.reclaimable.reduce((sum, name) => sum + bytesOf(name), kernel * reclaimablePart);
  // The two counters are not read at the same moment.
  const held = Math.max(0, used - reclaimable);
  return { totalBytes: limit, availableBytes: Math.max(0, limit - held) };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
