// A /tmp on the disk: exists while the program runs, has its own limit, and is removed afterwards.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readdir } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { createBwrapDriver, createLandlockDriver, createOciDriver, type SandboxDriver } from "../src/index.ts";
import { makeSlot, ociOptions, specFor, withSandbox } from "./sandbox-fixture.ts";

const MiB = 1024 ** 2;
const drivers: SandboxDriver[] = [];
for (const driver of [createBwrapDriver(), createOciDriver(ociOptions), createLandlockDriver()]) {
  if ((await driver.probe()).ok) drivers.push(driver);
}

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(async () => {
  for (const driver of drivers) await driver.close?.();
});

const write = (bytes: number, then: string): string[] => [
  "/bin/sh",
  "-c",
  `head -c ${bytes} /dev/zero > "$TMPDIR/large" && wc -c < "$TMPDIR/large" && ${then}`,
];

describe.each(drivers)("$name", (driver) => {
  test("a /tmp on the disk holds more than one in memory could, and is removed", async () => {
    const spec = specFor(slot, [], { argv: write(4 * MiB, "true"), limits: { tmpBytes: MiB } });
    await withSandbox(driver, { ...spec, diskTmpBytes: 64 * MiB }, async (sandbox) => {
      expect(Number(await text(sandbox.stdout))).toBe(4 * MiB);
      await sandbox.kill();
      expect(await sandbox.collect()).toMatchObject({ exceeded: undefined });
    });
    expect((await readdir(slot.slotDir)).sort()).toEqual(["state", "workspace"]);
  });

  test("a program that fills a /tmp on the disk is ended", async () => {
    const spec = specFor(slot, [], { argv: write(32 * MiB, "sleep 600"), limits: {} });
    await withSandbox(driver, { ...spec, diskTmpBytes: 16 * MiB }, async (sandbox) => {
      expect(await sandbox.exited).toMatchObject({ signal: "SIGKILL" });
      await sandbox.kill();
      expect(await sandbox.collect()).toMatchObject({ exceeded: "tmp" });
    });
  });
});
