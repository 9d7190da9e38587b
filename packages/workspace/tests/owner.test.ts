// Workspaces of a host user: everything in them belongs to the user, however the directory was created.

import { afterAll, describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import {
  defaultWorkspaceLimits as limits,
  emptyTree,
  openDisks,
  rewriteSnapshot,
  save,
  sweepMounts,
  type Disk,
  type Disks,
  type Tree,
} from "../src/index.ts";
import { openFixture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
const opened: Disks[] = [];
afterAll(async () => {
  for (const disks of opened) await disks.close();
  await sweepMounts(fixture.top);
  fixture[Symbol.dispose]();
});

const owner = 1_900_000_007;
/** Only a process that can change owners has such workspaces. */
const asRoot = process.getuid?.() === 0 ? test : test.skip;

async function open(kind: "auto" | "overlay" | "copy", dir = fixture.fresh()): Promise<Disks> {
  const disks = await openDisks({ dir, maxBytes: 1024 ** 3, kind });
  opened.push(disks);
  return disks;
}

const source = fixture.fresh();
writeFiles(source, { "workspace/dir/one": "1", "workspace/dir/deep/two": "2", "state/memory": "m" });
symlinkSync("dir/one", join(source, "workspace/link"));
const { tree } = await saveDir(fixture, source, emptyTree);

const openTree = (disks: Disks, of: Tree, by: number | undefined = owner): Promise<Disk> =>
  disks.open({ store: fixture.store, organizationId: "org_a", tree: of, dir: fixture.fresh(), owner: by, limits });

/** Returns the owners of the two directories and their contents. */
function ownersIn(dir: string): readonly number[] {
  const paths = ["workspace", "state"].flatMap((root) => {
    const names = readdirSync(join(dir, root), { recursive: true }) as string[];
    return [root, ...names.map((name) => join(root, name))];
  });
  return [...new Set(paths.flatMap((path) => [lstatSync(join(dir, path)).uid, lstatSync(join(dir, path)).gid]))];
}

/** Changes files as the sandbox's user. */
function changeAsOwner(dir: string, command: string): void {
  const argv = [`--reuid=${owner}`, `--regid=${owner}`, "--clear-groups", "sh", "-ec", command];
  // The directories above belong to this process alone.
  const { status, stderr } = spawnSync("setpriv", argv, { cwd: join(dir, "workspace"), encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
}

async function keep(disk: Disk, before: Tree): Promise<Tree> {
  const { tree: after } = await disk.scan();
  const saved = await save({ store: fixture.store, keyPrefix: "d", dir: disk.dir, before, after });
  await disk.keep(saved.tree);
  return saved.tree;
}

describe.each((["overlay", "copy"] as const).map((kind) => ({ kind })))("$kind", ({ kind }) => {
  asRoot("cold, changed by its user, kept, warm and folded, everything is the user's", async () => {
    const disks = await open(kind);
    let last = tree;
    for (let turn = 0; turn < 12; turn++) {
      const disk = await openTree(disks, last);
      expect(ownersIn(disk.dir)).toEqual([owner]);
      changeAsOwner(disk.dir, `chmod 700 dir; echo ${turn} >dir/one; mkdir -p new/${turn}; echo x >new/${turn}/f`);
      last = await keep(disk, last);
    }
    const warm = await openTree(disks, last);
    expect({ isWarm: warm.isWarm, owners: ownersIn(warm.dir) }).toEqual({ isWarm: true, owners: [owner] });
    await warm.close();
  });
});

asRoot("files that an earlier process kept for another user are not shown", async () => {
  const dir = fixture.fresh();
  const before = await open("overlay", dir);
  const disk = await openTree(before, tree);
  changeAsOwner(disk.dir, "echo changed >dir/one");
  const saved = await keep(disk, tree);
  await before.close();

  const next = await open("overlay", dir);
  const again = await openTree(next, saved, owner + 1);
  expect({ isWarm: again.isWarm, owners: ownersIn(again.dir) }).toEqual({ isWarm: false, owners: [owner + 1] });
  await again.close();
});

const hasTools = spawnSync("mksquashfs", ["-version"], { stdio: "ignore" }).error === undefined;
(hasTools ? asRoot : test.skip)("a workspace from an image is its user's as well", async () => {
  const large = fixture.fresh();
  writeFiles(large, Object.fromEntries(Array.from({ length: 2_100 }, (_, i) => [`workspace/f-${i % 9}/${i}`, `${i}`])));
  mkdirSync(join(large, "state"), { recursive: true });
  const saved = await saveDir(fixture, large, emptyTree);
  const cut = await rewriteSnapshot({ store: fixture.store, keyPrefix: "s", tree: saved.tree, repack: new Set() });
  const disks = await open("overlay");
  const disk = await openTree(disks, cut.tree);
  expect({ unused: disks.squashfsUnused, owners: ownersIn(disk.dir) }).toEqual({ unused: 0, owners: [owner] });
  changeAsOwner(disk.dir, "chmod 700 f-1; echo more >>f-1/1; rm -r f-2; mkdir f-2");
  expect((await disk.scan()).tree.get("workspace/f-2")?.type).toBe("directory");
  await disk.close();
  rmSync(large, { recursive: true });
});
