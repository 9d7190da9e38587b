// A worker that is root only in a user namespace: its overlays hide deletions, and other kinds of workers do not use
// its layers.

import { afterAll, expect, test } from "@jest/globals";
import { createFilesystemBlobStore } from "@dari/blobs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { emptyTree, loadTree, openDisks, save, scan, type SnapshotRef } from "../src/index.ts";
import { openFixture, writeFiles } from "./fixture.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

const hasNamespaces = spawnSync("unshare", ["-Urm", "true"], { stdio: "ignore" }).status === 0;
const testThere = hasNamespaces ? test : test.skip;

const blobs = import.meta.resolve("@dari/blobs");
const workspace = new URL("../src/index.ts", import.meta.url).href;
const limits = JSON.stringify({ files: 100, bytes: 1e6, fileBytes: 1e6, pathBytes: 4096 });
/** A turn that recreates a directory, and the next opening of the tree. */
const program = `
  import { createFilesystemBlobStore } from ${JSON.stringify(blobs)};
  import { loadTree, openDisks, save } from ${JSON.stringify(workspace)};
  import { mkdirSync, readdirSync, rmSync } from "node:fs";
  const [top, key] = process.argv.slice(1);
  const store = createFilesystemBlobStore({ root: top + "/objects", durable: false });
  const disks = await openDisks({ dir: top + "/disks", maxBytes: 1e8 });
  const open = (tree, name) =>
    disks.open({ store, organizationId: "org_a", tree, dir: top + "/" + name, limits: ${limits} });
  const before = await loadTree(store, [{ objectKey: key }]);
  const disk = await open(before, "first");
  rmSync(disk.dir + "/workspace/dir", { recursive: true });
  mkdirSync(disk.dir + "/workspace/dir");
  const { tree: after } = await disk.scan();
  const saved = await save({ store, keyPrefix: "s", dir: disk.dir, before, after });
  await disk.keep(saved.tree);
  const next = await open(saved.tree, "second");
  const shown = readdirSync(next.dir + "/workspace/dir");
  console.log(JSON.stringify({ isWarm: next.isWarm, shown, objectKey: saved.objectKey }));
  await next.close();
  await disks.close();
`;

testThere("deleted files stay deleted, and another kind of worker starts from the packs", async () => {
  const top = fixture.fresh();
  const source = fixture.fresh();
  writeFiles(source, { "workspace/dir/old": "old", "workspace/a": "a" });
  const store = createFilesystemBlobStore({ root: join(top, "objects"), durable: false });
  const { tree } = await scan(source);
  const first = await save({ store, keyPrefix: "s", dir: source, before: emptyTree, after: tree });
  const node = [process.execPath, "--no-warnings", "--input-type=module", "-e", program, top, first.objectKey];
  const { stdout, stderr } = spawnSync("unshare", ["-Urm", ...node], {
    encoding: "utf8",
    env: { PATH: process.env.PATH },
  });
  expect(stderr).toBe("");
  const said = JSON.parse(stdout) as SnapshotRef;
  expect(said).toMatchObject({ isWarm: true, shown: [] });

  const disks = await openDisks({ dir: join(top, "disks"), maxBytes: 1e8 });
  const now = await loadTree(store, [first, said]);
  const mine = { files: 100, bytes: 1e6, fileBytes: 1e6, pathBytes: 4096 };
  const disk = await disks.open({ store, organizationId: "org_a", tree: now, dir: join(top, "third"), limits: mine });
  expect(disk.isWarm).toBe(false);
  expect((await disk.scan()).tree.get("workspace/dir/old")).toBeUndefined();
  await disk.close();
  await disks.close();
});
