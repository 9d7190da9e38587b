// Session directories of both kinds: the same promises, and the special cases of overlays.

import { afterAll, describe, expect, test } from "@jest/globals";
import { everyDriver, testGuaranteeForAllDrivers, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { defaultWorkspaceLimits, diff, emptyTree, openDisks, save, scan, sweepMounts, treeHash } from "../src/index.ts";
import type { Disk, Disks, Tree } from "../src/index.ts";
import { counting, openFixture, picture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
const opened: Disks[] = [];
afterAll(async () => {
  await sweepMounts(fixture.top);
  for (const disks of opened) await disks.close();
  fixture[Symbol.dispose]();
});
const GiB = 1024 ** 3;
const limits = defaultWorkspaceLimits;

async function open(kind: "auto" | "overlay" | "copy", dir = fixture.fresh(), maxBytes = GiB): Promise<Disks> {
  const disks = await openDisks({ dir, maxBytes, kind });
  opened.push(disks);
  return disks;
}

/** Overlays are tested if this process may mount them. */
const best = (await open("auto")).kind;
const kinds = best === "overlay" ? (["overlay", "copy"] as const) : (["copy"] as const);

const store = counting(fixture.store);
const base = {
  "workspace/a.txt": "alpha",
  "workspace/dir/one": "1",
  "workspace/dir/two": "2",
  "workspace/dir/deep/three": "3",
  "workspace/other/x": "x",
  "state/memory": "m",
};
const source = fixture.fresh();
writeFiles(source, base);
symlinkSync("a.txt", join(source, "workspace/link"));
const { tree } = await saveDir(fixture, source, emptyTree);

const openTree = (disks: Disks, of: Tree, organizationId = "org_a"): Promise<Disk> =>
  disks.open({ store, organizationId, tree: of, dir: fixture.fresh(), limits });

const saveOf = (disk: Disk, before: Tree, after: Tree) => save({ store, keyPrefix: "d", dir: disk.dir, before, after });

/** Saves the current tree and keeps the disk. */
async function keep(disk: Disk, before: Tree): Promise<Tree> {
  const { tree: after } = await disk.scan();
  const saved = await saveOf(disk, before, after);
  await disk.keep(saved.tree);
  return saved.tree;
}

type Edit = (dir: string) => void;
const at = (dir: string, path: string): string => join(dir, "workspace", path);

const edits: [string, Edit][] = [
  ["nothing", () => {}],
  ["a new file", (dir) => writeFileSync(at(dir, "dir/new"), "n")],
  ["a changed file", (dir) => writeFileSync(at(dir, "dir/one"), "changed")],
  ["a deletion (whiteout)", (dir) => rmSync(at(dir, "dir/one"))],
  ["a deleted directory", (dir) => rmSync(at(dir, "dir"), { recursive: true })],
  ["all deleted", (dir) => readdirSync(at(dir, "")).forEach((name) => rmSync(at(dir, name), { recursive: true }))],
  [
    "a recreated directory (opaque) with one of its names",
    (dir) => {
      rmSync(at(dir, "dir"), { recursive: true });
      mkdirSync(at(dir, "dir"));
      writeFileSync(at(dir, "dir/two"), "again");
    },
  ],
  [
    "a recreated empty directory (opaque)",
    (dir) => {
      rmSync(at(dir, "dir"), { recursive: true });
      mkdirSync(at(dir, "dir"));
    },
  ],
  [
    "a recreated directory within a recreated one",
    (dir) => {
      rmSync(at(dir, "dir"), { recursive: true });
      mkdirSync(at(dir, "dir/deep"), { recursive: true });
      writeFileSync(at(dir, "dir/deep/four"), "4");
    },
  ],
  [
    "a file for a directory",
    (dir) => (rmSync(at(dir, "dir"), { recursive: true }), writeFileSync(at(dir, "dir"), "f")),
  ],
  ["a directory for a file", (dir) => (rmSync(at(dir, "a.txt")), mkdirSync(at(dir, "a.txt")))],
  [
    "a link for a directory",
    (dir) => (rmSync(at(dir, "dir"), { recursive: true }), symlinkSync("other", at(dir, "dir"))),
  ],
  ["another target of a link", (dir) => (rmSync(at(dir, "link")), symlinkSync("other", at(dir, "link")))],
  ["a renamed file", (dir) => renameSync(at(dir, "a.txt"), at(dir, "dir/b.txt"))],
  ["a renamed directory", (dir) => void execFileSync("mv", [at(dir, "dir"), at(dir, "moved")])],
  [
    "a renamed new directory",
    (dir) => (mkdirSync(at(dir, "n")), writeFileSync(at(dir, "n/f"), "f"), renameSync(at(dir, "n"), at(dir, "dir/n"))),
  ],
  ["only a mode", (dir) => chmodSync(at(dir, "a.txt"), 0o755)],
  ["only the mode of a directory", (dir) => chmodSync(at(dir, "dir"), 0o700)],
  ["a touch", (dir) => utimesSync(at(dir, "a.txt"), 1, 1)],
  [
    "a hard link to a file below",
    (dir) => (linkSync(at(dir, "a.txt"), at(dir, "hard")), writeFileSync(at(dir, "hard"), "both")),
  ],
  [
    "an edit of the same size and time",
    (dir) => {
      const { atime, mtime } = lstatSync(at(dir, "a.txt"));
      writeFileSync(at(dir, "a.txt"), "ALPHA");
      utimesSync(at(dir, "a.txt"), atime, mtime);
    },
  ],
  [
    "a write through a mapping",
    (dir) => {
      const program = "import mmap,sys; f=open(sys.argv[1],'r+b'); m=mmap.mmap(f.fileno(),0); m[0:1]; m[0:1]=b'Z'";
      execFileSync("python3", ["-c", program, at(dir, "a.txt")]);
    },
  ],
];

describe.each(kinds)("%s", (kind) => {
  test.each(edits)("finds, saves and keeps %s", async (_, edit) => {
    const disks = await open(kind);
    const disk = await openTree(disks, tree);
    expect(picture(disk.dir)).toEqual(picture(source));
    expect((await disk.scan()).tree).toEqual((await disk.scan()).tree);
    edit(disk.dir);
    const { tree: after, ignored } = await disk.scan();
    expect(ignored).toEqual([]);
    const independent = (await scan(disk.dir)).tree;
    expect(diff(tree, after)).toEqual(diff(tree, independent));
    expect(treeHash(after)).toBe(treeHash(independent));

    const left = picture(disk.dir);
    const saved = await saveOf(disk, tree, after);
    await disk.keep(saved.tree);
    expect(existsSync(join(disk.dir, "workspace"))).toBe(false);
    const before = store.requests;
    const again = await openTree(disks, saved.tree);
    expect([again.isWarm, store.requests]).toEqual([true, before]);
    expect(picture(again.dir)).toEqual(left);
    expect(treeHash((await again.scan()).tree)).toBe(saved.treeHash);
    await again.close();
    // It is the same from the store alone, without the cache.
    const cold = await openTree(await open(kind), saved.tree);
    expect([cold.isWarm, picture(cold.dir)]).toEqual([false, left]);
    await cold.close();
    await cold.close();
  });

  const showsTimes = testGuaranteeForAllDrivers("times");
  showsTimes("times that one turn sets are not seen in the next, in whichever session that is", async () => {
    const disks = await open(kind);
    const changed = ["workspace/a.txt", "workspace/new", "workspace/sub/f", "workspace/link", "workspace/sub", "state"];
    const oldest = Date.now() - 1_000;
    const disk = await openTree(disks, tree);
    mkdirSync(at(disk.dir, "sub"));
    for (const name of ["a.txt", "new", "sub/f"]) writeFileSync(at(disk.dir, name), "same bytes");
    rmSync(at(disk.dir, "link"));
    symlinkSync("new", at(disk.dir, "link"));
    for (const path of [...changed, "workspace"]) lutimesSync(join(disk.dir, path), 1111, 1111);
    const head = await keep(disk, tree);
    const next = await openTree(disks, head);
    expect(next.isWarm).toBe(true);
    for (const path of [...changed, "workspace"]) {
      const { mtimeMs, atimeMs } = lstatSync(join(next.dir, path));
      expect([path, mtimeMs > oldest, atimeMs > oldest]).toEqual([path, true, true]);
    }
    expect((await next.scan()).filesHashed).toBe(0);
    await next.close();
  });

  test("a directory is not read again, however short it was kept", async () => {
    const disks = await open(kind);
    const hashed: number[] = [];
    for (let round = 0, head = tree; round < 12; round++) {
      const disk = await openTree(disks, head);
      if (round > 0) hashed.push((await disk.scan()).filesHashed);
      writeFileSync(at(disk.dir, "a.txt"), `round ${round}`);
      head = await keep(disk, head);
    }
    expect(hashed).toEqual(hashed.map(() => 0));
  });

  test("a chain of turns stays right and of one size on the disk", async () => {
    const dir = fixture.fresh();
    const disks = await open(kind, dir);
    let head = tree;
    for (let turn = 0; turn < 24; turn++) {
      const disk = await openTree(disks, head);
      expect(disk.isWarm).toBe(turn > 0);
      writeFileSync(at(disk.dir, "log"), `turn ${turn}`);
      rmSync(at(disk.dir, "made"), { recursive: true, force: true });
      mkdirSync(at(disk.dir, "made"));
      writeFileSync(at(disk.dir, `made/${turn}`), "x".repeat(turn));
      const left = picture(disk.dir);
      head = await keep(disk, head);
      const check = await openTree(disks, head);
      expect(picture(check.dir)).toEqual(left);
      await (kind === "overlay" ? check.close() : check.keep(head));
    }
    expect(disks.sizeBytes).toBeLessThan(2_000);
    expect(readdirSync(dir, { recursive: true }).length).toBeLessThan(120);
  });

  test("turns on one tree at the same time do not see each other, and the store is read once", async () => {
    const disks = await open(kind);
    const before = store.requests;
    const all = await Promise.all([0, 1, 2].map(() => openTree(disks, tree)));
    if (kind === "overlay") expect(store.requests - before).toBe(1);
    const [one, two, three] = all as [Disk, Disk, Disk];
    writeFileSync(at(one.dir, "a.txt"), "one");
    rmSync(at(two.dir, "dir"), { recursive: true });
    expect(picture(three.dir)).toEqual(picture(source));
    const heads = [await keep(one, tree), await keep(two, tree)];
    expect(picture(three.dir)).toEqual(picture(source));
    await three.close();
    for (const head of heads) {
      const disk = await openTree(disks, head);
      expect(disk.isWarm).toBe(true);
      await disk.close();
    }
  });

  test("opening an announced tree waits until it is kept or closed", async () => {
    const disks = await open(kind);
    for (const isKept of [true, false]) {
      const disk = await openTree(disks, tree);
      writeFileSync(at(disk.dir, "dir/new"), String(isKept));
      mkdirSync(join(disk.dir, "tmp"));
      const saved = await saveOf(disk, tree, (await disk.scan()).tree);
      disk.announce(saved.tree);
      const next = openTree(disks, saved.tree);
      await (isKept ? disk.keep(saved.tree) : disk.close());
      const opened = await next;
      expect([opened.isWarm, readdirSync(opened.dir)]).toEqual([isKept, ["state", "workspace"]]);
      expect(readFileSync(at(opened.dir, "dir/new"), "utf8")).toBe(String(isKept));
      await opened.close();
    }
  });

  test("one organization cannot use another one's base", async () => {
    const disks = await open(kind);
    const mine = await openTree(disks, tree, "org_a");
    await mine.scan();
    await mine.keep(tree);
    const theirs = await openTree(disks, tree, "org_b");
    expect(theirs.isWarm).toBe(false);
    await theirs.close();
    await expect(openTree(disks, tree, "../org_a")).rejects.toThrow();
  });

  test("the limit is kept, the oldest is evicted first, and bases in use stay", async () => {
    const disks = await open(kind, fixture.fresh(), 25_000);
    const trees: Tree[] = [];
    const held = await openTree(disks, tree);
    for (let i = 0; i < 4; i++) {
      const dir = fixture.fresh();
      writeFiles(dir, { "workspace/f": String(i).repeat(10_000) });
      const saved = await saveDir(fixture, dir, emptyTree);
      trees.push(saved.tree);
      const disk = await openTree(disks, saved.tree);
      await disk.scan();
      await disk.keep(saved.tree);
      expect(disks.sizeBytes).toBeLessThanOrEqual(25_000);
    }
    expect(picture(held.dir)).toEqual(picture(source));
    await held.close();
    const warm: boolean[] = [];
    for (const each of trees) {
      const disk = await openTree(disks, each);
      warm.push(disk.isWarm);
      await disk.close();
    }
    expect(warm[0]).toBe(false);
  });

  test("special files and setuid bits are not kept, and odd names make it cold", async () => {
    const disks = await open(kind);
    const disk = await openTree(disks, tree);
    execFileSync("mkfifo", [at(disk.dir, "pipe")]);
    chmodSync(at(disk.dir, "a.txt"), 0o4755);
    rmSync(at(disk.dir, "dir/one"));
    execFileSync("mkfifo", [at(disk.dir, "dir/one")]);
    const { tree: after, ignored } = await disk.scan();
    expect(ignored.map(({ path }) => path).sort()).toEqual(["workspace/dir/one", "workspace/pipe"]);
    expect([after.get("workspace/a.txt")?.mode, after.has("workspace/dir/one")]).toEqual([0o755, false]);
    const saved = await saveOf(disk, tree, after);
    await disk.keep(saved.tree);
    const again = await openTree(disks, saved.tree);
    expect(existsSync(at(again.dir, "pipe"))).toBe(false);
    if (again.isWarm) expect(lstatSync(at(again.dir, "a.txt")).mode & 0o7777).toBe(0o755);
    writeFileSync(Buffer.concat([Buffer.from(`${at(again.dir, "")}/`), Buffer.from([0xff, 0x61])]), "lost");
    const odd = await again.scan();
    expect(odd.ignored).toEqual([{ path: "workspace/\ufffda", reason: "name_not_utf8" }]);
    await again.keep(saved.tree);
    const last = await openTree(disks, saved.tree);
    expect(readdirSync(at(last.dir, ""))).toHaveLength(4);
    await last.close();
  });

  test("limits are kept", async () => {
    const disks = await open(kind);
    for (const [limit, bound] of [
      ["files", { files: 11 }],
      ["bytes", { bytes: 30 }],
      ["file_bytes", { fileBytes: 9 }],
      ["path_bytes", { pathBytes: 24 }],
    ] as const) {
      const options = { store, organizationId: "org_a", tree, dir: fixture.fresh(), limits: { ...limits, ...bound } };
      const disk = await disks.open(options);
      writeFileSync(at(disk.dir, "dir/ten"), "0123456789");
      mkdirSync(at(disk.dir, "dir/deep/deeper"));
      writeFileSync(at(disk.dir, "dir/deep/deeper/file"), "0".repeat(9));
      writeFileSync(at(disk.dir, "dir/deep/other"), "0".repeat(9));
      await expect(disk.scan()).rejects.toMatchObject({ name: "WorkspaceLimitError", limit });
      await disk.close();
    }
  });
});

test("an overlay on an overlay is not tried: there, directories are copies", async () => {
  if (best === "copy") return;
  const disk = await openTree(await open("overlay"), tree);
  const disks = await open("auto", join(disk.dir, "workspace/inner"));
  expect([disks.kind, disks.reason.length > 0]).toEqual(["copy", true]);
  await expect(openDisks({ dir: join(disk.dir, "workspace/inner"), maxBytes: 1, kind: "overlay" })).rejects.toThrow();
  await disk.close();
});

test("the end of an overlay does not wait for what others write: it is mounted volatile", async () => {
  if (best === "copy") return;
  const disk = await openTree(await open("overlay"), tree);
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((one) => one.includes(` ${disk.dir} `));
  expect(line).toMatch(/ - overlay overlay .*\bvolatile\b/);
  await disk.close();
});

test("what a killed process left mounted is found and undone, and what it kept is warm", async () => {
  if (best === "copy") return;
  const dir = fixture.fresh();
  const disks = await open("overlay", dir);
  const kept = await openTree(disks, tree);
  writeFileSync(at(kept.dir, "a.txt"), "kept");
  const head = await keep(kept, tree);
  const left = await openTree(disks, head);
  writeFileSync(at(left.dir, "a.txt"), "lost");
  expect(await sweepMounts(fixture.top)).toBeGreaterThan(0);
  expect(readdirSync(left.dir)).toEqual([]);

  const next = await open("overlay", dir);
  const disk = await openTree(next, head);
  expect([disk.isWarm, readFileSync(at(disk.dir, "a.txt"), "utf8")]).toEqual([true, "kept"]);
  await disk.close();
  // Directories of interrupted turns are gone; those of kept trees exist.
  expect(readdirSync(join(dir, "org_a")).filter((name) => name.endsWith(".w"))).toEqual([]);

  // After another boot no directory is trusted: it may never have reached the disk.
  for (const name of readdirSync(join(dir, "org_a")).filter((one) => one.endsWith(".base"))) {
    const record = JSON.parse(readFileSync(join(dir, "org_a", name), "utf8")) as object;
    writeFileSync(join(dir, "org_a", name), JSON.stringify({ ...record, boot: "another" }));
  }
  const later = await openTree(await open("overlay", dir), head);
  expect(later.isWarm).toBe(false);
  await later.close();
});

testCoversSecurityTable("disks", everyDriver);
