// What the API may take ahead of the dispatcher.

import { expect, test } from "@jest/globals";
import { createFleetView } from "./admission.ts";
import type { Contender } from "./slot-limits.ts";

function view(slots: number, ...contenders: Partial<Contender>[]) {
  const filled = contenders.map((given) => {
    return { organizationId: "a", weight: 1, maxConcurrency: null, inFlight: 0, isReady: false, ...given };
  });
  return createFleetView({ slots, isShared: true, contenders: filled });
}

test("an organization's own bound holds", () => {
  const a = view(10, { inFlight: 1, maxConcurrency: 3 });
  expect(Array.from({ length: 4 }, () => a.takeSlot("a"))).toEqual([true, true, false, false]);
});

test("the reserve is for those with nothing in flight", () => {
  const a = view(4, { inFlight: 2 });
  expect([a.takeSlot("a"), a.takeSlot("a"), a.takeSlot("b"), a.takeSlot("c")]).toEqual([true, false, true, false]);
});

test("an organization unseen so far takes one turn until the next reading", () => {
  const a = view(10);
  expect([a.takeSlot("new"), a.takeSlot("new")]).toEqual([true, false]);
});

test("an organization that holds nothing now takes what its bound was when it was last seen", () => {
  const fleet = { slots: 5, isShared: false, contenders: [] };
  const taken = (bound: number | null): number => {
    const seen = createFleetView(fleet, new Map([["a", bound]]));
    return Array.from({ length: 6 }, () => seen.takeSlot("a")).filter(Boolean).length;
  };
  expect([taken(2), taken(null)]).toEqual([2, 5]);
});

test("nobody passes who waits for a free slot; who waits at its own cap is passed", () => {
  expect(view(10, { isReady: true }).takeSlot("b")).toBe(false);
  expect(view(10, { isReady: true, inFlight: 8 }).takeSlot("a")).toBe(false);
  const capped = view(10, { isReady: true, inFlight: 3, maxConcurrency: 3 });
  expect([capped.takeSlot("a"), capped.takeSlot("b")]).toEqual([false, true]);
});

test("a slot that came free may be taken again, unless somebody was refused one before", () => {
  const a = view(10, { inFlight: 1, maxConcurrency: 2 });
  expect(a.takeSlot("a")).toBe(true);
  a.returnSlot("a");
  expect([a.takeSlot("a"), a.takeSlot("a")]).toEqual([true, false]);
  a.returnSlot("a");
  expect(a.takeSlot("a")).toBe(false);
});

test("what an organization does not hold, it does not give back", () => {
  const a = view(5, { inFlight: 4, organizationId: "other" });
  a.returnSlot("a");
  expect([a.takeSlot("b"), a.takeSlot("c")]).toEqual([true, false]);
});
