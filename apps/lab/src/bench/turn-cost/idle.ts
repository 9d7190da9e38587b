// Part `idle`: processor time and memory of `npm start` at rest, with everything that npm starts.

import { setTimeout as sleep } from "node:timers/promises";
import { startAsUser } from "../../user-start.ts";
import type { CpuMeter } from "./cpu-meter.ts";
import { cpuBetween, parts, rounded, total, type ByPart } from "./processes.ts";
import { processesOf, readPlatformPid, type Settings } from "./stage.ts";

export interface IdleRow {
  readonly seconds: number;
  /** Processor time in milliseconds per second. */
  readonly cpu_ms: number;
  readonly cpu_ms_by_part: Partial<ByPart>;
  readonly pss_mb: number;
  readonly pss_mb_by_part: Partial<ByPart>;
  readonly processes: Partial<ByPart>;
}

/**
 * A fresh installation, without agents. Work that begins with the start, such as building packages, has ended, and
 * `restSeconds` have passed since: the first minute also collects and compiles what the start left behind.
 */
export async function measureIdle(o: {
  readonly meter: CpuMeter;
  readonly checkout: string;
  readonly settings: Settings;
  readonly restSeconds: number;
  readonly seconds: number;
  /** Ends the start if the benchmark is interrupted. */
  readonly stack: AsyncDisposableStack;
}): Promise<IdleRow> {
  const place = { checkout: o.checkout, through: o.meter.through };
  await using start = o.stack.use(startAsUser(["start"], { ...o.settings }, undefined, place));
  await start.says(/Press Ctrl-C to stop/);
  const platform = processesOf(o.meter, start.pid, await readPlatformPid(start.dataDir));
  await platform.settled();
  await sleep(o.restSeconds * 1_000);
  const before = platform.readCpu();
  const startedAt = performance.now();
  await sleep(o.seconds * 1_000);
  const after = platform.readCpu();
  const seconds = (performance.now() - startedAt) / 1_000;
  const usedMs = after.totalMs - before.totalMs;
  const used = cpuBetween(before.byProcess, after.byProcess, usedMs);
  const memory = platform.readMemory();
  start.signal("group", "SIGINT");
  await start.ended();
  return {
    seconds: o.seconds,
    cpu_ms: Math.round((usedMs / seconds) * 10) / 10,
    cpu_ms_by_part: rounded(Object.fromEntries(parts.map((part) => [part, used[part] / seconds])) as ByPart),
    pss_mb: Math.round(total(memory.pss)),
    pss_mb_by_part: rounded(memory.pss),
    processes: rounded(memory.processes),
  };
}
