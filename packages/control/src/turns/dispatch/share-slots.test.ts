// Which organizations get the free slots.

import { describe, expect, test } from "@jest/globals";
import type { Contender } from "./slot-limits.ts";
import { shareSlots } from "./share-slots.ts";
import { createVirtualTimes, type VirtualTimes } from "./virtual-times.ts";

function contender(organizationId: string, given: Partial<Contender> = {}): Contender {
  return { organizationId, weight: 1, maxConcurrency: null, inFlight: 0, isReady: true, ...given };
}

function fleetOf(slots: number) {
  return { slots, starts: slots, organizationMax: Infinity, isShared: true };
}

function share(times: VirtualTimes, slots: number, contenders: Contender[], limit = 500, nowMs = 0) {
  const shares = shareSlots(times, { ...fleetOf(slots), contenders }, limit, nowMs);
  return Object.fromEntries(shares.map(({ organizationId, count }) => [organizationId, count]));
}

describe("one round", () => {
  const flood = { inFlight: 9 };
  const holder = contender("b", { isReady: false, inFlight: 1 });
  test.each<[string, number, Contender[], Record<string, number>]>([
    ["nobody waits", 5, [], {}],
    ["no slots", 0, [contender("a")], {}],
    ["more in flight than slots", 2, [contender("a"), contender("b", { isReady: false, inFlight: 3 })], {}],
    ["round and round, one kept", 7, ["a", "b", "c"].map((id) => contender(id)), { a: 2, b: 2, c: 2 }],
    ["alone, one kept for others", 10, [contender("a")], { a: 9 }],
    ["alone on few slots", 3, [contender("a")], { a: 3 }],
    ["by weight", 10, [contender("a", { weight: 2 }), contender("b")], { a: 6, b: 3 }],
    ["its own bound", 10, [contender("a", { maxConcurrency: 2 }), contender("b")], { a: 2, b: 7 }],
    ["its own bound counts what is in flight", 10, [contender("a", { maxConcurrency: 2, inFlight: 2 })], {}],
    ["a flood leaves the reserve", 10, [contender("a", flood)], {}],
    ["a first message takes the reserve", 10, [contender("a", flood), contender("b")], { b: 1 }],
    ["who only holds slots gets none", 10, [contender("a", { isReady: false, inFlight: 2 })], {}],
    ["at most 80 % beside another", 20, [contender("a", { inFlight: 15 }), holder], { a: 1 }],
    ["the reserve is one in ten", 40, [contender("a", { inFlight: 20 }), contender("b", { inFlight: 15 })], { b: 1 }],
  ])("%s", (_, slots, contenders, expected) => {
    expect(share(createVirtualTimes(), slots, contenders)).toEqual(expected);
  });

  test("at most as many as can start", () => {
    const view = { ...fleetOf(100), starts: 2, contenders: [contender("a", { inFlight: 5 })] };
    expect(shareSlots(createVirtualTimes(), view, 500, 0)).toEqual([{ organizationId: "a", count: 2 }]);
    expect(shareSlots(createVirtualTimes(), { ...view, starts: -1 }, 500, 0)).toEqual([]);
  });

  test("at most the limit", () => {
    expect(share(createVirtualTimes(), 100, [contender("a"), contender("b")], 10)).toEqual({ a: 5, b: 5 });
  });
});

test("an organization that has had more waits, over many rounds", () => {
  const times = createVirtualTimes();
  const total: Record<string, number> = { a: 0, b: 0 };
  for (let i = 0; i < 100; i++) {
    const given = share(times, 1, [contender("a"), contender("b")]);
    for (const [id, count] of Object.entries(given)) {
      total[id] = (total[id] ?? 0) + count;
    }
    times.chargeEnded(
      Object.keys(given).map((organizationId) => ({ organizationId, weight: 1, turns: 1, seconds: 0.3 })),
      0,
    );
  }
  expect(Math.abs((total["a"] ?? 0) - (total["b"] ?? 0))).toBeLessThanOrEqual(1);
});

/** Simulates turns on a fleet, one second per round, with every organization always ready. */
function simulate(
  organizations: Record<string, { weight?: number; turnSeconds: number }>,
  slots: number,
  seconds: number,
) {
  const times = createVirtualTimes();
  const running: { id: string; endsAt: number; seconds: number }[] = [];
  const held: Record<string, number> = {};
  const turns: Record<string, number> = {};
  for (let now = 0; now < seconds; now++) {
    const ended = running.filter((turn) => turn.endsAt <= now);
    for (const turn of ended) running.splice(running.indexOf(turn), 1);
    times.chargeEnded(
      ended.map(({ id, seconds: took }) => {
        return { organizationId: id, weight: organizations[id]?.weight ?? 1, turns: 1, seconds: took };
      }),
      now * 1_000,
    );
    const contenders = Object.entries(organizations).map(([id, { weight = 1 }]) =>
      contender(id, { weight, inFlight: running.filter((turn) => turn.id === id).length }),
    );
    for (const [id, count] of Object.entries(share(times, slots, contenders, 500, now * 1_000))) {
      const took = organizations[id]?.turnSeconds ?? 1;
      for (let i = 0; i < count; i++) running.push({ id, endsAt: now + took, seconds: took });
      turns[id] = (turns[id] ?? 0) + count;
    }
    for (const { id } of running) held[id] = (held[id] ?? 0) + 1;
  }
  return { held, turns };
}

describe("slot seconds converge", () => {
  test("to the weights, over 300 turns", () => {
    const { turns } = simulate({ a: { weight: 2, turnSeconds: 1 }, b: { turnSeconds: 1 } }, 10, 34);
    expect((turns["a"] ?? 0) + (turns["b"] ?? 0)).toBeGreaterThanOrEqual(300);
    expect((turns["a"] ?? 0) / (turns["b"] ?? 1)).toBeCloseTo(2, 1);
  });

  test("long turns pay for their length", () => {
    const { held } = simulate({ long: { turnSeconds: 20 }, short: { turnSeconds: 1 } }, 3, 4_000);
    const ratio = (held["long"] ?? 0) / (held["short"] ?? 1);
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.1);
  });
});

describe("virtual time", () => {
  test("a late comer neither starves nor catches up", () => {
    const times = createVirtualTimes();
    for (let i = 1; i <= 50; i++) share(times, 100, [contender("a", { inFlight: i })], 1);
    const both = [contender("a", { inFlight: 50 }), contender("late")];
    expect(share(times, 100, both, 10)).toEqual({ a: 5, late: 5 });
  });

  test("an organization that waits at its own limit saves up nothing", () => {
    const times = createVirtualTimes();
    const bound = contender("bound", { inFlight: 1, maxConcurrency: 1 });
    for (let i = 1; i <= 50; i++) share(times, 100, [contender("a", { inFlight: i }), bound], 1);
    const freed = [contender("a", { inFlight: 50 }), contender("bound", { inFlight: 1 })];
    expect(share(times, 100, freed, 10)).toEqual({ a: 4, bound: 6 });
  });

  test("what was charged ahead is given back when the turns' ends are charged", () => {
    const times = createVirtualTimes();
    share(times, 10, [contender("a"), contender("b")], 8);
    times.chargeEnded([{ organizationId: "a", weight: 1, turns: 3, seconds: 0.5 }], 0);
    expect([times.of("a"), times.of("b")]).toEqual([1.5, 4]);
  });

  test("what was charged ahead for turns that never began is given back to an idle organization", () => {
    const times = createVirtualTimes();
    share(times, 10, [contender("a"), contender("b")], 4);
    share(times, 10, [contender("b", { inFlight: 2 })], 0, 10_000);
    share(times, 10, [contender("a"), contender("b", { inFlight: 2 })], 0, 10_000);
    expect([times.of("a"), times.of("b")]).toEqual([2, 2]);
    expect(share(times, 10, [contender("a"), contender("b", { inFlight: 2 })], 1, 10_000)).toEqual({ a: 1 });
  });

  test("a debt halves in ten idle minutes, and is forgotten after an hour", () => {
    const times = createVirtualTimes();
    share(times, 10, [contender("a")], 0);
    times.chargeEnded([{ organizationId: "a", weight: 1, turns: 1, seconds: 64 }], 0);
    share(times, 10, [contender("b")], 0, 300_000);
    share(times, 10, [contender("a"), contender("b")], 0, 600_000);
    expect(times.of("a")).toBeCloseTo(32);
    share(times, 10, [contender("b")], 0, 600_000 + 3_600_001);
    expect([times.size, times.of("a")]).toEqual([1, 0]);
  });
});

test("ten thousand organizations are shared among in one go", () => {
  const many = Array.from({ length: 10_000 }, (_, i) => contender(`o${i}`));
  const shares = shareSlots(createVirtualTimes(), { ...fleetOf(1_000), contenders: many }, 500, 0);
  expect(shares).toHaveLength(500);
});
