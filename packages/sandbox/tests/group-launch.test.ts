// A program in its own control group, which the native program creates and enters before it becomes the program.

import { describe, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import {
  findControlGroupDirs,
  findCgroup2Mount,
  type ControlGroup,
  type ControlGroupDirs,
} from "../src/control-groups.ts";
import { launchInGroup } from "../src/group-launch.ts";
import type { LaunchedProcess } from "../src/launch.ts";
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
