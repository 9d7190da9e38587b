// Counts the processor time of a platform and of everything it starts: with a control group around it, or from /proc if
// this machine does not let us make one.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findControlGroupDirs } from "@dari/sandbox";
import { cpuMsOf } from "../cpu-time.ts";

export interface CpuMeter extends AsyncDisposable {
  readonly kind: "control group" | "/proc";
  /** A command that starts another one so that it is counted. */
  readonly through: readonly string[];
  /** Returns the milliseconds that `root`, which was started `through` the meter, and all below it have used so far. */
  read(root: number): number;
}

const procMeter: CpuMeter = {
  kind: "/proc",
  through: [],
  read: cpuMsOf,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Returns a meter that has counted a burner of known time correctly, and what it read for the burner. */
export async function openCpuMeter(burnMs: number): Promise<{ meter: CpuMeter; burnerMs: number }> {
  const group = await openGroupMeter().catch(() => undefined);
  // Some groups can be made, but no process can be moved into them.
  const burnerMs = group === undefined ? undefined : await readBurner(group, burnMs).catch(() => undefined);
  if (group !== undefined && burnerMs !== undefined && isNear(burnerMs, burnMs)) return { meter: group, burnerMs };
  await group?.[Symbol.asyncDispose]();
  const read = await readBurner(procMeter, burnMs);
  if (!isNear(read, burnMs)) throw new Error(`a burner of ${burnMs} ms of processor time was counted as ${read} ms`);
  return { meter: procMeter, burnerMs: read };
}

const isNear = (readMs: number, burnMs: number): boolean => readMs >= 0.9 * burnMs && readMs <= 1.2 * burnMs;

/** Uses this much processor time, its own start included. It stays until its input ends, because /proc forgets it. */
const burner = `
const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1_000; };
while (used() < Number(process.argv[1]));
console.log("done");
process.stdin.resume();`;

async function readBurner(meter: CpuMeter, burnMs: number): Promise<number> {
  const [command = "", ...args] = [...meter.through, process.execPath, "-e", burner, String(burnMs)];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
  const exited = once(child, "exit");
  const said = await Promise.race([once(child.stdout, "data"), exited]);
  const read = meter.read(child.pid ?? -1);
  child.stdin.end();
  await exited;
  if (!Buffer.isBuffer(said[0])) throw new Error(`the burner ended with ${String(said[0])}`);
  return read;
}

/** Sandboxes have groups below the one of the process that starts them, so this group counts them too. */
async function openGroupMeter(): Promise<CpuMeter | undefined> {
  const places = await findControlGroupDirs();
  if (places?.cpuUse === undefined) return undefined;
  const dir = path.join(places.cpuUse, `dari-bench-${process.pid}`);
  // In version 2, a group with processes in it delegates nothing, so the platform gets one of its own below.
  const entered = places.version === 2 ? path.join(dir, "platform") : dir;
  await mkdir(entered, { recursive: true });
  const file = path.join(dir, places.version === 2 ? "cpu.stat" : "cpuacct.usage");
  const read = (): number => {
    const text = readFileSync(file, "latin1");
    return places.version === 2 ? Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1e3 : Number(text) / 1e6;
  };
  return {
    kind: "control group",
    through: ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', path.join(entered, "cgroup.procs")],
    read,
    [Symbol.asyncDispose]: () => removeGroups(dir),
  };
}

const removeWithinMs = 10_000;

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/**
 * Removes the group and those below it. An interrupted start can have left processes, which this ends. The kernel frees
 * a group only a moment after its last process has ended.
 */
async function removeGroups(dir: string): Promise<void> {
  const members = await readFile(path.join(dir, "cgroup.procs"), "latin1").catch(() => "");
  for (const pid of members.split("\n").filter(Boolean)) endProcess(Number(pid));
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeGroups(path.join(dir, entry.name));
  const deadline = performance.now() + removeWithinMs;
  for (;;) {
    const error = await rmdir(dir).then(
      () => undefined,
      (reason: NodeJS.ErrnoException) => reason,
    );
    if (error === undefined || error.code === "ENOENT") return;
    if (performance.now() > deadline) throw new Error(`${dir} was not removed`, { cause: error });
    await sleep(20);
  }
}
