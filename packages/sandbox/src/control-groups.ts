// Control groups, version 1 or 2, where this process may make some: bounds on a sandbox as a whole, and what was hit.

import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { leaveRootGroup } from "./leave-root-group.ts";
import { isLeftBehind, ownName } from "./proc.ts";
import type { SandboxLimits } from "./types.ts";

/** Where groups are made: one directory for each thing that can be bounded. In version 2 they are the same. */
export interface GroupPlaces {
  readonly version: 1 | 2;
  readonly memory: string | undefined;
  readonly processes: string | undefined;
  /** What bounds and shares out processor time, and what counts it. */
  readonly cpu: string | undefined;
  readonly cpuUse: string | undefined;
}

/** What is done for a group before a program starts in it, in the words of steps.h of @dari/native. */
export type GroupStep =
  | readonly ["make", dir: string]
  | readonly ["set" | "try", file: string, text: string]
  /** The list of its members; what a member starts later is in, too. */
  | readonly ["enter", file: string];

export interface ControlGroup {
  readonly steps: readonly GroupStep[];
  /** Which bound was hit so far. */
  exceeded(): Promise<"memory" | "processes" | undefined>;
  /** How many processes and threads it was refused so far. */
  refusedProcesses(): Promise<number>;
  /** Highest use so far, bytes. */
  peakMemoryBytes(): Promise<number | undefined>;
  /** Processor time of everything that is or was in it. */
  cpuSeconds(): Promise<number | undefined>;
  /** Once nothing is alive in it. Never rejects. */
  remove(): Promise<void>;
}

const files = {
  1: {
    // The list of threads: a process with one thread that moves itself there need not wait.
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
/** Over which a quota of processor time is reckoned. */
const cpuPeriodUs = 100_000;

/** The launcher's own processes, which are in the group: bubblewrap outside and inside, and what sets limits. */
const launcherProcesses = 4;
const removeWithinMs = 10_000;
const removeRestMaxMs = 50;

/** Undefined where no group can be made that bounds anything. */
export async function findGroupPlaces(): Promise<GroupPlaces | undefined> {
  const [own, mounts] = await Promise.all([readOrEmpty("/proc/self/cgroup"), readOrEmpty("/proc/self/mountinfo")]);
  const places = (await placesOfVersion2(own, mounts)) ?? (await placesOfVersion1(own, mounts));
  if (places === undefined) return undefined;
  for (const place of dirsOf(places, (dir) => dir)) await sweep(place);
  return places;
}

/** Whether they bound memory and processes of a sandbox as a whole. */
export function boundsTree(groups: GroupPlaces | undefined): boolean {
  return groups?.memory !== undefined && groups.processes !== undefined;
}

/** What to try, best first: a group that cannot be entered is no reason to have no sandbox. */
export function groupCandidates(groups: GroupPlaces | undefined): readonly (GroupPlaces | undefined)[] {
  if (groups === undefined) return [undefined];
  const withoutCpu = { ...groups, cpu: undefined, cpuUse: groups.version === 2 ? groups.cpuUse : undefined };
  return groups.cpu === undefined && groups.cpuUse === withoutCpu.cpuUse
    ? [groups, undefined]
    : [groups, withoutCpu, undefined];
}

/** Nothing is there until its steps are done; `remove` also removes what some of them have made. */
export function planGroup(places: GroupPlaces, limits: SandboxLimits): ControlGroup {
  const name = ownName();
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

function dirsOf(places: GroupPlaces, dirOf: (place: string) => string): string[] {
  const { memory, processes, cpu, cpuUse } = places;
  return [...new Set([memory, processes, cpu, cpuUse])].filter((place) => place !== undefined).map(dirOf);
}

function memoryBounds(dir: string, version: 1 | 2, limit: number | undefined): GroupStep[] {
  if (limit === undefined) return [];
  const names = files[version];
  const [swapFile, swap = String(limit)] = names.memoryAndSwap;
  // Swap is bounded where the kernel counts it.
  return [
    ["set", join(dir, names.memory), String(limit)],
    ["try", join(dir, swapFile), swap],
  ];
}

function processBounds(dir: string, limit: number | undefined): GroupStep[] {
  return limit === undefined ? [] : [["set", join(dir, "pids.max"), String(limit + launcherProcesses)]];
}

/**
 * Each sandbox has the same share, however many its processes, and half of what a service beside it has: among
 * groups the priority of processes counts for nothing.
 */
function cpuBounds(dir: string, version: 1 | 2, cpus: number | undefined): GroupStep[] {
  const share: GroupStep = ["set", join(dir, files[version].cpuShare[0]), files[version].cpuShare[1]];
  if (cpus === undefined) return [share];
  const quotaUs = String(Math.round(cpus * cpuPeriodUs));
  if (version === 2) return [share, ["set", join(dir, "cpu.max"), `${quotaUs} ${cpuPeriodUs}`]];
  const period: GroupStep = ["set", join(dir, "cpu.cfs_period_us"), String(cpuPeriodUs)];
  return [share, period, ["set", join(dir, "cpu.cfs_quota_us"), quotaUs]];
}

/** Removes a group. The kernel frees it only a moment after its process has died, so this tries again. */
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

/** Ends what runs in groups that a process left which is no more, and removes them. */
async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    if (!(await isLeftBehind(name))) continue;
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

async function placesOfVersion1(own: string, mounts: string): Promise<GroupPlaces | undefined> {
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
 * A group with processes in it cannot hand controllers on, so the place is this process's own group where that is the
 * root, else the one above it, as service managers delegate it.
 */
async function placesOfVersion2(own: string, mounts: string): Promise<GroupPlaces | undefined> {
  const path = /^0::(.*)$/m.exec(own)?.[1];
  const root = mountOfVersion2(mounts);
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

/** Where it is mounted, by a text like that of /proc/self/mountinfo. */
export function mountOfVersion2(mounts: string): string | undefined {
  const mount = mounts.split("\n").find((line) => line.includes(" - cgroup2 "));
  return mount?.split(" ")[4];
}

/** The first directory in which a group can be made. */
async function firstUsable(dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const trial = join(dir, ownName());
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
