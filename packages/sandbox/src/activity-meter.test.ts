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

test("a sandbox is active for five seconds after its processor time has changed", () => {
  const sandbox = openMeter(1);
  expect(sandbox.isActive()).toBe(true);
  sandbox.atMs = 5_000;
  expect(sandbox.isActive()).toBe(true);
  sandbox.atMs = 5_001;
  expect(sandbox.isActive()).toBe(false);
  sandbox.seconds = 1.000001;
  expect(sandbox.isActive()).toBe(true);
  sandbox.atMs = 10_002;
  expect(sandbox.isActive()).toBe(false);
});

test("a sandbox whose processor time is unknown is active", () => {
  const sandbox = openMeter();
  sandbox.atMs = 60_000;
  expect(sandbox.isActive()).toBe(true);
  expect(sandbox.isActive()).toBe(true);
});

test("a sandbox that ran during a long check is active for five seconds after the check", () => {
  const sandbox = openMeter(1);
  sandbox.isActive();
  sandbox.atMs = 200;
  sandbox.isActive();
  const endCheck = sandbox.startCheck();
  sandbox.atMs = 400;
  sandbox.seconds = 2;
  sandbox.isActive();
  sandbox.atMs = 600;
  sandbox.isActive();
  const endLaterCheck = sandbox.startCheck();
  sandbox.atMs = 6_000;
  endLaterCheck();
  expect(sandbox.isActive()).toBe(false);
  endCheck();
  sandbox.atMs = 11_000;
  expect(sandbox.isActive()).toBe(true);
  sandbox.atMs = 11_001;
  expect(sandbox.isActive()).toBe(false);
});
