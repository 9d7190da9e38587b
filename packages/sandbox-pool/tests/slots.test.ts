// Slots of preloaded sandboxes: which directories are used again.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createBwrapDriver, openSlotMounts, type SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createSlots } from "../src/slots.ts";

const root = mkdtempSync(join(tmpdir(), "warm-slots-"));
const slotsDir = join(root, "warm");
let mounts: SlotMounts;

beforeAll(async () => {
  mounts = await openSlotMounts(slotsDir, createBwrapDriver());
});

afterAll(async () => {
  await mounts.close();
  rmSync(root, { recursive: true });
});

/**
 * Repeats the change until its time differs from the directory's creation, because the clock has steps of milliseconds.
 */
async function change(dir: string, act: (dir: string) => void): Promise<void> {
  const before = statSync(dir, { bigint: true }).ctimeNs;
  const isSeen = (): boolean => (act(dir), statSync(dir, { bigint: true }).ctimeNs !== before);
  await waitUntil(isSeen, { what: "a change that the clock tells" });
}

test("an unchanged slot is used again, a changed one is removed, and none is left at the end", async () => {
  const slots = createSlots(mounts);
  const [first, second] = [await slots.allocate(), await slots.allocate()];
  await slots.release(first);
  expect(await slots.allocate()).toBe(first);
  writeFileSync(join(second.slotDir, "state", "left"), "");
  await slots.release(second);
  // These are empty again, but not unchanged.
  const [third, fourth] = [await slots.allocate(), await slots.allocate()];
  await change(join(third.slotDir, "state"), (dir) => {
    writeFileSync(join(dir, "left"), "");
    rmSync(join(dir, "left"));
  });
  await change(join(fourth.slotDir, "workspace"), (dir) => chmodSync(dir, 0));
  for (const slot of [third, fourth]) await slots.release(slot);
  expect(readdirSync(slotsDir)).toEqual([basename(first.slotDir)]);
  await slots.close();
  await slots.release(first);
  expect(readdirSync(slotsDir)).toEqual([]);
});
