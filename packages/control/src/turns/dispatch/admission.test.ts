// What the API may take ahead of the dispatcher.

import { expect, test } from "@jest/globals";
import { createFleetView } from "./admission.ts";
import type { Contender } from "./slot-limits.ts";

function view(slots: number, ...contenders: Partial<Contender>[]) {
  return viewWithStarts(slots, slots, ...contenders);
}

function viewWithStarts(slots: number, starts: number, ...contenders: Partial<Contender>[]) {
  const filled = contenders.map((given) => {
    return { organizationId: "a", weight: 1, maxConcurrency: null, inFlight: 0, isReady: false, ...given };
  });
  return createFleetView({ slots, starts, organizationMax: Infinity, isShared: true, contenders: filled });
}

test("no more turns are dispatched than can start, and a turn that ends makes room for another start", () => {
  const a = viewWithStarts(100, 2, { inFlight: 5 });
  expect([a.takeSlot("a"), a.takeSlot("a")]).toEqual([true, true]);
  a.returnSlot("a");
  expect([a.takeSlot("a"), a.takeSlot("a"), a.takeSlot("new")]).toEqual([true, false, false]);
});

test("an organization's own limit applies", () => {
  const a = view(10, { inFlight: 1, maxConcurrency: 3 });
  expect(Array.from({ length: 4 }, () => a.takeSlot("a"))).toEqual([true, true, false, false]);
});

test("the reserve is for those with nothing in flight", () => {
  const a = view(4, { inFlight: 2 });
  expect([a.takeSlot("a"), a.takeSlot("a"), a.takeSlot("b"), a.takeSlot("c")]).toEqual([true, false, true, false]);
});

test("an unknown organization gets one turn until the next reading", () => {
  const a = view(10);
  expect([a.takeSlot("new"), a.takeSlot("new")]).toEqual([true, false]);
});

test("an organization that holds nothing now gets the limit that it had when it was last seen", () => {
  const fleet = { slots: 5, starts: 5, organizationMax: Infinity, isShared: false, contenders: [] };
  const taken = (bound: number | null): number => {
    const seen = createFleetView(fleet, new Map([["a", bound]]));
    return Array.from({ length: 6 }, () => seen.takeSlot("a")).filter(Boolean).length;
  };
  expect([taken(2), taken(null)]).toEqual([2, 5]);
});

test("no one passes an organization that waits for a free slot; one that waits at its own limit is passed", () => {
  expect(view(10, { isReady: true }).takeSlot("b")).toBe(false);
  expect(view(10, { isReady: true, inFlight: 8 }).takeSlot("a")).toBe(false);
  const capped = view(10, { isReady: true, inFlight: 3, maxConcurrency: 3 });
  expect([capped.takeSlot("a"), capped.takeSlot("b")]).toEqual([false, true]);
});

test("a slot that became free can be taken again, unless another organization was refused one before", () => {
  const a = view(10, { inFlight: 1, maxConcurrency: 2 });
  expect(a.takeSlot("a")).toBe(true);
  a.returnSlot("a");
  expect([a.takeSlot("a"), a.takeSlot("a")]).toEqual([true, false]);
  a.returnSlot("a");
  expect(a.takeSlot("a")).toBe(false);
});

test("an organization cannot return slots that it does not hold", () => {
  const a = view(5, { inFlight: 4, organizationId: "other" });
  a.returnSlot("a");
  expect([a.takeSlot("b"), a.takeSlot("c")]).toEqual([true, false]);
});
