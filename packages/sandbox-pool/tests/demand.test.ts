// How many sandboxes are preloaded over time. No sandbox is real.

import { expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import type { Sandbox, SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createDemand } from "../src/demand.ts";
import { createSandboxPool } from "../src/pool.ts";
import type { SandboxRecipe } from "../src/recipe.ts";

const minuteMs = 60_000;

test("a lost sandbox suspends preloading for a minute, then for twice as long, up to five minutes", () => {
  let now = 0;
  const demand = createDemand(() => now);
  demand.turnStarted("busy");
  /** Returns for how many minutes the key is suspended from now on. */
  const suspended = (): number => {
    demand.suspend("busy");
    const from = now;
    while (!demand.isInDemand("busy")) now += minuteMs / 2;
    expect(demand.target("busy")).toBe(1);
    return (now - from) / minuteMs;
  };
  expect([suspended(), suspended(), suspended(), suspended(), suspended()]).toEqual([1, 2, 4, 5, 5]);
  now += 6 * minuteMs;
  expect(suspended()).toBe(1);
});

test("losses at the same time count as one, and a forgotten key is not suspended", () => {
  let now = 0;
  const demand = createDemand(() => now);
  demand.turnStarted("one");
  for (let lost = 0; lost < 3; lost++) demand.suspend("one");
  expect([demand.target("one"), demand.isInDemand("one")]).toEqual([0, false]);
  now += minuteMs;
  expect([demand.target("one"), demand.isInDemand("one")]).toEqual([1, true]);
  demand.suspend("one");
  demand.turnEnded("one");
  now += 1;
  demand.forgetIdle(0);
  demand.turnStarted("one");
  expect(demand.target("one")).toBe(1);
});

test("the target is the peak of the last half minute, then the turns that run", () => {
  let now = 0;
  const demand = createDemand(() => now);
  for (let turn = 0; turn < 5; turn++) demand.turnStarted("one");
  for (let turn = 0; turn < 3; turn++) demand.turnEnded("one");
  now += minuteMs / 2;
  expect(demand.target("one")).toBe(5);
  now += 1;
  expect(demand.target("one")).toBe(2);
  for (let turn = 0; turn < 2; turn++) demand.turnEnded("one");
  expect(demand.target("one")).toBe(1);
});

test("a spare sandbox for a long turn evicts no other, and none is started soon after memory was short", async () => {
  let [looks, hasFreeMemory] = [0, true];
  const started: string[] = [];
  const nothing = (): Promise<void> => Promise.resolve();
  const slots = { make: (name: string) => Promise.resolve(name), detach: nothing, remove: nothing };
  const mounts = { ...slots, isAsMade: () => Promise.resolve(true) } as Partial<SlotMounts> as SlotMounts;
  const log = createLogger({ name: "test", level: "error" });
  const usual = { mounts, turnsMax: 9, keepMs: 0, log };
  const paces = { busyAtTurns: 9, longTurnMs: 0, refillDelayMs: 0, reviewEveryMs: 2 };
  const readMemory = (): boolean => ((looks += 1), hasFreeMemory);
  const pool = createSandboxPool({ ...usual, ...paces, preloadMax: 2, hasFreeMemory: readMemory });
  const recipe = (key: string): SandboxRecipe => ({
    ...{ key, group: key, shared: new Map() },
    start: () => {
      started.push(key);
      const sandbox = { exited: new Promise(() => {}), kill: nothing } as Partial<Sandbox> as Sandbox;
      return Promise.resolve({ sandbox, assignTo: () => undefined, release: () => undefined });
    },
  });
  async function looked(from = looks): Promise<void> {
    await waitUntil(() => looks > from + 50, { what: "some looks" });
  }
  // Two long turns of one key get one spare.
  await Promise.all(["one", "one", "other", "third"].map((key) => pool.beginTurn(recipe(key))));
  await waitUntil(() => pool.counts.preloaded === 2, { what: "two to wait while the turns run" });
  await looked();
  expect([started.length, new Set(started).size]).toEqual([2, 2]);
  hasFreeMemory = false;
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the sandboxes to make room" });
  hasFreeMemory = true;
  await looked();
  expect(started).toHaveLength(2);
  await pool.close();
});
