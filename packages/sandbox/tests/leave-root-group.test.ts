// A worker in a container with its own control group, on real groups of version 2.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

const program = join(import.meta.dirname, "programs/leave-root.ts");
const mine = `dari-test-${process.pid}`;
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "groups-"));
  for (const name of ["outer", "inner"]) mkdirSync(join(dir, name));
});
afterAll(() => {
  inGroups(`rmdir "$D/outer/${mine}/dari-worker"; rmdir "$D/outer/${mine}"`);
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a script in a mount namespace in which $D/outer has the groups of version 2. */
function inGroups(script: string): string {
  const whole = `mount -t cgroup2 none "$D/outer" && ${script}`;
  const env = { PATH: process.env["PATH"] ?? "", D: dir, NODE: process.execPath };
  return spawnSync("unshare", ["--mount", "sh", "-c", whole], { env, encoding: "utf8" }).stdout.trim();
}

const isRoot = process.getuid?.() === 0;
const controller = isRoot
  ? spawnSync("unshare", ["--mount", "sh", "-c", "mount -t cgroup2 none /mnt && cat /mnt/cgroup.controllers"], {
      encoding: "utf8",
    }).stdout.split(/\s/)[0]
  : undefined;

(controller ? test : test.skip)("hands controllers on once it has left the root of what it sees", () => {
  const inside = `mount -t cgroup2 none "$D/inner" && exec "$NODE" ${program} "$D/inner" ${controller}`;
  const enter = `mkdir "$D/outer/${mine}" && echo $$ > "$D/outer/${mine}/cgroup.procs"`;
  const start = `exec unshare --mount --cgroup sh -c '${inside}'`;
  const said = inGroups(`echo +${controller} > "$D/outer/cgroup.subtree_control"; ${enter} && ${start}`);
  expect(JSON.parse(said)).toEqual({ before: ["/", "EBUSY"], after: ["/dari-worker", controller] });
});
