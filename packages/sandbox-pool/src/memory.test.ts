// Reads memory from files as the kernel writes them, and plans turns for it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { planMemory } from "./memory-plan.ts";
import { readMemory, readMemoryLimit, type KernelFiles } from "./memory.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;
const dirs: string[] = [];

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A machine of 8 GiB with 6 available, and these files of its control groups. */
function machine(ownGroup: string, files: Readonly<Record<string, string>>): KernelFiles {
  const dir = mkdtempSync(join(tmpdir(), "dari-memory-"));
  dirs.push(dir);
  const all = {
    "proc/meminfo": [
      `MemTotal: ${8 * 1024 ** 2} kB\nMemFree: 1 kB\nMemAvailable: ${6 * 1024 ** 2} kB`,
      "Slab: 1500 kB\nSReclaimable: 1000 kB\nKernelStack: 200 kB\nPageTables: 300 kB\n",
    ].join("\n"),
    "proc/self/cgroup": ownGroup,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return { proc: join(dir, "proc"), cgroups: join(dir, "cgroup") };
}

test("without a limit it is the memory of the machine", () => {
  const files = machine("0::/a\n", { "cgroup/a/memory.max": "max\n", "cgroup/a/memory.current": "5\n" });
  expect(readMemory(files)).toEqual({ totalBytes: 8 * GiB, availableBytes: 6 * GiB });
});

test("the control group with the least available counts, and reclaimable caches count as free", () => {
  const files = machine("0::/pod/worker\n", {
    "cgroup/pod/memory.max": `${4 * GiB}\n`,
    "cgroup/pod/memory.current": `${3 * GiB}\n`,
    "cgroup/pod/memory.stat": `anon 1\ninactive_file ${1 * GiB}\n`,
    "cgroup/pod/worker/memory.max": `${5 * GiB}\n`,
    "cgroup/pod/worker/memory.current": `${1 * GiB}\n`,
  });
  expect(readMemory(files)).toEqual({ totalBytes: 4 * GiB, availableBytes: 2 * GiB });
});

test("if the machine has less available than a smaller group, both numbers are the machine's", () => {
  const files = machine("0::/pod\n", {
    "cgroup/pod/memory.max": `${7 * GiB}\n`,
    "cgroup/pod/memory.current": "0\n",
  });
  expect(readMemory(files)).toEqual({ totalBytes: 8 * GiB, availableBytes: 6 * GiB });
  expect(readMemoryLimit(files)).toBe(7 * GiB);
});

test("a group that may use more than the machine has does not count, whatever its caches", () => {
  const files = machine("4:memory:/pod\n", {
    "cgroup/memory/pod/memory.limit_in_bytes": "9223372036854771712\n",
    // The counters are impossible: only a group that is read can have less available than the machine.
    "cgroup/memory/pod/memory.usage_in_bytes": "9223372036854771712\n",
  });
  expect(readMemory(files)).toEqual({ totalBytes: 8 * GiB, availableBytes: 6 * GiB });
});

test("active caches count as free as well", () => {
  const files = machine("0::/worker\n", {
    "cgroup/worker/memory.max": `${4 * GiB}\n`,
    "cgroup/worker/memory.current": `${4 * GiB}\n`,
    "cgroup/worker/memory.stat": [
      `anon ${512 * MiB}`,
      `active_file ${2 * GiB}`,
      `inactive_file ${1 * GiB}`,
      `slab_reclaimable ${512 * MiB}`,
      `slab ${600 * MiB}`,
    ].join("\n"),
  });
  expect(readMemory(files)).toEqual({ totalBytes: 4 * GiB, availableBytes: 3.5 * GiB });
  const stale = machine("0::/worker\n", {
    "cgroup/worker/memory.max": `${4 * GiB}\n`,
    "cgroup/worker/memory.current": `${1 * GiB}\n`,
    "cgroup/worker/memory.stat": `active_file ${2 * GiB}\n`,
  });
  expect(readMemory(stale).availableBytes).toBe(4 * GiB);
});

test("in a container the path of the group may not exist, and version 1 has other names", () => {
  const inside = machine("0::/../../host/path\n", {
    "cgroup/memory.max": `${2 * GiB}\n`,
    "cgroup/memory.current": `${1 * GiB}\n`,
  });
  expect(readMemory(inside)).toEqual({ totalBytes: 2 * GiB, availableBytes: 1 * GiB });
  const versionOne = machine("12:cpu:/x\n5:memory:/docker/1\n0::/docker/1\n", {
    "cgroup/memory/memory.limit_in_bytes": `${3 * GiB}\n`,
    "cgroup/memory/memory.usage_in_bytes": `${2 * GiB}\n`,
    "cgroup/memory/memory.stat": [
      `active_file 1`,
      `total_inactive_file ${512 * MiB}`,
      `total_active_file ${256 * MiB}`,
    ].join("\n"),
    // Half of the machine's kernel memory can be reclaimed.
    "cgroup/memory/memory.kmem.usage_in_bytes": `${512 * MiB}\n`,
  });
  expect(readMemory(versionOne)).toEqual({ totalBytes: 3 * GiB, availableBytes: 2 * GiB });
});

test("the memory of this machine can be read", () => {
  const { totalBytes, availableBytes } = readMemory();
  expect(totalBytes).toBeGreaterThan(64 * MiB);
  expect(availableBytes).toBeLessThanOrEqual(totalBytes);
});

const plenty = { totalBytes: 8 * GiB, availableBytes: 8 * GiB };

test.each([
  ["as many slots as asked for, where memory allows", { slots: 4, memoryBytes: 8 * GiB, reservedBytes: 2 * GiB }, 4],
  ["no more than memory allows", { slots: 10, memoryBytes: 5 * GiB, reservedBytes: 2 * GiB }, 2],
  ["what the machine has, less the worker's own", { slots: 10, memoryBytes: undefined, reservedBytes: 1 * GiB }, 7],
  ["one at least: a turn alone has all there is", { slots: 10, memoryBytes: undefined, reservedBytes: 64 * GiB }, 1],
])("%s", (_title, settings, slots) => {
  expect(planMemory({ ...settings, limitBytes: 8 * GiB }, () => plenty).slots).toBe(slots);
});

test("free memory is what the machine has left, whatever uses the rest", () => {
  let availableBytes = 8 * GiB;
  const plan = planMemory({ slots: 4, limitBytes: 8 * GiB, memoryBytes: 8 * GiB, reservedBytes: 2 * GiB }, () => ({
    ...plenty,
    availableBytes,
  }));
  expect(plan.turns.room().turns).toBe(Infinity);
  availableBytes = 800 * MiB;
  expect(plan.turns.room().turns).toBe(0);
  availableBytes = 900 * MiB;
  expect(plan.turns.room().turns).toBe(Infinity);
});
