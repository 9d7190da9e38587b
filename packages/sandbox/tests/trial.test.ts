// A driver's report about a machine on which its test does not end.

import { expect, test } from "@jest/globals";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBwrapDriver } from "../src/index.ts";
import { countSleepers } from "./sandbox-fixture.ts";

test("a bubblewrap that hangs is ended, and cannot be used", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sandbox-trial-"));
  try {
    const bwrapPath = join(dir, "bwrap");
    const seconds = "86414";
    await writeFile(bwrapPath, `#!/bin/sh\nexec sleep ${seconds}\n`);
    await chmod(bwrapPath, 0o755);
    const driver = createBwrapDriver({ bwrapPath, controlGroups: false, tryWithinMs: 100 });
    const found = await driver.probe();
    expect(found.ok ? "usable" : found.reason).toContain("did not end within 100 ms");
    expect(countSleepers(seconds)).toBe(0);
  } finally {
    await rm(dir, { recursive: true });
  }
}, 30_000);
