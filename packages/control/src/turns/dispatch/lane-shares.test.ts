// The share of background work in one organization's turns.

import { describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { createLaneShares, pickBackgroundFirst } from "./lane-shares.ts";

const share = 1 / limits.backgroundOneIn;

interface Flood {
  readonly slots: number;
  /** Seconds per turn of each lane. */
  readonly interactive: number;
  readonly background: number;
  readonly seconds: number;
}

/** Both lanes always wait. Counts the turns of each, and the seconds that they held slots. */
function simulate({ slots, interactive, background, seconds }: Flood) {
  const lanes = createLaneShares();
  let running: { isBackground: boolean; endsAt: number }[] = [];
  const turns = { interactive: 0, background: 0 };
  const held = { interactive: 0, background: 0 };
  for (let now = 0; now < seconds; now++) {
    running = running.filter((turn) => turn.endsAt > now);
    const count = slots - running.length;
    const inBackground = running.filter((turn) => turn.isBackground).length;
    const first = lanes.backgroundFirst("a", count, { inFlight: running.length, background: inBackground });
    lanes.record("a", { interactive: count - first, background: first });
    turns.interactive += count - first;
    turns.background += first;
    for (let i = 0; i < count; i++) {
      running.push({ isBackground: i < first, endsAt: now + (i < first ? background : interactive) });
    }
    for (const turn of running) held[turn.isBackground ? "background" : "interactive"] += 1;
  }
  const part = ({ interactive: i, background: b }: typeof turns): number => b / (b + i);
  return { ofTurns: part(turns), ofSlots: part(held) };
}

describe("while both lanes wait", () => {
  test.each([1, 2, 4, 5, 10, 50])("background work gets its share of turns on %i slots", (slots) => {
    const { ofTurns } = simulate({ slots, interactive: 1, background: 1, seconds: 1_000 });
    expect(ofTurns).toBeCloseTo(share, 2);
  });

  test.each([10, 50])("long background turns hold at most their share of %i slots", (slots) => {
    const { ofSlots } = simulate({ slots, interactive: 1, background: 60, seconds: 3_000 });
    expect(ofSlots).toBeLessThanOrEqual(share);
    expect(ofSlots).toBeGreaterThan(share * 0.8);
  });

  test("long background turns hold one of few slots", () => {
    const { ofSlots } = simulate({ slots: 2, interactive: 1, background: 60, seconds: 3_000 });
    expect(ofSlots).toBeLessThanOrEqual(0.5);
  });
});

test("background work that had every turn gives the next one to an interactive message", () => {
  const lanes = createLaneShares();
  for (let i = 0; i < 100; i++) lanes.record("a", { interactive: 0, background: 1 });
  expect(lanes.backgroundFirst("a", 1, { inFlight: 3, background: 3 })).toBe(0);
});

test("background work that starts after many interactive turns is due one turn, not all earlier ones", () => {
  const lanes = createLaneShares();
  for (let i = 0; i < 100; i++) lanes.record("a", { interactive: 1, background: 0 });
  const held = { inFlight: 9, background: 0 };
  expect([lanes.backgroundFirst("a", 1, held), lanes.backgroundFirst("a", 4, held)]).toEqual([1, 1]);
});

test("without a memory, chance decides, and never above its share of slots", () => {
  const free = { inFlight: 9, background: 1 };
  expect([pickBackgroundFirst(free, share - 0.01), pickBackgroundFirst(free, share)]).toEqual([true, false]);
  expect(pickBackgroundFirst({ inFlight: 9, background: 2 }, 0)).toBe(false);
});
