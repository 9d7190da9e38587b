// Control groups, version 1 or 2, if this process may create some: limits on a whole sandbox, and which were exceeded.

import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { leaveRootGroup } from "./leave-root-group.ts";
import { isOrphanName, createOwnedName } from "./proc.ts";
import type { SandboxLimits } from "./types.ts";

/** Where groups are created: one directory per kind of limit. In version 2 they are the same. */
export interface ControlGroupDirs {
  readonly version: 1 | 2;
  readonly memory: string | undefined;
  readonly processes: string | undefined;
  /** Limits, shares and counts processor time. */
  readonly cpu: string | undefined;
  readonly cpuUse: string | undefined;
}

/** A step for a group before a program starts in it, as in steps.h of @dari/native. */
export type GroupStep =
  | readonly ["make", dir: string]
  | readonly ["set" | "try", file: string, text: string]
  /** The file of its members. Processes that a member starts later also belong to it. */
  | readonly ["enter", file: string];

export interface ControlGroup {
  readonly steps: readonly GroupStep[];
  /** Returns the limit that was exceeded so far. */
  exceeded(): Promise<"memory" | "processes" | undefined>;
  /** Returns how many processes and threads were refused so far. */
  refusedProcesses(): Promise<number>;
  /** Returns the highest usage so far, in bytes. */
  peakMemoryBytes(): Promise<number | undefined>;
  /** Returns the processor time of all its current and former processes. */
  cpuSeconds(): Promise<number | undefined>;
  /** Call it once no process is alive in it. Never rejects. */
  remove(): Promise<void>;
}

const files = {
  1: {
    // The file of threads: moving a single-threaded process there does not need to wait.
    members: "tasks",
    memory: "memory.limit_in_bytes",
    memoryAndSwap: ["memory.memsw.limit_in_bytes", undefined],
    memoryEvents: "memory.oom_control",
    peak: "memory.max_usage_in_bytes",
    cpuShare: ["cpu.shares", "512"],
  },
  2: {
    members: "cgroup.procs",
    memory: "memory.max",
    memoryAndSwap: ["memory.swap.max", "0"],
    memoryEvents: "memory.events",
    peak: "memory.peak",
    cpuShare: ["cpu.weight", "50"],
  },
} as const;
/** The period of a processor time quota. */
const cpuPeriodUs = 100_000;

/** The launcher's own processes in the group: bubblewrap outside and inside, and the program that sets limits. */
const launcherProcesses = 4;
const removeWithinMs = 10_000;
const removeRestMaxMs = 50;

/** Returns undefined if no group with any limit can be created. */
export async function findControlGroupDirs(): Promise<ControlGroupDirs | undefined> {
  const [own, mounts] = await Promise.all([readOrEmpty("/proc/self/cgroup"), readOrEmpty("/proc/self/mountinfo")]);
  const places = (await placesOfVersion2(own, mounts)) ?? (await placesOfVersion1(own, mounts));
  if (places === undefined) return undefined;
  for (const place of dirsOf(places, (dir) => dir)) await sweep(place);
  return places;
}

/** Returns whether they limit memory and processes of a whole sandbox. */
export function canBoundTree(groups: ControlGroupDirs | undefined): boolean {
  return groups?.memory !== undefined && groups.processes !== undefined;
}

/** Returns what to try, best first: a group that cannot be entered must not prevent a sandbox. */
export function groupCandidates(groups: ControlGroupDirs | undefined): readonly (ControlGroupDirs | undefined)[] {
  if (groups === undefined) return [undefined];
  const withoutCpu = { ...groups, cpu: undefined, cpuUse: groups.version === 2 ? groups.cpuUse : undefined };
  return groups.cpu === undefined && groups.cpuUse === withoutCpu.cpuUse
    ? [groups, undefined]
    : [groups, withoutCpu, undefined];
}

/** Nothing exists before its steps are run. `remove` also removes what some of the steps have created. */
export function planControlGroup(places: ControlGroupDirs, limits: SandboxLimits): ControlGroup {
  const name = createOwnedName();
  const names = files[places.version];
  const below = (place: string): string => join(place, name);
  const [memory, processes, cpu, cpuUse] = [places.memory, places.processes, places.cpu, places.cpuUse].map((place) =>
    place === undefined ? undefined : below(place),
  );
  const dirs = dirsOf(places, below);
  const refusedProcesses = async (): Promise<number> =>
    processes === undefined ? 0 : countIn(await readOrEmpty(join(processes, "pids.events")), "max");
  return {
    steps: [
      ...dirs.map((dir) => ["make", dir] as const),
      ...(memory === undefined ? [] : memoryBounds(memory, places.version, limits.memoryBytes)),
      ...(processes === undefined ? [] : processBounds(processes, limits.processes)),
      ...(cpu === undefined ? [] : cpuBounds(cpu, places.version, limits.cpus)),
      ...dirs.map((dir) => ["enter", join(dir, names.members)] as const),
    ],
    async exceeded() {
      if (memory !== undefined && countIn(await readOrEmpty(join(memory, names.memoryEvents)), "oom_kill") > 0) {
        return "memory";
      }
      return (await refusedProcesses()) > 0 ? "processes" : undefined;
    },
    refusedProcesses,
    async peakMemoryBytes() {
      const text = memory === undefined ? "" : await readOrEmpty(join(memory, names.peak));
      return text === "" ? undefined : Number(text);
    },
    async cpuSeconds() {
      if (cpuUse === undefined) return undefined;
      if (places.version === 2) return countIn(await readOrEmpty(join(cpuUse, "cpu.stat")), "usage_usec") / 1e6;
      const text = await readOrEmpty(join(cpuUse, "cpuacct.usage"));
      return text === "" ? undefined : Number(text) / 1e9;
    },
    remove: async () => void (await Promise.all(dirs.map(removeGroup))),
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
 * Each sandbox has the same share, however many processes it has, and half the share of a service beside it: between
 * groups, the priority of processes has no effect.
 */
function cpuBounds(dir: string, version: 1 | 2, cpus: number | undefined): GroupStep[] {
  const share: GroupStep = ["set", join(dir, files[version].cpuShare[0]), files[version].cpuShare[1]];
  if (cpus === undefined) return [share];
  const quotaUs = String(Math.round(cpus * cpuPeriodUs));
  if (version === 2) return [share, ["set", join(dir, "cpu.max"), `${quotaUs} ${cpuPeriodUs}`]];
  const period: GroupStep = ["set", join(dir, "cpu.cfs_period_us"), String(cpuPeriodUs)];
  return [share, period, ["set", join(dir, "cpu.cfs_quota_us"), quotaUs]];
}

/** Removes a group. The kernel frees it only a moment after its last process has died, so this retries. */
async function removeGroup(dir: string): Promise<void> {
  const deadline = performance.now() + removeWithinMs;
  for (let restMs = 1; ; restMs = Math.min(2 * restMs, removeRestMaxMs)) {
    const code = await rmdir(dir).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code !== "EBUSY" || performance.now() > deadline) return;
    await delay(restMs);
  }
}

/** Kills what runs in groups of a dead process, and removes them. */
async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    if (!(await isOrphanName(name))) continue;
    const members = (await readOrEmpty(join(place, name, "cgroup.procs"))).split("\n").filter(Boolean);
    for (const pid of members) killQuietly(Number(pid));
    await (members.length > 0 ? removeGroup(join(place, name)) : rmdir(join(place, name)).catch(ignore));
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
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
  const places = { version: 1, memory, processes, cpu, cpuUse } as const;
  return dirsOf(places, (dir) => dir).length === 0 ? undefined : places;
}

/**
 * A group with processes in it cannot delegate controllers. So groups are created in this process's own group if that
 * is the root, otherwise in the one above it, as service managers delegate it.
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
    const handedOn = (await readOrEmpty(control)).trim().split(" ");
    if (!handedOn.includes("memory") || !handedOn.includes("pids")) continue;
    const place = await firstUsable([dir]);
    const cpu = handedOn.includes("cpu") ? place : undefined;
    if (place !== undefined) return { version: 2, memory: place, processes: place, cpu, cpuUse: place };
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

/** `oom_kill 3` → 3. */
function countIn(text: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

async function readOrEmpty(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => "");
}

function ignore(): void {}
