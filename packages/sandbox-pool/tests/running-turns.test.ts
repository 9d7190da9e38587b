// Running turns: each counts from its admission on, sweeps measure what it holds, and the right one ends.

import { afterEach, describe, expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import { waitUntil } from "@dari/testkit";
import {
  createRunningTurns,
  type AdmittedTurn,
  type MemoryShortage,
  type RunningTurnsOptions,
  type TrackedTurn,
} from "../src/running-turns.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;
const log = createLogger({ name: "running-turns", level: "silent" });
const never = new AbortController().signal;

let admitted: AdmittedTurn[] = [];
afterEach(() => {
  for (const each of admitted) each.leave();
  admitted = [];
});

/** A turn whose memory the test sets. `ended`: how it was ended. */
function turn(organizationId: string, bytes: number, agent = organizationId) {
  const state = { bytes, ended: undefined as MemoryShortage | undefined, measured: 0, cpuSeconds: () => 1 };
  const tracked: TrackedTurn = {
    agent,
    organizationId,
    measure() {
      state.measured += 1;
      return Promise.resolve({ memoryBytes: state.bytes, cpuSeconds: state.cpuSeconds() });
    },
    end: (shortage) => void (state.ended = shortage),
  };
  return Object.assign(state, { tracked });
}

function openTurns(o: Partial<RunningTurnsOptions> = {}) {
  const machine = { totalBytes: 24 * GiB, availableBytes: 20 * GiB };
  const usual = { readMemory: () => machine, reservedBytes: 64 * MiB, reservedMaxBytes: 1 * GiB, log, sweepEveryMs: 5 };
  const running = createRunningTurns({ ...usual, ...o });
  return Object.assign(running, {
    machine,
    start(given: ReturnType<typeof turn>): () => void {
      const place = running.admit();
      admitted.push(place);
      const untrack = place.track(given.tracked);
      return () => (untrack(), place.leave());
    },
  });
}

/** Runs one turn of the agent until its size is known. */
async function learn(running: ReturnType<typeof openTurns>, given: ReturnType<typeof turn>): Promise<void> {
  const end = running.start(given);
  await waitUntil(() => given.measured > 6, { what: "the turn's size to be known" });
  end();
}

describe("reservations", () => {
  test("a turn counts from its admission until it leaves, whatever happens in between", () => {
    const running = openTurns({ sweepEveryMs: 10_000 });
    running.start(turn("a", 0));
    const before = running.room().turns;
    const places = Array.from({ length: 5 }, () => running.admit());
    expect(running.room().turns).toBe(before - 5);
    // Tracked, it still counts: there is no gap.
    const untrack = places[0]!.track(turn("a", 8 * MiB).tracked);
    expect(running.room().turns).toBe(before - 5);
    untrack();
    for (const place of places) place.leave();
    expect(running.room().turns).toBe(before);
  });

  test("ends after the first seconds, and then what the turn holds counts", async () => {
    const running = openTurns({ budgetBytes: 1 * GiB });
    const a = turn("a", 8 * MiB);
    const free = running.room().turns;
    running.start(a);
    expect(running.room().turns).toBe(free - 1);
    await waitUntil(() => running.room().availableBytes === 1 * GiB - 8 * MiB, { what: "the turn to be measured" });
    await waitUntil(() => running.room().neededBytes === 64 * MiB, { what: "nothing to be reserved" });
  });

  test("turns of an agent that once held 4 GiB do not close the gate, neither for it nor for others", async () => {
    const running = openTurns();
    await learn(running, turn("a", 4 * GiB));
    const idle = Array.from({ length: 6 }, () => turn("a", 1 * MiB));
    const places = idle.map(() => running.admit());
    admitted.push(...places);
    for (const place of places) await place.reserve({ organizationId: "a", agent: "a" }, never);
    places.forEach((place, n) => place.track(idle[n]!.tracked));
    expect(running.room().turns).toBeGreaterThan(200);
    await waitUntil(() => idle.every(({ measured }) => measured > 6), { what: "the idle turns to be measured" });
    expect(running.room().turns).toBeGreaterThan(290);
    // One GiB at most was reserved, and the idle turns have corrected it.
    const next = running.admit();
    admitted.push(next);
    await next.reserve({ organizationId: "a", agent: "a" }, never);
    expect(running.countBusy({ countsComputing: true })).toEqual({});
  });

  test("one organization's turns wait for each other's first seconds, and never make others wait", async () => {
    const running = openTurns({ sweepEveryMs: 100 });
    await learn(running, turn("a", 1 * GiB));
    running.machine.availableBytes = 3 * GiB;
    const [first, second, third, other] = [running.admit(), running.admit(), running.admit(), running.admit()];
    admitted.push(first, second, third, other);
    await first.reserve({ organizationId: "a", agent: "a" }, never);
    const isHeld = second.reserve({ organizationId: "a", agent: "a" }, never).then(() => true);
    expect(await Promise.race([isHeld, other.reserve({ organizationId: "b", agent: "b" }, never)])).toBe(undefined);
    expect(running.countBusy({ countsComputing: false })).toEqual({ a: 1 });
    expect(running.room().turns).toBeGreaterThan(0);
    // A stopped turn does not wait.
    await third.reserve({ organizationId: "a", agent: "a" }, AbortSignal.abort());
    // Once the first one is measured, the next one starts.
    first.track(turn("a", 100 * MiB).tracked);
    third.leave();
    expect(await isHeld).toBe(true);
  });

  test("if nothing runs, one turn is always admitted", async () => {
    const running = openTurns({ budgetBytes: 128 * MiB, reservedBytes: 256 * MiB, reservedMaxBytes: 4 * GiB });
    expect(running.room().turns).toBe(1);
    const a = turn("a", 100 * MiB);
    await learn(running, a);
    expect(running.room().turns).toBe(1);
  });
});

describe("sweeps", () => {
  test("measure each turn, at most 64 at a time while there is memory, and none when nothing runs", async () => {
    const running = openTurns({ sweepEveryMs: 300 });
    const turns = Array.from({ length: 100 }, () => turn("a", MiB));
    const ends = turns.map((each) => running.start(each));
    await waitUntil(() => turns.some(({ measured }) => measured > 0), { what: "the first sweep" });
    expect(turns.reduce((sum, { measured }) => sum + measured, 0)).toBe(64);
    await waitUntil(() => turns.every(({ measured }) => measured > 0), { what: "all to be measured" });
    for (const end of ends) end();
    const after = turns.reduce((sum, { measured }) => sum + measured, 0);
    const later = turn("a", MiB);
    running.start(later);
    await waitUntil(() => later.measured > 1, { what: "sweeps of a later turn" });
    expect(turns.reduce((sum, { measured }) => sum + measured, 0)).toBe(after);
  });

  test("count the turns that use a processor by organization", async () => {
    const running = openTurns();
    const [waits, one, other] = [turn("waits", MiB), turn("computes", MiB), turn("computes", MiB)];
    for (const each of [one, other]) each.cpuSeconds = () => performance.now() / 1_000;
    const [, endOne] = [waits, one, other].map((each) => running.start(each));
    const count = (): number | undefined => running.countBusy({ countsComputing: true })["computes"];
    await waitUntil(() => count() === 2, { what: "the turns that compute" });
    expect(running.countBusy({ countsComputing: true })).toEqual({ computes: 2 });
    expect(running.countBusy({ countsComputing: false })).toEqual({});
    endOne!();
    expect(count()).toBe(1);
    other.cpuSeconds = () => 1;
    await waitUntil(() => count() === undefined, { what: "the turn to wait" });
  });
});

describe("when memory runs out", () => {
  test("the largest turn of the largest organization ends, one at a time, whatever it usually holds", async () => {
    const running = openTurns({ sweepEveryMs: 50 });
    // The size of an agent that always holds much does not protect it.
    const large = turn("greedy", 1 * GiB);
    await learn(running, large);
    const greedy = [turn("greedy", 2 * GiB), turn("greedy", 3 * GiB), turn("greedy", 2.5 * GiB)];
    const innocent = [turn("innocent", 3.5 * GiB), turn("small", 10 * MiB)];
    const ends = [...innocent, ...greedy].map((each) => running.start(each));
    running.machine.availableBytes = 0.5 * GiB;
    await waitUntil(() => greedy[1]!.ended !== undefined, { what: "the largest turn to be ended" });
    expect(greedy[1]!.ended).toEqual({ heldBytes: 3 * GiB, isForOthers: false });
    const others = [...innocent, greedy[0]!, greedy[2]!];
    expect(others.filter(({ ended }) => ended !== undefined)).toEqual([]);
    expect(running.room().turns).toBe(0);
    running.machine.availableBytes = 3 * GiB;
    ends[3]!();
    await waitUntil(() => running.room().turns > 0, { what: "room for another turn" });
    expect(others.filter(({ ended }) => ended !== undefined)).toEqual([]);
  });

  test("turns that hold more than the budget end", async () => {
    const running = openTurns({ budgetBytes: 400 * MiB });
    const [quiet, growing, other] = [turn("quiet", 60 * MiB), turn("growing", 60 * MiB), turn("other", 60 * MiB)];
    for (const each of [quiet, growing, other]) running.start(each);
    growing.bytes = 300 * MiB;
    await waitUntil(() => growing.ended !== undefined, { what: "the turn to be ended" });
    expect([quiet.ended, other.ended]).toEqual([undefined, undefined]);
  });

  test("sandboxes that serve no turn end first", async () => {
    const only = turn("a", 1 * GiB);
    const wasEnded: boolean[] = [];
    const evictIdle = (): boolean => wasEnded.push(only.ended !== undefined) < 3;
    const running = openTurns({ evictIdle });
    running.start(only);
    running.machine.availableBytes = 0.5 * GiB;
    await waitUntil(() => only.ended !== undefined, { what: "the turn to be ended" });
    // The memory of the first ones came back before a turn was chosen.
    expect(wasEnded.slice(0, 2)).toEqual([false, false]);
  });

  test("an organization gives memory back if another one waits for some time, and keeps its last turn", async () => {
    let waiting: string[] = [];
    const running = openTurns({ listWaiting: () => Promise.resolve(waiting) });
    const turns = [turn("a", 4 * GiB), turn("a", 5 * GiB), turn("b", 6 * GiB)];
    const ends = turns.map((each) => running.start(each));
    running.machine.availableBytes = 1 * GiB;
    await waitUntil(() => turns.every(({ measured }) => measured > 12), { what: "some reviews" });
    expect(turns.map(({ ended }) => ended)).toEqual([undefined, undefined, undefined]);
    waiting = ["a", "c"];
    await waitUntil(() => turns[1]!.ended !== undefined, { what: "a turn to be ended for the others" });
    expect(turns[1]!.ended).toEqual({ heldBytes: 5 * GiB, isForOthers: true });
    expect([turns[0]!.ended, turns[2]!.ended]).toEqual([undefined, undefined]);
    ends[1]!();
    // Each of the two has one turn left.
    const before = turns[0]!.measured;
    await waitUntil(() => turns[0]!.measured > before + 20, { what: "more reviews" });
    expect([turns[0]!.ended, turns[2]!.ended]).toEqual([undefined, undefined]);
  });
});
