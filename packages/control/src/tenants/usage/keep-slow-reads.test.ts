// Slow answers are kept in proportion to their time; fast and failed ones are not.

import { expect, test } from "@jest/globals";
import { keepSlowReads } from "./keep-slow-reads.ts";

function createClock() {
  const clock = { ms: 0, reads: 0 };
  const keep = keepSlowReads<number>(() => clock.ms);
  const read = (tookMs: number, key = "a"): Promise<number> =>
    keep(key, async () => {
      clock.reads += 1;
      await Promise.resolve();
      clock.ms += tookMs;
      return clock.reads;
    });
  return { clock, keep, read };
}

test("an answer is kept for twenty times as long as its read took, at most for a minute", async () => {
  const { clock, read } = createClock();
  expect(await read(500)).toBe(1);
  clock.ms += 9_999;
  expect(await read(500)).toBe(1);
  clock.ms += 2;
  expect(await read(9_000)).toBe(2);
  clock.ms += 59_999;
  expect(await read(1)).toBe(2);
  clock.ms += 2;
  expect(await read(1)).toBe(3);
});

test("a fast answer is not kept, and keys are independent", async () => {
  const { read } = createClock();
  expect([await read(49), await read(49)]).toEqual([1, 2]);
  expect([await read(100), await read(100, "b"), await read(1), await read(1, "b")]).toEqual([3, 4, 3, 4]);
});

test("calls during a read share it; a failure is not kept", async () => {
  const { clock, keep, read } = createClock();
  expect(await Promise.all([read(100), read(100)])).toEqual([1, 1]);
  const failing = () => keep("c", () => Promise.reject(new Error(`failed at ${clock.ms}`)));
  await expect(failing()).rejects.toThrow("failed at 100");
  clock.ms += 100;
  await expect(failing()).rejects.toThrow("failed at 200");
});
