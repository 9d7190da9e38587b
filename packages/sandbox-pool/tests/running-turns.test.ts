// Running turns: what counts for admission, which turns compute, and which one ends if memory runs out.

import { afterEach, describe, expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import { waitUntil } from "@dari/testkit";
import {
  createRunningTurns,
  type AdmittedTurn,
  type RunningTurnsOptions,
  type TrackedTurn,
  type TurnMemory,
} from "../src/running-turns.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;
const log = createLogger({ name: "running-turns", level: "silent" });

let admitted: AdmittedTurn[] = [];
afterEach(() => {
  for (const each of admitted) each.leave();
  admitted = [];
});

/** A turn whose memory the test sets. `endedWith`: what it held when it was told to end. */
function turn(organizationId: string, bytes: number) {
  const state = { bytes, endedWith: undefined as number | undefined, measured: 0, cpuSeconds: () => 1 };
  const tracked: TrackedTurn = {
    ...{ organizationId, versionId: organizationId },
    measure() {
      state.measured += 1;
      return Promise.resolve({ memoryBytes: state.bytes, cpuSeconds: state.cpuSeconds() });
    },
    end: (heldBytes) => void (state.endedWith = heldBytes),
  };
  return Object.assign(state, { tracked });
}

type Turn = ReturnType<typeof turn>;

interface Scene extends TurnMemory {
  readonly machine: { totalBytes: number; availableBytes: number };
  /** Returns the function that ends the turn. */
  start(given: Turn): () => void;
}

/** The machine has 20 GiB. 1 GiB of them is kept free, and memory is missing below half of that. */
function openTurns(o: Partial<RunningTurnsOptions> = {}): Scene {
  const machine = { totalBytes: 20 * GiB, availableBytes: 18 * GiB };
  const usual = { readMemory: () => machine, expectedMaxBytes: 1 * GiB, evictIdle: () => false, log };
  const running = createRunningTurns({ ...usual, youngMs: 20, checkEveryMs: 5, ...o });
  return Object.assign(running, {
    machine,
    start(given: Turn): () => void {
      const place = running.admit();
      admitted.push(place);
      const untrack = place.track(given.tracked);
      return () => (untrack(), place.leave());
    },
  });
}

describe("room", () => {
  test("a turn takes what is expected in its first seconds, and then what it holds counts", async () => {
    const running = openTurns({ youngMs: 300 });
    const free = running.room().turns;
    const waiting = turn("a", 8 * MiB);
    running.start(waiting);
    admitted.push(running.admit());
    expect(running.room().turns).toBe(free - 2);
    await waitUntil(() => running.room().turns === free, { what: "the turns to be no longer young" });
    await waitUntil(() => waiting.measured === 1, { what: "the turn to be measured" });
  });

  test("a turn is young again when its sandbox starts, and not young for ever while it waits for files", async () => {
    const running = openTurns({ youngMs: 300 });
    const free = running.room().turns;
    const place = running.admit();
    admitted.push(place);
    await waitUntil(() => running.room().turns === free, { what: "the turn to be no longer young" });
    const untrack = place.track(turn("a", 8 * MiB).tracked);
    expect(running.room().turns).toBe(free - 1);
    untrack();
    place.leave();
    place.leave();
    expect(running.room().turns).toBe(free);
  });

  test("what turns held after their first seconds is expected of the next ones, within a bound", async () => {
    const running = openTurns();
    for (let n = 0; n < 40; n++) {
      const large = turn("a", 4 * GiB);
      const end = running.start(large);
      await waitUntil(() => large.measured > 0, { what: "the turn to be measured" });
      end();
    }
    // Each turn that starts now is expected to hold almost 1 GiB.
    expect(running.room().turns).toBe(16);
    // One is admitted at a time with little memory, whatever is expected.
    running.machine.availableBytes = 1.5 * GiB;
    expect(running.room().turns).toBe(1);
    for (let n = 0; n < 40; n++) {
      const small = turn("b", MiB);
      const end = running.start(small);
      await waitUntil(() => small.measured > 0, { what: "the turn to be measured" });
      end();
    }
    running.machine.availableBytes = 18 * GiB;
    expect(running.room().turns).toBeGreaterThan(200);
  });

  test("turns are measured once, and none while nothing runs", async () => {
    const running = openTurns();
    const first = turn("a", MiB);
    const end = running.start(first);
    await waitUntil(() => first.measured === 1, { what: "the turn to be measured" });
    end();
    const second = turn("a", MiB);
    running.start(second);
    await waitUntil(() => second.measured === 1, { what: "the next turn to be measured" });
    expect(first.measured).toBe(1);
  });
});

test("turns that have used a processor for some time are counted by organization", async () => {
  const running = openTurns();
  const [waits, one, other] = [turn("waits", MiB), turn("computes", MiB), turn("computes", MiB)];
  for (const each of [one, other]) each.cpuSeconds = () => performance.now() / 1_000;
  const [, endOne] = [waits, one, other].map((each) => running.start(each));
  // They have just started.
  expect(await running.countComputing()).toEqual({});
  expect(await running.countComputing()).toEqual({ computes: 2 });
  endOne!();
  other.cpuSeconds = () => 1;
  expect(await running.countComputing()).toEqual({});
  other.tracked.measure = () => Promise.reject(new Error("gone"));
  expect(await running.countComputing()).toEqual({});
});

describe("if memory is missing", () => {
  test("the largest turn of the organization that holds most ends, one at a time", async () => {
    const running = openTurns();
    const greedy = [turn("greedy", 5 * GiB), turn("greedy", 6 * GiB), turn("greedy", 4 * GiB)];
    const innocent = [turn("innocent", 7 * GiB), turn("small", 10 * MiB)];
    const ends = [...innocent, ...greedy].map((each) => running.start(each));
    await waitUntil(() => greedy[2]!.measured > 0, { what: "all to be measured after their first seconds" });
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => greedy[1]!.endedWith !== undefined, { what: "the largest turn to end" });
    expect(greedy[1]!.endedWith).toBe(6 * GiB);
    expect(running.room().turns).toBe(0);
    const others = [...innocent, greedy[0]!, greedy[2]!];
    const before = innocent[1]!.measured;
    running.machine.availableBytes = 6 * GiB;
    ends[3]!();
    const later = turn("later", MiB);
    running.start(later);
    await waitUntil(() => later.measured > 0, { what: "further reviews" });
    expect(others.filter(({ endedWith }) => endedWith !== undefined)).toEqual([]);
    expect(innocent[1]!.measured).toBe(before);
    expect(running.room().turns).toBeGreaterThan(0);
  });

  test("turns end while turns leave no memory, each after the one before it has ended", async () => {
    const running = openTurns();
    const turns = [turn("a", 9 * GiB), turn("a", 8 * GiB)];
    const ends = turns.map((each) => running.start(each));
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => turns[0]!.endedWith !== undefined, { what: "the first turn to end" });
    expect(turns[1]!.endedWith).toBeUndefined();
    ends[0]!();
    await waitUntil(() => turns[1]!.endedWith !== undefined, { what: "the second turn to end" });
  });

  test("sandboxes that serve no turn end first, once", async () => {
    let [evicted, wasEnded] = [0, false];
    const only = turn("a", 18 * GiB);
    const evictIdle = (): boolean => {
      wasEnded ||= only.endedWith !== undefined;
      evicted += 1;
      return true;
    };
    const running = openTurns({ evictIdle });
    running.start(only);
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => only.endedWith !== undefined, { what: "the turn to end" });
    expect([evicted, wasEnded]).toEqual([1, false]);
  });

  test("no turn ends if memory comes back while a worker waits whose turns hold little of it", async () => {
    const running = openTurns();
    const small = turn("a", 1 * GiB);
    running.start(small);
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => small.measured > 1, { what: "the turn to be measured" });
    const before = small.measured;
    running.machine.availableBytes = 5 * GiB;
    const later = turn("b", MiB);
    running.start(later);
    await waitUntil(() => later.measured > 0, { what: "further reviews" });
    expect([small.endedWith, small.measured]).toEqual([undefined, before]);
  });

  test("no turn ends if all of them hold less than what is missing", async () => {
    const running = openTurns();
    const small = turn("a", 100 * MiB);
    running.start(small);
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => small.measured > 3, { what: "several reviews" });
    expect(small.endedWith).toBeUndefined();
  });
});
