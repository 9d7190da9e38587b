// For whom sandboxes wait, as the clock goes on.

import { expect, test } from "@jest/globals";
import { createDemand } from "../src/warm-demand.ts";

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
