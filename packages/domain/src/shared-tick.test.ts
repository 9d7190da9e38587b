// Timers of one process are due at the same moments.

import { expect, test } from "@jest/globals";
import { msToNextTick } from "./shared-tick.ts";

test("timers that start at different times are due together", () => {
  const due = [1_230, 1_400.5, 1_771].map((now) => now + msToNextTick(500, 0, now));
  expect(due.map(Math.floor)).toEqual([1_500, 1_500, 2_000]);
  expect(1_230 + msToNextTick(1_000, 0, 1_230)).toBe(2_000);
});

test("a timer that runs up to two milliseconds early is not due again at once", () => {
  for (const now of [1_498.2, 1_499, 1_499.9]) expect(Math.floor(now + msToNextTick(500, 0, now))).toBe(2_000);
  expect(msToNextTick(500, 0, 1_500)).toBe(500);
});

test("a shift moves the moments, also before the first of them", () => {
  expect(msToNextTick(5_000, 1_500, 2_000)).toBe(4_500);
  expect(msToNextTick(5_000, 1_500, 100)).toBe(1_400);
});

test("never returns 0, whatever the interval", () => {
  for (const everyMs of [1, 3, 250]) {
    for (let now = 0; now < 10; now += 0.3) {
      const ms = msToNextTick(everyMs, 0, now);
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThanOrEqual(everyMs + 2);
    }
  }
});
