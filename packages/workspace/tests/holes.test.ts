// Files with holes: unwritten parts are stored as one frame, up to a limit.

import { afterAll, expect } from "@jest/globals";
import { everyDriver, testGuaranteeForAllDrivers, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { createHash } from "node:crypto";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  defaultWorkspaceLimits as limits,
  emptyTree,
  openDisks,
  save,
  sweepMounts,
  type Disk,
  type Disks,
} from "../src/index.ts";
import { openFixture } from "./fixture.ts";

const fixture = openFixture();
const opened: Disks[] = [];
afterAll(async () => {
  await sweepMounts(fixture.top);
  for (const disks of opened) await disks.close();
  fixture[Symbol.dispose]();
});

type Kind = "overlay" | "copy";

async function openKind(kind: "auto" | Kind): Promise<Disks> {
  const disks = await openDisks({ dir: fixture.fresh(), maxBytes: 1024 ** 3, kind });
  opened.push(disks);
  return disks;
}

/** Overlays are tested if this process may mount them. */
const kinds: readonly Kind[] = (await openKind("auto")).kind === "overlay" ? ["overlay", "copy"] : ["copy"];

async function open(kind: Kind): Promise<Disk> {
  const disks = await openKind(kind);
  const { store } = fixture;
  return disks.open({ store, organizationId: "org_a", tree: emptyTree, dir: fixture.fresh(), limits });
}

const at = (dir: string, path: string): string => join(dir, "workspace", path);

function sha256OfZeros(mebibytes: number): string {
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(1024 ** 2);
  for (let i = 0; i < mebibytes; i++) hash.update(zeros);
  return hash.digest("hex");
}

const showsHoles = testGuaranteeForAllDrivers("holes");
showsHoles.each(kinds)(
  "%s: sparse files above the limit are refused before they are read",
  async (kind) => {
    const disk = await open(kind);
    const MiB = 1024 ** 2;
    for (const name of ["one", "two"]) {
      writeFileSync(at(disk.dir, name), "");
      truncateSync(at(disk.dir, name), 40 * MiB);
    }
    writeFileSync(at(disk.dir, "one"), Buffer.alloc(9 * MiB, 1), { flag: "r+" });
    const { tree: after } = await disk.scan();
    const saved = await save({ store: fixture.store, keyPrefix: "h", dir: disk.dir, before: emptyTree, after });
    // All holes are one frame.
    expect(saved.sizeBytes).toBeLessThan(100_000);
    expect(after.get("workspace/two")?.sha256).toBe(sha256OfZeros(40));
    truncateSync(at(disk.dir, "two"), 1_100 * MiB);
    await expect(disk.scan()).rejects.toThrow(/bytes that were never written; the limit is 1073741824/);
    await disk.close();
  },
  120_000,
);

testCoversSecurityTable("holes", everyDriver);
