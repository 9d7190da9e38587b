// Who gets the free slots.

import { expect, test } from "@jest/globals";
import { shareSlots, type VirtualTimes } from "./shares.ts";

function counts(shares: readonly { organizationId: string; count: number }[]): Record<string, number> {
  return Object.fromEntries(shares.map((share) => [share.organizationId, share.count]));
}

test("slots go round among those that wait", () => {
  expect(counts(shareSlots(new Map(), ["a", "b", "c"], 7))).toEqual({ a: 3, b: 2, c: 2 });
  expect(shareSlots(new Map(), [], 5)).toEqual([]);
  expect(shareSlots(new Map(), ["a"], 0)).toEqual([]);
});

test("who has had more waits, over many rounds", () => {
  const times: VirtualTimes = new Map();
  const total: Record<string, number> = { a: 0, b: 0 };
  for (let i = 0; i < 100; i++) {
    for (const { organizationId, count } of shareSlots(times, ["a", "b"], 1)) {
      total[organizationId] = (total[organizationId] ?? 0) + count;
    }
  }
  expect(total).toEqual({ a: 50, b: 50 });
});

test("a late comer neither starves nor catches up", () => {
  const times: VirtualTimes = new Map();
  for (let i = 0; i < 50; i++) shareSlots(times, ["a"], 1);
  expect(counts(shareSlots(times, ["a", "late"], 10))).toEqual({ a: 5, late: 5 });
});
