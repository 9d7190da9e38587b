// Control groups of version 1 or 2, if this process may create them: they limit a whole sandbox, and show which limit
// was exceeded.

import { mkdir, readdir, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { leaveRootGroup } from "./leave-root-group.ts";
import { isOrphanName, createOwnedName, readKernelFile } from "../processes/read-proc.ts";
import type { SandboxLimits } from "../types.ts";

/** The directories in which groups are created, one per kind of limit. In version 2 they are the same. */
export interface ControlGroupDirs {
  readonly version: 1 | 2;
  readonly memory: string | undefined;
  readonly processes: string | undefined;
  /** For limits and shares of processor time. */
  readonly cpu: string | undefined;
  /** For counting processor time. */
  readonly cpuUse: string | undefined;
}

/** A step that prepares a group for a program, or moves the program into it, as in steps.h of @dari/native. */
export type GroupStep =
  | readonly ["make", dir: string]
  | readonly ["set" | "try", file: string, text: string]
  /** The file of the group's members. Processes that a member starts later also belong to the group. */
  | readonly ["enter", file: string];

export interface ControlGroup {
  readonly steps: readonly GroupStep[];
  /** Returns the limit that was exceeded so far, if any. */
  exceeded(): "memory" | "processes" | undefined;
  /** Returns how many processes and threads were refused so far. */
  refusedProcesses(): number;
  /** Returns the memory in use, in bytes, without caches of files. Undefined if the group does not count memory. */
  memoryBytes(): number | undefined;
  /** Returns the highest memory usage so far, in bytes. */
  peakMemoryBytes(): number | undefined;
  /** Returns the processor time of all current and former processes of the group, in seconds. */
  cpuSeconds(): number | undefined;
  /** Removes the group. Call it once no process in the group is alive. Never rejects. */
  remove(): Promise<void>;
}

const files = {
  1: {
    // The file of threads. Moving a single-threaded process by this file does not have to wait.
    members: "tasks",
    memory: "memory.limit_in_bytes",
    memoryAndSwap: ["memory.memsw.limit_in_bytes", undefined],
    memoryEvents: "memory.oom_control",
    used: "memory.usage_in_bytes",
    fileCaches: ["total_active_file", "total_inactive_file"],
    peak: "memory.max_usage_in_bytes",
    cpuShare: ["cpu.shares", "512"],
  },
  2: {
    members: "cgroup.procs",
    memory: "memory.max",
    memoryAndSwap: ["memory.swap.max", "0"],
    memoryEvents: "memory.events",
    used: "memory.current",
    fileCaches: ["active_file", "inactive_file"],
    peak: "memory.peak",
    cpuShare: ["cpu.weight", "50"],
  },
} as const;
/**
 * The sandboxes of all workers that create their groups in the same place are in this group. The kernel gives it the
 * processor share of one other service beside it, and divides that equally among the sandboxes.
 */
const sharedName = "dari-sandboxes";
/** The period of a processor time quota, in microseconds. */
const cpuPeriodUs = 100_000;

/** The launcher's own processes in the group: bubblewrap outside and inside, and the program that sets limits. */
const launcherProcesses = 4;
const removeWithinMs = 10_000;
/** The longest pause between two attempts to remove a group, in milliseconds. */
const removePauseMaxMs = 50;

/** Finds the directories in which this process can create groups. Returns undefined if it can create none. */
export async function findControlGroupDirs(): Promise<ControlGroupDirs | undefined> {
  const [own, mounts] = [readOrEmpty("/proc/self/cgroup"), readOrEmpty("/proc/self/mountinfo")];
  const places = (await placesOfVersion2(own, mounts)) ?? (await placesOfVersion1(own, mounts));
  if (places === undefined) return undefined;
  for (const place of dirsOf(places, (dir) => dir)) {
    await sweep(place);
    // Earlier versions created their groups there.
    if (basename(place) === sharedName) await sweep(dirname(place));
  }
  return places;
}

/** Returns whether groups in these directories limit the memory and processes of a whole sandbox. */
export function canBoundTree(groups: ControlGroupDirs | undefined): boolean {
  return groups?.memory !== undefined && groups.processes !== undefined;
}

/**
 * Returns the directories to try, best first. If a group cannot be entered, the sandbox must still start without it.
 */
export function groupCandidates(groups: ControlGroupDirs | undefined): readonly (ControlGroupDirs | undefined)[] {
  if (groups === undefined) return [undefined];
  const withoutCpu = { ...groups, cpu: undefined, cpuUse: groups.version === 2 ? groups.cpuUse : undefined };
  return groups.cpu === undefined && groups.cpuUse === withoutCpu.cpuUse
    ? [groups, undefined]
    : [groups, withoutCpu, undefined];
}

/**
 * Plans a group. The group exists once its steps have been run. `remove` also works if only some of the steps were run.
 */
export function planControlGroup(places: ControlGroupDirs, limits: SandboxLimits): ControlGroup {
  const name = createOwnedName();
  const names = files[places.version];
  const below = (place: string): string => join(place, name);
  const [memory, processes, cpu, cpuUse] = [places.memory, places.processes, places.cpu, places.cpuUse].map((place) =>
    place === undefined ? undefined : below(place),
  );
  const dirs = dirsOf(places, below);
  const refusedProcesses = (): number =>
    processes === undefined ? 0 : countIn(readOrEmpty(join(processes, "pids.events")), "max");
  return {
    steps: [
      ...dirs.map((dir) => ["make", dir] as const),
      ...(memory === undefined ? [] : memoryBounds(memory, places.version, limits.memoryBytes)),
      ...(processes === undefined ? [] : processBounds(processes, limits.processes)),
      ...(cpu === undefined ? [] : cpuBounds(cpu, places.version, limits.cpus)),
      ...dirs.map((dir) => ["enter", join(dir, names.members)] as const),
    ],
    exceeded() {
      if (memory !== undefined && countIn(readOrEmpty(join(memory, names.memoryEvents)), "oom_kill") > 0) {
        return "memory";
      }
      return refusedProcesses() > 0 ? "processes" : undefined;
    },
    refusedProcesses,
    memoryBytes() {
      const used = memory === undefined ? "" : readOrEmpty(join(memory, names.used));
      if (memory === undefined || used === "") return undefined;
      const stat = readOrEmpty(join(memory, "memory.stat"));
      return names.fileCaches.reduce((bytes, name) => bytes - countIn(stat, name), Number(used));
    },
    peakMemoryBytes() {
      const text = memory === undefined ? "" : readOrEmpty(join(memory, names.peak));
      return text === "" ? undefined : Number(text);
    },
    cpuSeconds() {
      if (cpuUse === undefined) return undefined;
      const text = readOrEmpty(join(cpuUse, places.version === 2 ? "cpu.stat" : "cpuacct.usage"));
      if (text === "") return undefined;
      return places.version === 2 ? countIn(text, "usage_usec") / 1e6 : Number(text) / 1e9;
    },
    async remove() {
      for (const dir of dirs) await removeGroup(dir);
    },
  };
}

function dirsOf(places: ControlGroupDirs, dirOf: (place: string) => string): string[] {
  const { memory, processes, cpu, cpuUse } = places;
  return [...new Set([memory, processes, cpu, cpuUse])].filter((place) => place !== undefined).map(dirOf);
}

function memoryBounds(dir: string, version: 1 | 2, limit: number | undefined): GroupStep[] {
  if (limit === undefined) return [];
  const names = files[version];
  const [swapFile, swap = String(limit)] = names.memoryAndSwap;
  // Swap is limited if the kernel counts it.
  return [
    ["set", join(dir, names.memory), String(limit)],
    ["try", join(dir, swapFile), swap],
  ];
}

function processBounds(dir: string, limit: number | undefined): GroupStep[] {
  return limit === undefined ? [] : [["set", join(dir, "pids.max"), String(limit + launcherProcesses)]];
}

/**
 * Returns the steps that limit processor time. Each sandbox has the same share, whatever the number of its processes.
 * Outside the shared group it is half the share of another service. Between groups, the priority of processes has no
 * effect.
 */
function cpuBounds(dir: string, version: 1 | 2, cpus: number | undefined): GroupStep[] {
  const share: GroupStep = ["set", join(dir, files[version].cpuShare[0]), files[version].cpuShare[1]];
  if (cpus === undefined) return [share];
  const quotaUs = String(Math.round(cpus * cpuPeriodUs));
  if (version === 2) return [share, ["set", join(dir, "cpu.max"), `${quotaUs} ${cpuPeriodUs}`]];
  const period: GroupStep = ["set", join(dir, "cpu.cfs_period_us"), String(cpuPeriodUs)];
  return [share, period, ["set", join(dir, "cpu.cfs_quota_us"), quotaUs]];
}

/** Removes a group. Asynchronous, because the kernel may be moving another process between groups, and retried. */
async function removeGroup(dir: string): Promise<void> {
  const deadline = performance.now() + removeWithinMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, removePauseMaxMs)) {
    const code = await rmdir(dir).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code !== "EBUSY" || performance.now() > deadline) return;
    await delay(pauseMs);
  }
}

/** Kills all processes in groups of a dead worker, and removes these groups. */
async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    if (!isOrphanName(name)) continue;
    // A process that this pid namespace does not have is listed as 0. As a pid, 0 is this process's own group.
    const members = readOrEmpty(join(place, name, "cgroup.procs"))
      .split("\n")
      .map(Number)
      .filter(Boolean);
    for (const pid of members) killQuietly(pid);
    await (members.length > 0 ? removeGroup(join(place, name)) : rmdir(join(place, name)).catch(ignore));
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended.
  }
}

async function placesOfVersion1(own: string, mounts: string): Promise<ControlGroupDirs | undefined> {
  const placeOf = async (controller: string): Promise<string | undefined> => {
    const path = own
      .split("\n")
      .map((line) => line.split(":"))
      .find((fields) => fields[1]?.split(",").includes(controller))?.[2];
    const mount = mounts
      .split("\n")
      .find((line) => / - cgroup /.test(line) && line.split(" ").at(-1)!.split(",").includes(controller));
    const root = mount?.split(" ")[4];
    if (root === undefined || path === undefined) return undefined;
    return firstUsable([join(root, path), root]);
  };
  const [memory, processes] = [await placeOf("memory"), await placeOf("pids")];
  const [cpu, cpuUse] = [await placeOf("cpu"), await placeOf("cpuacct")];
  const shared = cpu === undefined ? undefined : await openSharedGroup(cpu);
  // What is mounted together has one tree of groups.
  const inShared = (place: string | undefined): string | undefined => (place === cpu ? shared : place);
  const places = {
    version: 1,
    memory: inShared(memory),
    processes: inShared(processes),
    cpu: shared,
    cpuUse: inShared(cpuUse),
  } as const;
  return dirsOf(places, (dir) => dir).length === 0 ? undefined : places;
}

/**
 * Returns the group below `place` that all sandboxes share, or `place` if it cannot be used. `controllers`: those that
 * it must delegate, for version 2.
 */
export async function openSharedGroup(place: string, controllers: readonly string[] = []): Promise<string> {
  const dir = join(place, sharedName);
  // If this fails, the group exists already, or cannot be created.
  await mkdir(dir).catch(ignore);
  const control = join(dir, "cgroup.subtree_control");
  for (const name of controllers) await writeFile(control, `+${name}`).catch(ignore);
  const delegated = controllers.length === 0 ? [] : readOrEmpty(control).trim().split(" ");
  if (controllers.some((name) => !delegated.includes(name))) return place;
  return (await firstUsable([dir])) ?? place;
}

/**
 * Finds the directory for version 2. A group with processes in it cannot delegate controllers. So groups are created in
 * this process's own group if that is the root, otherwise in the group above it, which service managers delegate.
 */
async function placesOfVersion2(own: string, mounts: string): Promise<ControlGroupDirs | undefined> {
  const path = /^0::(.*)$/m.exec(own)?.[1];
  const root = findCgroup2Mount(mounts);
  if (path === undefined || root === undefined) return undefined;
  if (path === "/") await leaveRootGroup(root);
  for (const dir of new Set([join(root, path), dirname(join(root, path))])) {
    if (!dir.startsWith(root)) continue;
    const control = join(dir, "cgroup.subtree_control");
    await writeFile(control, "+memory +pids").catch(ignore);
    await writeFile(control, "+cpu").catch(ignore);
    const delegated = readOrEmpty(control).trim().split(" ");
    if (!delegated.includes("memory") || !delegated.includes("pids")) continue;
    if ((await firstUsable([dir])) === undefined) continue;
    if (!delegated.includes("cpu")) return { version: 2, memory: dir, processes: dir, cpu: undefined, cpuUse: dir };
    const place = await openSharedGroup(dir, ["memory", "pids", "cpu"]);
    return { version: 2, memory: place, processes: place, cpu: place, cpuUse: place };
  }
  return undefined;
}

/** Returns where version 2 is mounted, from a text like /proc/self/mountinfo. */
export function findCgroup2Mount(mounts: string): string | undefined {
  const mount = mounts.split("\n").find((line) => line.includes(" - cgroup2 "));
  return mount?.split(" ")[4];
}

/** Returns the first directory in which a group can be created. */
async function firstUsable(dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const trial = join(dir, createOwnedName());
    const made = await mkdir(trial).then(
      () => true,
      () => false,
    );
    if (!made) continue;
    await removeGroup(trial);
    return dir;
  }
  return undefined;
}

/** Returns the number of a line such as `oom_kill 3`. */
function countIn(text: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

function readOrEmpty(path: string): string {
  return readKernelFile(path) ?? "";
}

function ignore(): void {}
