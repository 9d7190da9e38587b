// For whom sandboxes wait, as the clock goes on; no sandbox is real.

import { expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import type { Sandbox, SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createDemand } from "../src/demand.ts";
import { createWarmPool, type WarmRecipe } from "../src/pool.ts";

const minuteMs = 60_000;

test("a loss ends the waiting of a busy agent for a minute, then for twice as long, at most five", () => {
  let now = 0;
  const demand = createDemand(() => now);
  demand.enter("busy");
  /** How long nothing is wanted from here on. */
  const refused = (): number => {
    demand.refuse("busy");
    const from = now;
    while (!demand.isWanted("busy")) now += minuteMs / 2;
    expect(demand.wanted("busy")).toBe(1);
    return (now - from) / minuteMs;
  };
  expect([refused(), refused(), refused(), refused(), refused()]).toEqual([1, 2, 4, 5, 5]);
  now += 6 * minuteMs;
  expect(refused()).toBe(1);
});

test("losses at the same time count as one, and an agent that is forgotten is not refused", () => {
  let now = 0;
  const demand = createDemand(() => now);
  demand.enter("one");
  for (let lost = 0; lost < 3; lost++) demand.refuse("one");
  expect([demand.wanted("one"), demand.isWanted("one")]).toEqual([0, false]);
  now += minuteMs;
  expect([demand.wanted("one"), demand.isWanted("one")]).toEqual([1, true]);
  demand.refuse("one");
  demand.leave("one");
  now += 1;
  demand.forget(0);
  demand.enter("one");
  expect(demand.wanted("one")).toBe(1);
});

test("a burst is remembered for half a minute, and then as many as run", () => {
  let now = 0;
  const demand = createDemand(() => now);
  for (let turn = 0; turn < 5; turn++) demand.enter("one");
  for (let turn = 0; turn < 3; turn++) demand.leave("one");
  now += minuteMs / 2;
  expect(demand.wanted("one")).toBe(5);
  now += 1;
  expect(demand.wanted("one")).toBe(2);
  for (let turn = 0; turn < 2; turn++) demand.leave("one");
  expect(demand.wanted("one")).toBe(1);
});

test("beside long turns none is ended for another, and none started soon after memory was short", async () => {
  let [looks, hasRoom] = [0, true];
  const started: string[] = [];
  const nothing = (): Promise<void> => Promise.resolve();
  const slots = { make: (name: string) => Promise.resolve(name), detach: nothing, remove: nothing };
  const mounts = { ...slots, isAsMade: () => Promise.resolve(true) } as Partial<SlotMounts> as SlotMounts;
  const log = createLogger({ name: "test", level: "error" });
  const usual = { mounts, slots: 9, sessionIdleMs: 0, log };
  const paces = { busyAt: 9, longTurnMs: 0, restMs: 0, lookEveryMs: 2 };
  const pool = createWarmPool({ ...usual, ...paces, max: 2, hasRoom: () => ((looks += 1), hasRoom) });
  const recipe = (key: string): WarmRecipe => ({
    ...{ key, group: key, shared: new Map() },
    prepare: () => {
      started.push(key);
      const sandbox = { exited: new Promise(() => {}), kill: nothing } as Partial<Sandbox> as Sandbox;
      return Promise.resolve({ sandbox, release: () => undefined });
    },
  });
  async function looked(from = looks): Promise<void> {
    await waitUntil(() => looks > from + 50, { what: "some looks" });
  }
  // Two of one key at once are no reason for two.
  await Promise.all(["one", "one", "other", "third"].map((key) => pool.enter(recipe(key))));
  await waitUntil(() => pool.counts.waiting === 2, { what: "two to wait while the turns run" });
  await looked();
  expect([started.length, new Set(started).size]).toEqual([2, 2]);
  hasRoom = false;
  await waitUntil(() => pool.counts.waiting === 0, { what: "the sandboxes to make room" });
  hasRoom = true;
  await looked();
  expect(started).toHaveLength(2);
  await pool.close();
});
