// When processors are busy.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { watchProcessors } from "./watch-processors.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "dari-processors-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Machine {
  /** Runs for a second in which processors 0, 1, … were idle for this part. Returns whether they were busy. */
  second(...idle: readonly number[]): boolean;
  write(name: string, text: string): void;
  passMs(ms: number): boolean;
}

/** A machine whose control groups and status are these files. */
function openMachine(name: string, processors: number, files: Readonly<Record<string, string>>): Machine {
  const times = Array.from({ length: processors }, () => ({ used: 1_000, idle: 5_000 }));
  let now = 0;
  const write = (file: string, text: string): void => {
    const path = join(dir, name, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const writeTimes = (): void => {
    const lines = times.map(({ used, idle }, id) => `cpu${id} ${used} 0 0 ${idle} 0 0 0 0 ${used} 0`);
    write("proc/stat", ["cpu  1 1 1 1 0 0 0 0 0 0", ...lines, "intr 5", ""].join("\n"));
  };
  writeTimes();
  for (const [file, text] of Object.entries(files)) write(file, text);
  const isBusy = watchProcessors({ proc: join(dir, name, "proc"), cgroups: join(dir, name, "cgroup") }, () => now);
  const passMs = (ms: number): boolean => {
    now += ms;
    return isBusy();
  };
  return {
    write,
    passMs,
    second(...idle) {
      for (const [id, part] of idle.entries()) {
        times[id]!.idle += 100 * part;
        times[id]!.used += 100 * (1 - part);
      }
      writeTimes();
      return passMs(1_000);
    },
  };
}

test("processors are busy if almost none of their time was idle, and not if one turn waits for its quota", () => {
  const machine = openMachine("plain", 2, { "proc/self/cgroup": "0::/\n" });
  expect(machine.second(0.1, 0.9)).toBe(false);
  expect(machine.second(0.02, 0.07)).toBe(true);
  // The last answer holds until enough time has passed.
  expect([machine.passMs(500), machine.passMs(300)]).toEqual([true, true]);
  expect(machine.second(0, 0.2)).toBe(false);
});

test("only the processors that this process may use count", () => {
  const machine = openMachine("some", 4, { "proc/self/status": "Name:\tnode\nCpus_allowed_list:\t0,2-3\n" });
  expect(machine.second(0, 1, 0, 0)).toBe(true);
  expect(machine.second(0, 0, 1, 0)).toBe(false);
});

test.each([
  ["0::/pod/worker\n", "cgroup/pod/cpu.max", "200000 100000\n", "cgroup/pod/cpu.stat"],
  ["4:cpu,cpuacct:/docker/1\n", "cgroup/cpu/cpu.cfs_period_us", "100000\n", "cgroup/cpu/cpu.stat"],
])("processors are busy if a control group has no quota left, in %j", (own, limitFile, limit, statFile) => {
  const stat = (throttled: number): string => `usage_usec 1\nnr_periods 900\nnr_throttled ${throttled}\n`;
  const files = { "proc/self/cgroup": own, [limitFile]: limit, [statFile]: stat(70) };
  const machine = openMachine(dirname(limitFile), 2, files);
  machine.write(statFile, stat(78));
  expect(machine.second(0.5, 0.5)).toBe(false);
  machine.write(statFile, stat(88));
  expect(machine.second(0.5, 0.5)).toBe(true);
  rmSync(join(dir, dirname(limitFile), dirname(statFile)), { recursive: true });
  expect(machine.second(0.5, 0.5)).toBe(false);
});

test("this machine can be read", () => {
  expect(watchProcessors()()).toBe(false);
});
