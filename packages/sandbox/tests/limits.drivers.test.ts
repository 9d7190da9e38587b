// What happens to a program that exceeds a limit, with each driver of this machine that limits a whole sandbox.

import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import {
  probeCandidate,
  describeEach,
  testGuarantee,
  testCoversSecurityTable,
  waysOfThisRun,
} from "@dari/testkit/test-guarantee";
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { findControlGroupDirs } from "../src/limits/control-groups.ts";
import { watchDisk } from "../src/limits/measure-disk.ts";
import {
  createBwrapDriver,
  createLandlockDriver,
  createOciDriver,
  type SandboxDriver,
  type SandboxLimits,
  type SandboxUsage,
} from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";
import {
  commandOf,
  descendantsOf,
  hasOwnKernel,
  makeSlot,
  ociOptions,
  specFor,
  withSandbox,
} from "./sandbox-fixture.ts";

const MiB = 1024 ** 2;
const places = await findControlGroupDirs();
const ways: { title: string; driver: SandboxDriver; hasGroups: boolean; isOwnKernel: boolean }[] = [];
for (const controlGroups of places === undefined ? [false] : [true, false]) {
  const inNamespaces = createBwrapDriver({ controlGroups });
  // Without groups it is watched like one of bubblewrap, unless it has its own kernel.
  const inContainer = createOciDriver({ ...ociOptions, controlGroups });
  const isAnother = controlGroups || (await hasOwnKernel(inContainer));
  const child = createChildDriver({ controlGroups });
  const others = [createLandlockDriver({ controlGroups }), child];
  for (const driver of [inNamespaces, ...(isAnother ? [inContainer] : []), ...others]) {
    const name = driver === child ? "a template's child" : driver.name;
    const title = `${name} ${controlGroups ? "with" : "without"} control groups`;
    const isOwnKernel = await hasOwnKernel(driver);
    if ((await driver.probe()).ok) ways.push({ title, driver, hasGroups: controlGroups, isOwnKernel });
  }
}

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(async () => {
  for (const { driver } of ways) await driver.close?.();
});

interface Ending {
  readonly output: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly usage: SandboxUsage;
}

const programs = fileURLToPath(new URL("./programs", import.meta.url));
const inNode = (mode: string): string[] => [process.execPath, join(programs, "greedy.mjs"), mode];
const inPython = (mode: string): string[] => ["/usr/bin/python3", "-I", "-S", join(programs, "greedy.py"), mode];

async function run(driver: SandboxDriver, argv: string[], limits: SandboxLimits): Promise<Ending> {
  return withSandbox(driver, specFor(slot, [], { argv, limits }), async (sandbox) => {
    const [output, , exit] = await Promise.all([text(sandbox.stdout), text(sandbox.stderr), sandbox.exited]);
    await sandbox.kill();
    return { output, code: exit.code, signal: exit.signal, usage: await sandbox.collect() };
  });
}

const inRun = waysOfThisRun(ways);
describeEach(inRun)("$title", ({ driver, hasGroups, isOwnKernel }) => {
  testGuarantee("memory", driver.name)(
    "processes that together use too much memory are ended",
    async () => {
      const { usage, signal } = await run(driver, inNode("manySmall"), { memoryBytes: 1024 * MiB });
      // A control group kills the process that asks for more; the watcher kills all.
      expect(usage.exceeded).toBe("memory");
      if (!hasGroups) expect(signal).toBe("SIGKILL");
    },
    60_000,
  );

  test("a fork bomb stops at the number of processes", async () => {
    const ending = await run(driver, inNode("forks"), { processes: 60 });
    // gVisor's kernel refuses more silently. It reports only a program that continues.
    if (!isOwnKernel) expect(ending.usage.exceeded).toBe("processes");
    if (hasGroups) expect(Number(ending.output)).toBeLessThanOrEqual(60);
    if (hasGroups) expect(ending.code).toBe(9);
  }, 30_000);

  testGuarantee("forks", driver.name)(
    "a fork bomb that continues at the limit is ended",
    async () => {
      const ending = await run(driver, inPython("forksForever"), { processes: 60 });
      expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "processes" } });
    },
    15_000,
  );

  (isOwnKernel ? test.skip : test)("timers and queued signals, counted by user, are bounded", async () => {
    const ending = await run(driver, inPython("timers"), {});
    expect(ending.code).toBe(0);
    expect(Number(ending.output)).toBeGreaterThan(100);
    expect(Number(ending.output)).toBeLessThanOrEqual(1_024);
  });

  const hasSessions = !hasGroups && !isOwnKernel && existsSync("/proc/self/autogroup");
  (hasSessions ? test : test.skip)("no session of a sandbox has the weight of one of the platform's", async () => {
    const spec = specFor(slot, [], { argv: inPython("busySessions"), limits: { processes: 100 } });
    await withSandbox(driver, spec, async (sandbox) => {
      const isLowered = (): boolean => {
        const pids = descendantsOf(sandbox.pid).filter((pid) => commandOf(pid).startsWith("python3"));
        const nice = pids.map((pid) => / nice (\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, "latin1"))?.[1]);
        return nice.length >= 4 && nice.every((value) => value === "10");
      };
      await waitUntil(isLowered, { what: "sessions of a lower weight" });
    });
  });

  // Under landlock a sandbox has its own host user.
  const isUserShared = driver.name !== "landlock" && !isOwnKernel;
  if (isUserShared) {
    test.each([
      ["inotify instances, which the kernel counts by user,", "watchers", 16],
      ["terminals, which the kernel counts by machine,", "terminals", 64],
    ])("%s are bounded", async (_title, mode, bound) => {
      const ending = await run(driver, inPython(mode), {});
      expect(ending).toMatchObject({ code: 0, output: `${bound}\n` });
    });
  }

  testGuarantee("disk", driver.name).each([
    ["large files", "largeFiles", { diskBytes: 32 * MiB }],
    ["many files", "manyFiles", { diskFiles: 1_000 }],
    ["files where no path leads", "deepFile", { diskBytes: 32 * MiB, diskFiles: 1_000 }],
  ])("a program that fills the disk with %s is ended", async (_title, mode, limits) => {
    const ending = await run(driver, inNode(mode), limits);
    expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "disk" } });
  });

  // The disk is measured in the same way with control groups and without.
  const hasDiskTests = hasGroups === (places !== undefined);
  const ofUnnamedFiles = [
    ["that no longer has a name", "unnamedFile"],
    // gVisor does not support such a file.
    ...(isOwnKernel ? [] : [["that never had a name", "nameless"] as const]),
    ["that is only mapped", "mappedFile"],
    ["of a thread with descriptors of its own", "threadsFile"],
    ["in flight without a receiver", "filesUnderWay"],
    // It takes some seconds, and is the same for all drivers.
    ...(driver === inRun[0]?.driver ? [["among more than is looked at", "amongManyDescriptors"] as const] : []),
  ] as const;
  if (hasDiskTests) {
    test.each(ofUnnamedFiles)(
      "a program that fills the disk with what is in a file %s is ended",
      async (_title, mode) => {
        const ending = await run(driver, inPython(mode), { diskBytes: 32 * MiB });
        expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "disk" } });
      },
    );
  }

  test.each([
    ["memory that processes share", "sharedMapping"],
    ...(driver.name !== "landlock" ? [["an unnamed file in /tmp", "unnamedTmp"] as const] : []),
  ])("%s count as memory", async (_title, mode) => {
    const ending = await run(driver, inPython(mode), { memoryBytes: 256 * MiB });
    expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "memory" } });
  });

  // A control group counts it directly; landlock has no separate network, and a separate kernel counts differently.
  const countsKernelMemory = !hasGroups && !isOwnKernel;
  test.each([
    ...(countsKernelMemory && driver.name !== "landlock" ? [["sockets", "inSockets", 128 * MiB] as const] : []),
    ...(countsKernelMemory ? [["pipes", "inPipes", 70 * MiB] as const] : []),
    ["a file in memory", "memoryFiles", 256 * MiB] as const,
  ])("memory that is in %s counts", async (_title, mode, memoryBytes) => {
    const ending = await run(driver, inPython(mode), { memoryBytes, processes: 100 });
    expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "memory" } });
  });

  testGuarantee("cpu", driver.name)(
    "processes that together use too much processor time are ended",
    async () => {
      const ending = await run(driver, inPython("busy"), { cpuSeconds: 1 });
      expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "cpu" } });
    },
    60_000,
  );

  test("one process alone that uses too much processor time is ended for the same", async () => {
    const ending = await run(driver, inPython("busyAlone"), { cpuSeconds: 1 });
    expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "cpu" } });
  }, 60_000);

  test("processors in use at the same time are limited if control groups can", async () => {
    const bounds = hasGroups && places?.cpu !== undefined;
    const probe = await driver.probe();
    expect(probe.ok && probe.guarantees.limits.cpu).toBe(bounds ? "per_sandbox" : "none");
    if (!bounds) return;
    await withSandbox(driver, specFor(slot, [], { argv: inPython("busy"), limits: { cpus: 0.1 } }), async () => {
      await waitUntil(async () => (await throttled(places.cpu!)) > 0, { what: "a group that has to wait" });
    });
  });

  test("a program within its limits is left alone, and no group is left behind", async () => {
    // Groups of earlier drivers can be removed at the same time.
    const before = new Set(await groupsOf());
    const limits = { memoryBytes: 1024 * MiB, processes: 100, diskBytes: 64 * MiB, diskFiles: 100 };
    const ending = await run(driver, inNode("modest"), limits);
    expect(ending).toMatchObject({ output: "fine\n", code: 0, usage: { exceeded: undefined } });
    expect((ending.usage.peakMemoryBytes ?? 0) > 0).toBe(hasGroups);
    await driver.close?.();
    expect((await groupsOf()).filter((name) => !before.has(name))).toEqual([]);
  });
});

/** Returns how often groups of this process had to wait for their next share. */
async function throttled(place: string): Promise<number> {
  const names = (await readdir(place)).filter((name) => name.startsWith(`dari-${process.pid}-`));
  const texts = await Promise.all(names.map((name) => readFile(join(place, name, "cpu.stat"), "utf8").catch(() => "")));
  return texts.reduce((sum, text) => sum + Number(/^nr_throttled (\d+)$/m.exec(text)?.[1] ?? 0), 0);
}

async function groupsOf(): Promise<string[]> {
  const dirs = [...new Set([places?.memory, places?.processes, places?.cpu, places?.cpuUse])].filter(
    (dir) => dir !== undefined,
  );
  const names = await Promise.all(dirs.map((dir) => readdir(dir)));
  return names.flat().filter((name) => name.startsWith(`dari-${process.pid}-`));
}

test("files in the directories of one turn do not count in those of the next", async () => {
  const [first, second] = [join(slot.slotDir, "workspace"), join(slot.slotDir, "state")];
  const fill = (dir: string) => writeFile(join(dir, "file"), Buffer.alloc(MiB - 64 * 1024, 1), { flush: true });
  await fill(second);
  let dirs = [first];
  let disk = { bytes: 0, files: 0 };
  const bounds = { bytes: MiB, files: 1_000 };
  const watch = watchDisk(
    () => dirs,
    bounds,
    () => Promise.resolve({ disk, underWay: 0, isPartial: false }),
  );
  expect(await watch.isOver()).toBe(false);
  await fill(first);
  disk = { bytes: 128 * 1024, files: 1 };
  expect(await watch.isOver()).toBe(true);
  dirs = [second];
  disk = { bytes: 0, files: 0 };
  expect(await watch.isOver()).toBe(false);
});

const candidates = [createBwrapDriver(), createOciDriver(ociOptions), createLandlockDriver()];
testCoversSecurityTable("limits", await Promise.all(candidates.map((driver) => probeCandidate(driver))), inRun);
