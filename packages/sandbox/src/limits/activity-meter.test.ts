// The meter of a sandbox's activity, with a processor time and a clock that the test sets.

import { expect, test } from "@jest/globals";
import { createActivityMeter } from "./activity-meter.ts";

/** A meter of a sandbox that a test lets run. */
function openMeter(seconds?: number) {
  const sandbox = { seconds, atMs: 0 };
  const meter = createActivityMeter(
    () => sandbox.seconds,
    () => sandbox.atMs,
  );
  return Object.assign(sandbox, meter);
}

test("a sandbox is checked for five seconds after its processor time has changed", () => {
  const sandbox = openMeter(1);
  expect(sandbox.isDue()).toBe(true);
  sandbox.atMs = 5_000;
  expect(sandbox.isDue()).toBe(true);
  sandbox.atMs = 5_001;
  expect(sandbox.isDue()).toBe(false);
  sandbox.seconds = 1.1;
  sandbox.atMs = 6_000;
  expect(sandbox.isDue()).toBe(true);
  sandbox.atMs = 11_001;
  expect(sandbox.isDue()).toBe(false);
});

test("a sandbox that runs little is looked at once a second, and at each call after it has run more", () => {
  const sandbox = openMeter(1);
  const dueAt = (atMs: number, seconds: number): boolean => (
    Object.assign(sandbox, { atMs, seconds }),
    sandbox.isDue()
  );
  expect([dueAt(0, 1), dueAt(200, 1.001)]).toEqual([true, true]);
  expect([dueAt(400, 1.0011), dueAt(1_199, 1.5)]).toEqual([false, false]);
  expect([dueAt(1_200, 1.5), dueAt(1_400, 1.6), dueAt(1_600, 1.6001), dueAt(1_800, 1.7)]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  sandbox.wake();
  expect(dueAt(1_900, 1.7)).toBe(true);
});

test("a sandbox whose processor time is unknown is always checked", () => {
  const sandbox = openMeter();
  sandbox.atMs = 60_000;
  expect(sandbox.isDue()).toBe(true);
  expect(sandbox.isDue()).toBe(true);
});

test("a sandbox that ran during a long check is checked for five seconds after the check", () => {
  const sandbox = openMeter(1);
  sandbox.isDue();
  sandbox.atMs = 200;
  sandbox.isDue();
  const endCheck = sandbox.startCheck();
  sandbox.atMs = 400;
  sandbox.seconds = 2;
  sandbox.wake();
  sandbox.isDue();
  sandbox.atMs = 600;
  sandbox.isDue();
  const endLaterCheck = sandbox.startCheck();
  sandbox.atMs = 6_000;
  endLaterCheck();
  expect(sandbox.isDue()).toBe(false);
  endCheck();
  sandbox.atMs = 11_000;
  expect(sandbox.isDue()).toBe(true);
  sandbox.atMs = 11_001;
  expect(sandbox.isDue()).toBe(false);
});
