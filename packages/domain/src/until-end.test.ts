// One wait for many events: the first one decides, all waiters see the end, and no listener remains.

import { expect, test } from "@jest/globals";
import { createRaceWith } from "./race-with.ts";

const never = new Promise<never>(() => {});

test("each promise has its own result or error until the end comes; later results are ignored", async () => {
  const { promise: end, resolve } = Promise.withResolvers<string>();
  const until = createRaceWith(end);
  expect(await until(Promise.resolve(1))).toBe(1);
  await expect(until(Promise.reject(new Error("its own")))).rejects.toThrow("its own");
  const waiting = [until(never), until(never)];
  resolve("over");
  expect(await Promise.all(waiting)).toEqual(["over", "over"]);
  expect([await until(never), await until(Promise.resolve(2))]).toEqual(["over", 2]);
});

test("an end that is an error is reported as an error", async () => {
  const { promise: end, reject } = Promise.withResolvers<never>();
  const until = createRaceWith(end);
  const waiting = until(never);
  reject(new Error("the end"));
  await expect(waiting).rejects.toThrow("the end");
  await expect(until(never)).rejects.toThrow("the end");
});
