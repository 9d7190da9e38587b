// Running turns: their memory is measured, learned, and given back by the turn that grew. Which ones compute is known.

import { expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import { waitUntil } from "@dari/testkit";
import { createRunningTurns, type TrackedTurn } from "../src/running-turns.ts";

const MiB = 1024 ** 2;
const log = createLogger({ name: "running-turns", level: "silent" });

/** A turn whose memory the test sets. `ended`: what it held when it was ended. */
function turn(agent: string, bytes: number) {
  const state = { bytes, ended: undefined as number | undefined, cpuSeconds: () => 1 };
  const tracked: TrackedTurn = {
    agent,
    organizationId: `org_${agent}`,
    measure: () => Promise.resolve({ memoryBytes: state.bytes, cpuSeconds: state.cpuSeconds() }),
    end: (heldBytes) => void (state.ended = heldBytes),
  };
  return Object.assign(state, { tracked });
}

function openTurns(budgetBytes?: number) {
  const machine = { totalBytes: 8_000 * MiB, availableBytes: 8_000 * MiB, stalledPercent: 0 };
  return createRunningTurns({ readMemory: () => machine, budgetBytes, firstBytes: 64 * MiB, log, everyMs: 5 });
}

test("what the first turns hold decides how many more fit", async () => {
  const memory = openTurns();
  const before = memory.room().turns;
  expect(before).toBe(118);
  const untrack = memory.track(turn("a", 8 * MiB).tracked);
  // The size of a turn counts once the turn has run for a second.
  await waitUntil(() => memory.room().turns > 3 * before, { what: "the room to follow the measured size" });
  untrack();
});

test("if the budget is used up, the turn that grew most is ended, and only that one", async () => {
  const memory = openTurns(400 * MiB);
  const [quiet, growing, other] = [turn("quiet", 60 * MiB), turn("growing", 60 * MiB), turn("other", 60 * MiB)];
  const untracks = [quiet, growing, other].map(({ tracked }) => memory.track(tracked));
  growing.bytes = 250 * MiB;
  await waitUntil(() => growing.ended !== undefined, { what: "the turn to be ended" });
  expect([quiet.ended, growing.ended, other.ended]).toEqual([undefined, 250 * MiB, undefined]);
  expect(memory.room().turns).toBe(0);
  untracks[1]!();
  await waitUntil(() => memory.room().turns > 0, { what: "room for another turn" });
  expect([quiet.ended, other.ended]).toEqual([undefined, undefined]);
  untracks.forEach((untrack) => untrack());
});

test("turns that use a processor are counted by organization, and those that wait are not", async () => {
  const running = openTurns();
  const [waits, one, other] = [turn("waits", MiB), turn("computes", MiB), turn("computes", MiB)];
  for (const each of [one, other]) each.cpuSeconds = () => performance.now() / 1_000;
  const untracks = [waits, one, other].map(({ tracked }) => running.track(tracked));
  expect(running.countComputing()).toEqual({});
  await waitUntil(() => running.countComputing()["org_computes"] === 2, { what: "the turns that compute" });
  one.cpuSeconds = () => 1;
  await waitUntil(() => running.countComputing()["org_computes"] === 1, { what: "one turn to wait" });
  expect(running.countComputing()).toEqual({ org_computes: 1 });
  untracks.forEach((untrack) => untrack());
  expect(running.countComputing()).toEqual({});
});
