// Running turns: what counts for admission, and which one ends if memory runs out.

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
  const state = { bytes, endedWith: undefined as number | undefined, measured: 0 };
  const tracked: TrackedTurn = {
    ...{ organizationId, versionId: organizationId },
    memoryBytes() {
      state.measured += 1;
      return state.bytes;
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
  const usual = { readMemory: () => machine, expectedMaxBytes: 1 * GiB, endWaiting: () => false, log };
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
    for (const turns of [1, 2]) {
      running.start(turn("a", 8 * MiB));
      expect(running.room().turns).toBe(free - turns);
    }
    // Both hold nothing, so the next ones are expected to hold little.
    await waitUntil(() => running.room().turns === 256, { what: "the turns to be no longer young" });
    running.machine.availableBytes -= 4 * GiB;
    // They hold more than a turn is expected to hold at most.
    expect(running.room().turns).toBe(12);
    running.machine.availableBytes = 1.5 * GiB;
    expect(running.room().turns).toBe(1);
  });

  test("what other programs use is not what turns hold", async () => {
    const running = openTurns();
    running.machine.availableBytes = 8 * GiB;
    const alone = running.room().turns;
    expect(alone).toBe(24);
    running.start(turn("a", 8 * MiB));
    await waitUntil(() => running.room().turns > alone, { what: "the turn to be no longer young" });
  });

  test("what a build holds is not in use when nothing runs, and a young build is expected to grow", async () => {
    const running = openTurns();
    const nothing = running.room().turns;
    const leave = running.startBuild();
    running.machine.availableBytes = 14 * GiB;
    expect(running.room().turns).toBeLessThan(nothing);
    // The build holds 4 GiB, so that the next one may hold as much as is ever expected.
    await waitUntil(() => running.room().turns === 12, { what: "the build to be no longer young" });
    leave();
    leave();
    expect(running.room().turns).toBe(48);
  });

  test("a turn is young again when its sandbox starts, and not young for ever while it waits for files", async () => {
    const running = openTurns({ youngMs: 300 });
    const place = running.admit();
    admitted.push(place);
    const young = running.room().turns;
    await waitUntil(() => running.room().turns > young, { what: "the turn to be no longer young" });
    const untrack = place.track(turn("a", 8 * MiB).tracked);
    expect(running.room().turns).toBe(young);
    untrack();
    place.leave();
    place.leave();
    expect(running.room().turns).toBe(young + 1);
  });
});

describe("if memory is missing", () => {
  test("one turn ends at a time, of the organization that holds most", async () => {
    const running = openTurns();
    const greedy = [turn("greedy", 5 * GiB), turn("greedy", 6 * GiB), turn("greedy", 4 * GiB)];
    const innocent = [turn("innocent", 7 * GiB), turn("small", 10 * MiB)];
    const ends = [...innocent, ...greedy].map((each) => running.start(each));
    expect(innocent[1]!.measured).toBe(0);
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => greedy[1]!.endedWith !== undefined, { what: "the largest turn to end" });
    expect(greedy[1]!.endedWith).toBe(6 * GiB);
    expect(running.room().turns).toBe(0);
    running.machine.availableBytes = 6 * GiB;
    ends[3]!();
    const others = [...innocent, greedy[0]!, greedy[2]!];
    expect(others.filter(({ endedWith }) => endedWith !== undefined)).toEqual([]);
    expect(running.room().turns).toBeGreaterThan(0);
  });

  test("turns end while turns leave no memory, each after the one before it has given its memory back", async () => {
    const running = openTurns();
    const turns = [turn("a", 9 * GiB), turn("a", 8 * GiB)];
    const ends = turns.map((each) => running.start(each));
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => turns[0]!.endedWith !== undefined, { what: "the first turn to end" });
    expect(turns[1]!.endedWith).toBeUndefined();
    const endedAt = performance.now();
    ends[0]!();
    await waitUntil(() => turns[1]!.endedWith !== undefined, { what: "the second turn to end" });
    expect(performance.now() - endedAt).toBeGreaterThanOrEqual(300);
  });

  test("what waits for turns ends first, and puts the end of a turn off only once", async () => {
    let ended = 0;
    const running = openTurns({ endWaiting: () => (ended += 1) > 0 });
    const large = turn("a", 9 * GiB);
    running.start(large);
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => ended === 1, { what: "what waits to end" });
    expect([large.measured, large.endedWith]).toEqual([0, undefined]);
    await waitUntil(() => large.endedWith !== undefined, { what: "the turn to end" });
    expect(ended).toBe(2);
  });

  test("no turn ends while builds may hold more than all turns", async () => {
    const running = openTurns();
    const large = turn("a", 9 * GiB);
    running.start(large);
    const [leave] = [running.startBuild(), running.startBuild(), running.startBuild()];
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => large.measured > 1, { what: "the turn to be measured twice" });
    expect(large.endedWith).toBeUndefined();
    leave();
    await waitUntil(() => large.endedWith !== undefined, { what: "the turn to end beside two builds" });
  });

  test("no turn ends whose end is being recorded", async () => {
    const running = openTurns();
    const [left, other] = [turn("a", 9 * GiB), turn("b", 8 * GiB)];
    const [endLeft] = [left, other].map((each) => running.start(each));
    endLeft!();
    running.machine.availableBytes = 100 * MiB;
    await waitUntil(() => other.endedWith !== undefined, { what: "the other turn to end" });
    expect(left.endedWith).toBeUndefined();
  });

  test.each([
    ["hold less than what is missing", { totalBytes: 20 * GiB, availableBytes: 100 * MiB }, 400 * MiB],
    ["hold less than a quarter of the memory in use", { totalBytes: 20 * GiB, availableBytes: 500 * MiB }, 4 * GiB],
  ])("no turn ends if all turns of the worker %s", async (_, memory, bytes) => {
    const running = openTurns();
    const small = turn("a", bytes);
    running.start(small);
    Object.assign(running.machine, memory);
    await waitUntil(() => small.measured > 0, { what: "the turn to be measured" });
    expect(running.room().missingBytes).toBeGreaterThan(0);
    expect(small.endedWith).toBeUndefined();
  });
});
