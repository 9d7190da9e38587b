// Control groups, version 1 or 2, where this process may make some: bounds on a sandbox as a whole, and what was hit.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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

export interface ControlGroup {
  /** Moves a process in; what it starts later is in, too. */
  join(pid: number): Promise<void>;
  /** Which bound was hit so far. */
  exceeded(): Promise<"memory" | "processes" | undefined>;
  /** Highest use so far, bytes. */
  peakMemoryBytes(): Promise<number | undefined>;
  /** Processor time of everything that is or was in it. */
  cpuSeconds(): Promise<number | undefined>;
  /** Once nothing is alive in it. Never rejects. */
  remove(): Promise<void>;
}

const files = {
  1: {
    memory: "memory.limit_in_bytes",
    memoryAndSwap: "memory.memsw.limit_in_bytes",
    memoryEvents: "memory.oom_control",
    peak: "memory.max_usage_in_bytes",
    cpuShare: ["cpu.shares", "512"],
  },
  2: {
    memory: "memory.max",
    memoryAndSwap: undefined,
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
const namePattern = /^dari-(\d+)-/;

/** Undefined where no group can be made that bounds anything. */
export async function findGroupPlaces(): Promise<GroupPlaces | undefined> {
  const [own, mounts] = await Promise.all([readOrEmpty("/proc/self/cgroup"), readOrEmpty("/proc/self/mountinfo")]);
  const places = (await placesOfVersion2(own, mounts)) ?? (await placesOfVersion1(own, mounts));
  for (const place of dirsOf(places, (dir) => dir)) await sweep(place);
  return places;
}

/** What to try, best first: a group that cannot be entered is no reason to have no sandbox. */
export function groupCandidates(groups: GroupPlaces | undefined): readonly (GroupPlaces | undefined)[] {
  if (groups === undefined) return [undefined];
  const withoutCpu = { ...groups, cpu: undefined, cpuUse: groups.version === 2 ? groups.cpuUse : undefined };
  return groups.cpu === undefined && groups.cpuUse === withoutCpu.cpuUse
    ? [groups, undefined]
    : [groups, withoutCpu, undefined];
}

/** @throws the system's error when a group cannot be made. */
export async function createGroup(places: GroupPlaces, limits: SandboxLimits): Promise<ControlGroup> {
  const name = `dari-${process.pid}-${randomUUID()}`;
  const names = files[places.version];
  const below = (place: string): string => join(place, name);
  const [memory, processes, cpu, cpuUse] = [places.memory, places.processes, places.cpu, places.cpuUse].map((place) =>
    place === undefined ? undefined : below(place),
  );
  const dirs = dirsOf(places, below);
  const remove = async (): Promise<void> => void (await Promise.all(dirs.map(removeGroup)));
  try {
    // Each to its end: what is made while another fails is removed, too.
    const made = await Promise.allSettled(dirs.map((dir) => mkdir(dir)));
    for (const one of made) if (one.status === "rejected") throw one.reason;
    if (memory !== undefined) await boundMemory(memory, places.version, limits.memoryBytes);
    if (processes !== undefined && limits.processes !== undefined) {
      await writeFile(join(processes, "pids.max"), String(limits.processes + launcherProcesses));
    }
    if (cpu !== undefined) await boundCpu(cpu, places.version, limits.cpus);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    // At once: the kernel takes its time for each.
    join: async (pid) => void (await Promise.all(dirs.map((dir) => writeFile(join(dir, "cgroup.procs"), String(pid))))),
    async exceeded() {
      if (memory !== undefined && countIn(await readOrEmpty(join(memory, names.memoryEvents)), "oom_kill") > 0) {
        return "memory";
      }
      if (processes !== undefined && countIn(await readOrEmpty(join(processes, "pids.events")), "max") > 0) {
        return "processes";
      }
      return undefined;
    },
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
    remove,
  };
}

function dirsOf(places: GroupPlaces | undefined, dirOf: (place: string) => string): string[] {
  const { memory, processes, cpu, cpuUse } = places ?? {};
  return [...new Set([memory, processes, cpu, cpuUse])].filter((place) => place !== undefined).map(dirOf);
}

async function boundMemory(dir: string, version: 1 | 2, limit: number | undefined): Promise<void> {
  if (limit === undefined) return;
  const names = files[version];
  const bytes = String(limit);
  await writeFile(join(dir, names.memory), bytes);
  // Swap is bounded where the kernel counts it.
  if (names.memoryAndSwap !== undefined) await writeFile(join(dir, names.memoryAndSwap), bytes).catch(ignore);
  else await writeFile(join(dir, "memory.swap.max"), "0").catch(ignore);
}

/**
 * Each sandbox has the same share, however many its processes, and half of what a service beside it has: among
 * groups the priority of processes counts for nothing.
 */
async function boundCpu(dir: string, version: 1 | 2, cpus: number | undefined): Promise<void> {
  const [share, amount] = files[version].cpuShare;
  await writeFile(join(dir, share), amount);
  if (cpus === undefined) return;
  const quotaUs = String(Math.round(cpus * cpuPeriodUs));
  if (version === 2) return writeFile(join(dir, "cpu.max"), `${quotaUs} ${cpuPeriodUs}`);
  await writeFile(join(dir, "cpu.cfs_period_us"), String(cpuPeriodUs));
  await writeFile(join(dir, "cpu.cfs_quota_us"), quotaUs);
}

/** The kernel lets go of a dead process's group a moment after its death. */
async function removeGroup(dir: string): Promise<void> {
  const deadline = performance.now() + removeWithinMs;
  for (;;) {
    const code = await rmdir(dir).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code !== "EBUSY" || performance.now() > deadline) return;
    await delay(1);
  }
}

/** Groups that a process left which is no more. */
async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    const pid = namePattern.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await rmdir(join(place, name)).catch(ignore);
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
  const root = / (\/\S*) \S+(?: \S+)* - cgroup2 /.exec(mounts)?.[1];
  if (path === undefined || root === undefined) return undefined;
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

/** The first directory in which a group can be made. */
async function firstUsable(dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const trial = join(dir, `dari-${process.pid}-${randomUUID()}`);
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
