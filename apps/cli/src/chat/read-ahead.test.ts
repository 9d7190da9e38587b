// Tests reading ahead.

import { expect, test } from "@jest/globals";
import { readAhead } from "./read-ahead.ts";

async function* numbers(to: number, error?: Error): AsyncGenerator<number> {
  for (let number = 1; number <= to; number++) yield await Promise.resolve(number);
  if (error !== undefined) throw error;
}

test("items are noticed while the consumer is busy, and come in order", async () => {
  const noticed: number[] = [];
  const items = readAhead(numbers(3), (item) => noticed.push(item));
  expect(await items.next()).toEqual({ value: 1, done: false });
  await new Promise(setImmediate);
  expect(noticed).toEqual([1, 2, 3]);
  expect([await items.next(), await items.next(), await items.next()]).toEqual([
    { value: 2, done: false },
    { value: 3, done: false },
    { value: undefined, done: true },
  ]);
});

test("an error of the source comes after its items", async () => {
  const items = readAhead(numbers(1, new Error("broken")), () => undefined);
  expect(await items.next()).toMatchObject({ value: 1 });
  await expect(items.next()).rejects.toThrow("broken");
});

test("a consumer that leaves ends the source", async () => {
  let isEnded = false;
  async function* endless(): AsyncGenerator<number> {
    try {
      for (let number = 0; ; number++) {
        yield number;
        await new Promise(setImmediate);
      }
    } finally {
      isEnded = true;
    }
  }
  for await (const item of readAhead(endless(), () => undefined)) if (item === 1) break;
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(isEnded).toBe(true);
});
