// Tests when events are stored while no client follows the session.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { NumberedEvent } from "@dari/control/turns";
import { mock } from "node:test";
import { createEventBatches } from "./batch-events.ts";

let now = 0;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

function passMs(ms: number): void {
  for (const end = now + ms; now < end;) {
    now += 100;
    mock.timers.tick(100);
  }
}

test("an event that no client follows waits for two seconds, not longer", async () => {
  const stored: NumberedEvent[] = [];
  const batches = createEventBatches({
    store: (events) => Promise.resolve(void stored.push(...events)),
    isFollowed: () => Promise.resolve(false),
  });
  batches.push({ type: "agent.event", data: { name: "half", data: 1 } });
  void batches.flushSoon();
  passMs(1_900);
  await new Promise(setImmediate);
  expect(stored).toEqual([]);
  passMs(100);
  await new Promise(setImmediate);
  expect(stored).toHaveLength(1);
  batches.stop();
});
