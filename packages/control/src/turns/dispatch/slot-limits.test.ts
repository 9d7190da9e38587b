// What one organization may hold of the fleet.

import { describe, expect, test } from "@jest/globals";
import {
  getConcurrencyCap,
  createFleet,
  canTakeSlot,
  countReservedSlots,
  type Contender,
  type Fleet,
} from "./slot-limits.ts";

function contender(organizationId: string, given: Partial<Contender> = {}): Contender {
  return { organizationId, weight: 1, maxConcurrency: null, inFlight: 0, isReady: true, ...given };
}

function fleet(slots: number, ...contenders: Contender[]): Fleet {
  return { slots, starts: slots, organizationMax: Infinity, isShared: true, contenders };
}

test.each([
  [1, 0],
  [3, 0],
  [4, 1],
  [19, 1],
  [20, 2],
  [105, 10],
])("of %i slots, %i are reserved for organizations that hold none", (slots, reserved) => {
  expect(countReservedSlots({ slots, isShared: true })).toBe(reserved);
  expect(countReservedSlots({ slots, isShared: false })).toBe(0);
});

describe("the cap", () => {
  const a = contender("a");
  test.each([
    ["alone: everything", fleet(10, a), a, 10],
    ["another is ready", fleet(10, a, contender("b")), a, 8],
    ["another holds a slot", fleet(10, a, contender("b", { isReady: false, inFlight: 1 })), a, 8],
    ["never none", fleet(1, a, contender("b")), a, 1],
    ["its own, below the default", fleet(10, a), contender("a", { maxConcurrency: 3 }), 3],
    ["its own, above the default", fleet(10, a, contender("b")), contender("a", { maxConcurrency: 9 }), 9],
  ])("%s", (_, view, one, cap) => {
    expect(getConcurrencyCap(view, one)).toBe(cap);
  });
});

test.each([
  ["first slot, from the reserve", 0, 1, true],
  ["second slot, only the reserve is left", 1, 1, false],
  ["second slot, one more than the reserve", 1, 2, true],
  ["at the cap", 8, 2, false],
  ["nothing is free", 0, 0, false],
])("%s", (_, held, free, may) => {
  const a = contender("a");
  expect(canTakeSlot(fleet(10, a, contender("b")), a, held, free)).toBe(may);
});

test.each([
  ["fewer than its busy workers allow", {}, 3, true],
  ["as many as its busy workers allow", {}, 4, false],
  ["more", {}, 9, false],
  ["its own limit is higher", { maxConcurrency: 50 }, 4, false],
  ["its own limit is lower", { maxConcurrency: 2 }, 2, false],
])("while processors are busy, an organization that holds %s", (_, given, held, may) => {
  const a = contender("a", given);
  expect(canTakeSlot({ ...fleet(100, a), organizationMax: 4 }, a, held, 50)).toBe(may);
});

test("organizations that hold slots and those that are ready are one view", () => {
  const known = { organizationId: "a", weight: 2, maxConcurrency: 5 };
  const load = { slots: 4, starts: 4, organizationMax: 4, isShared: true, holders: [{ ...known, inFlight: 3 }] };
  const ready = [known, { organizationId: "b", weight: 1, maxConcurrency: null }];
  expect(createFleet(load, ready).contenders).toEqual([
    { ...known, inFlight: 3, isReady: true },
    contender("b", { inFlight: 0 }),
  ]);
  expect(createFleet(load, []).contenders).toEqual([{ ...known, inFlight: 3, isReady: false }]);
});
