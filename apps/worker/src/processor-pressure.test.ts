// When processors are busy.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openProcessorPressure } from "./processor-pressure.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "dari-pressure-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, stalledMs: number): string {
  const file = join(dir, name);
  const zero = "avg10=0.00 avg60=0.00 avg300=0.00";
  writeFileSync(file, `some ${zero} total=${stalledMs * 1_000}\nfull ${zero} total=0\n`);
  return file;
}

test("processors are busy if something waited for one in almost all the time, on the machine or in a group", () => {
  let [now, machineMs, groupMs] = [0, 5_000, 7_000];
  const files = [write("machine", machineMs), write("group", groupMs)];
  const isBusy = openProcessorPressure(files, () => now)!;
  const after = (ms: number, machine: number, group: number): boolean => {
    [now, machineMs, groupMs] = [now + ms, machineMs + machine, groupMs + group];
    write("machine", machineMs);
    write("group", groupMs);
    return isBusy();
  };
  expect(after(1_000, 900, 200)).toBe(false);
  expect(after(1_000, 960, 0)).toBe(true);
  // The last answer holds until enough time has passed.
  expect([after(500, 0, 0), after(500, 0, 0)]).toEqual([true, false]);
  expect(after(1_000, 0, 950)).toBe(true);
});

test("a group that was removed is not busy, and without the machine's file there is no answer", () => {
  let now = 0;
  const [machine, group] = [write("machine", 0), write("group", 0)];
  const isBusy = openProcessorPressure([machine, group, join(dir, "none")], () => now)!;
  rmSync(group);
  now = 1_000;
  expect(isBusy()).toBe(false);
  expect(openProcessorPressure([join(dir, "none")])).toBeUndefined();
});
