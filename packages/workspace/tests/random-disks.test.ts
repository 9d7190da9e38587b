// Random trees with random edits on disks of both kinds: a few cases, and in the nightly ring the others.

import { afterAll, test } from "@jest/globals";
import { openDisks, sweepMounts } from "../src/index.ts";
import { openFixture } from "./fixture.ts";
import { runDiskCase } from "./random-case.ts";

const [firstSeed, lastSeed] = process.env["DARI_TEST_RING"] === "nightly" ? [4, 40] : [1, 3];

const fixture = openFixture();
afterAll(async () => {
  await sweepMounts(fixture.top);
  fixture[Symbol.dispose]();
});

const open = (kind: "auto" | "copy") => openDisks({ dir: fixture.fresh(), maxBytes: 1024 ** 3, kind });

test.each(["auto", "copy"] as const)("random trees and edits, %s", async (kind) => {
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const disks = await open(kind);
    await runDiskCase(fixture, disks, seed);
    await disks.close();
  }
});
