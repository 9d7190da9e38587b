// What a program that takes too much comes to, in each driver of this machine that bounds a sandbox as a whole.

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { findGroupPlaces } from "../src/control-groups.ts";
import { measureUse } from "../src/disk-use.ts";
import { createBwrapDriver, type SandboxDriver, type SandboxLimits, type SandboxUsage } from "../src/index.ts";
import { makeSlot, specFor, withSandbox } from "./sandbox-fixture.ts";

const MiB = 1024 ** 2;
const places = await findGroupPlaces();
const ways: { title: string; driver: SandboxDriver; hasGroups: boolean }[] = [];
for (const controlGroups of places === undefined ? [false] : [true, false]) {
  const driver = createBwrapDriver({ controlGroups });
  const title = controlGroups ? "bwrap with control groups" : "bwrap without control groups";
  if ((await driver.probe()).ok) ways.push({ title, driver, hasGroups: controlGroups });
}

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());

interface Ending {
  readonly output: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly usage: SandboxUsage;
}

const program = fileURLToPath(new URL("./programs/greedy.mjs", import.meta.url));

async function run(driver: SandboxDriver, mode: string, limits: SandboxLimits): Promise<Ending> {
  const argv = [process.execPath, program, mode];
  return withSandbox(driver, specFor(slot, [], { argv, limits }), async (sandbox) => {
    const [output, , exit] = await Promise.all([text(sandbox.stdout), text(sandbox.stderr), sandbox.exited]);
    await sandbox.kill();
    return { output, code: exit.code, signal: exit.signal, usage: await sandbox.collect() };
  });
}

describe.each(ways)("$title", ({ driver, hasGroups }) => {
  test("processes that together take too much memory are ended", async () => {
    const { usage, signal } = await run(driver, "manySmall", { memoryBytes: 1024 * MiB });
    // A control group ends the process that asks for more; the watch ends them all.
    expect(usage.exceeded).toBe("memory");
    if (!hasGroups) expect(signal).toBe("SIGKILL");
  }, 30_000);

  test("a fork bomb stops at the number of processes", async () => {
    const ending = await run(driver, "forks", { processes: 60 });
    expect(ending.usage.exceeded).toBe("processes");
    if (hasGroups) expect(Number(ending.output)).toBeLessThanOrEqual(60);
    if (hasGroups) expect(ending.code).toBe(9);
  }, 30_000);

  test.each([
    ["large files", "largeFiles", { diskBytes: 32 * MiB }],
    ["many files", "manyFiles", { diskFiles: 1_000 }],
    ["files where no path leads", "deepFile", { diskBytes: 32 * MiB, diskFiles: 1_000 }],
  ])("a program that fills the disk with %s is ended", async (_title, mode, limits) => {
    const ending = await run(driver, mode, limits);
    expect(ending).toMatchObject({ signal: "SIGKILL", usage: { exceeded: "disk" } });
  });

  test("what stays within its bounds is left alone, and no group is left behind", async () => {
    const before = await groupsOf();
    const limits = { memoryBytes: 1024 * MiB, processes: 100, diskBytes: 64 * MiB, diskFiles: 100 };
    const ending = await run(driver, "modest", limits);
    expect(ending).toMatchObject({ output: "fine\n", code: 0, usage: { exceeded: undefined } });
    expect((ending.usage.peakMemoryBytes ?? 0) > 0).toBe(hasGroups);
    expect(await groupsOf()).toEqual(before);
  });
});

async function groupsOf(): Promise<string[]> {
  const dirs = [...new Set([places?.memory, places?.processes])].filter((dir) => dir !== undefined);
  const names = await Promise.all(dirs.map((dir) => readdir(dir)));
  return names.flat().filter((name) => name.startsWith(`dari-${process.pid}-`));
}

test("a measure of a directory follows no link, counts a file once, and stops when it knows enough", async () => {
  const dir = await mkdtemp(join(tmpdir(), "disk-use-"));
  try {
    await mkdir(join(dir, "sub"));
    await writeFile(join(dir, "sub", "file"), Buffer.alloc(100_000, 1));
    await symlink("/usr", join(dir, "usr"));
    const use = await measureUse([dir], { bytes: Infinity, files: Infinity });
    expect(use.files).toBe(3);
    expect(use.bytes).toBeGreaterThanOrEqual(100_000);
    expect(use.bytes).toBeLessThan(200_000);
    expect((await measureUse([dir, "/usr"], { bytes: Infinity, files: 10 })).files).toBeLessThan(1_000);
  } finally {
    await rm(dir, { recursive: true });
  }
});
