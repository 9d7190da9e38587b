// A program in its own control group, which the native program creates and enters before it becomes the program.

import { describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import {
  findControlGroupDirs,
  findCgroup2Mount,
  openSharedGroup,
  type ControlGroup,
  type ControlGroupDirs,
} from "../src/limits/control-groups.ts";
import { launchInGroup } from "../src/limits/launch-in-group.ts";
import type { LaunchedProcess } from "../src/launch/launch-process.ts";
import type { SandboxLimits } from "../src/index.ts";

const places = await findControlGroupDirs();

async function start(
  where: ControlGroupDirs | undefined,
  limits: SandboxLimits,
  script: string,
): Promise<{ launched: LaunchedProcess; group: ControlGroup | undefined }> {
  const how = { command: "/bin/sh", args: ["-c", script], env: {}, cwd: "/", complaintsTo: 3 };
  return launchInGroup(where, limits, how);
}

const madeBy = ({ steps }: ControlGroup): string[] => steps.flatMap(([step, path]) => (step === "make" ? [path] : []));
const read = "read -r go <&3; cat /proc/self/cgroup";

(places === undefined ? describe.skip : describe)("a program in a group", () => {
  test("it is in all of its group's directories, with its limits, until it ends", async () => {
    const limits = { memoryBytes: 64 * 1024 ** 2, processes: 50, cpus: 0.5 };
    const { launched, group } = await start(places, limits, read);
    launched.channel.write("go\n");
    const said = await text(launched.stdout);
    await launched.exited;
    const dirs = madeBy(group!);
    const names = new Set(dirs.map((dir) => dir.split("/").at(-1)));
    expect(names.size).toBe(1);
    expect(said.split(`/${[...names][0]}\n`)).toHaveLength(dirs.length + 1);
    for (const [step, path] of group!.steps) if (step === "set") expect(existsSync(path)).toBe(true);
    expect(group!.peakMemoryBytes()! > 0).toBe(true);
    await group!.remove();
    expect(dirs.filter((dir) => existsSync(dir))).toEqual([]);
  });

  test("limits that the kernel refuses start nothing and leave no group", async () => {
    const limits = { processes: Number.NaN };
    const { launched, group } = await start(places, limits, "echo started");
    const [said, complaint, exit] = await Promise.all([text(launched.stdout), text(launched.channel), launched.exited]);
    expect({ said, exit }).toEqual({ said: "", exit: { code: 125, signal: null } });
    expect(complaint).toMatch(/pids\.max: Invalid argument/);
    await group!.remove();
    expect(madeBy(group!).filter((dir) => existsSync(dir))).toEqual([]);
  });

  test("a group that cannot be entered starts nothing, and neither program nor group is left", async () => {
    const plain = await mkdtemp(join(tmpdir(), "no-groups-"));
    try {
      const { launched, group } = await start({ ...places!, processes: plain }, {}, "echo started; read -r go <&3");
      const [complaint, { code }] = await Promise.all([text(launched.channel), launched.exited]);
      expect([complaint, code]).toEqual([expect.stringContaining(plain), 125]);
      await group!.remove();
      expect(await readdir(plain)).toEqual([]);
    } finally {
      await rm(plain, { recursive: true });
    }
  });
});

const share = places?.version === 2 ? "cpu.weight" : "cpu.shares";
const [usual, half] = places?.version === 2 ? ["100\n", "50\n"] : ["1024\n", "512\n"];

(places?.cpu === undefined ? test.skip : test)("all sandboxes together have the share of one service", async () => {
  const [one, other] = [await start(places, {}, "read -r go <&3"), await start(places, {}, "read -r go <&3")];
  const [first, second] = [one, other].map(({ group }) => madeBy(group!).find((dir) => dir.startsWith(places!.cpu!))!);
  const read = (dir: string): string => readFileSync(join(dir, share), "utf8");
  await waitUntil(() => existsSync(first!) && existsSync(second!), { what: "the groups" });
  expect([dirname(first!), dirname(second!)]).toEqual([places!.cpu, places!.cpu]);
  expect(places!.cpu!.endsWith("/dari-sandboxes")).toBe(true);
  // Half of a service's share is for places without the shared group.
  await waitUntil(() => [first!, second!].every((dir) => read(dir) === half), { what: "their shares" });
  expect(read(places!.cpu!)).toBe(usual);
  for (const { launched, group } of [one, other]) {
    launched.channel.end("go\n");
    await launched.exited;
    await group!.remove();
  }
});

const mount2 = findCgroup2Mount(readFileSync("/proc/self/mountinfo", "utf8")) ?? "/none";
const controller =
  process.getuid?.() === 0 && existsSync(mount2)
    ? readFileSync(join(mount2, "cgroup.controllers"), "utf8").trim().split(" ")[0]
    : undefined;

(controller ? test : test.skip)("the shared group of version 2 delegates controllers, or is not used", async () => {
  const dir = join(mount2, `dari-test-${process.pid}`);
  const delegate = (where: string): Promise<void> => writeFile(join(where, "cgroup.subtree_control"), `+${controller}`);
  await delegate(mount2);
  await mkdir(dir);
  try {
    await delegate(dir);
    const shared = await openSharedGroup(dir, [controller!]);
    expect(shared).toBe(join(dir, "dari-sandboxes"));
    expect(readFileSync(join(shared, "cgroup.subtree_control"), "utf8")).toContain(controller);
    // Another worker finds it.
    expect(await openSharedGroup(dir, [controller!])).toBe(shared);
    expect(await openSharedGroup(dir, [controller!, "none"])).toBe(dir);
  } finally {
    await rmdir(join(dir, "dari-sandboxes")).catch(() => {});
    await rmdir(dir);
  }
});

test("without directories there is no group", async () => {
  const { launched, group } = await start(undefined, {}, "echo started");
  expect([await text(launched.stdout), group]).toEqual(["started\n", undefined]);
});

test("the place of version 2 is the mount point, not the mounted path", () => {
  const table = [
    "31 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
    "30 24 0:27 / /sys/fs/cgroup/unified rw,nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate",
  ];
  expect(findCgroup2Mount(table.join("\n"))).toBe("/sys/fs/cgroup/unified");
  expect(findCgroup2Mount(table[0]!)).toBeUndefined();
});
