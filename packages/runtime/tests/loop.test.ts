// The loop: never two runs at once, nudges, errors, a clean end. Tests wait for runs, never for a time.

import { describe, expect, test } from "@jest/globals";
import { createLogger, loop } from "../src/index.ts";

const anHourMs = 3_600_000;

function quietLog(): { log: ReturnType<typeof createLogger>; lines: string[] } {
  const lines: string[] = [];
  return { lines, log: createLogger({ name: "test", destination: { write: (text) => void lines.push(text) } }) };
}

/** A task that announces each run, which ends only when the test releases it. */
function gatedTask(): { runOnce: () => Promise<void>; nextRun: () => Promise<() => void>; running: () => number } {
  const starts: (() => void)[] = [];
  const waiters: ((release: () => void) => void)[] = [];
  let running = 0;
  return {
    running: () => running,
    runOnce: async () => {
      running += 1;
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiter = waiters.shift();
      if (waiter) waiter(resolve);
      else starts.push(resolve);
      await promise;
      running -= 1;
    },
    nextRun: async () => {
      const release = starts.shift();
      if (release) return release;
      const { promise, resolve } = Promise.withResolvers<() => void>();
      waiters.push(resolve);
      return promise;
    },
  };
}

describe("loop", () => {
  test("runs immediately and again after everyMs", async () => {
    const stop = new AbortController();
    const task = gatedTask();
    const subject = loop({ name: "t", everyMs: 1, signal: stop.signal, runOnce: task.runOnce, log: quietLog().log });
    for (let run = 0; run < 3; run++) (await task.nextRun())();
    const last = await task.nextRun();
    expect(task.running()).toBe(1);
    stop.abort();
    last();
    await subject.done;
    expect(subject.stats()).toMatchObject({ runs: 4, failures: 0, failuresInARow: 0 });
  });

  test("many nudges during a run are one more run", async () => {
    const task = gatedTask();
    const { signal } = new AbortController();
    await using subject = loop({ name: "t", everyMs: anHourMs, signal, runOnce: task.runOnce, log: quietLog().log });
    const first = await task.nextRun();
    for (let nudge = 0; nudge < 5; nudge++) subject.nudge();
    expect(task.running()).toBe(1);
    first();
    (await task.nextRun())();
    subject.nudge();
    (await task.nextRun())();
    expect(subject.stats().runs).toBeLessThanOrEqual(3);
  });

  test("logs and counts errors and keeps running", async () => {
    const { log, lines } = quietLog();
    const third = Promise.withResolvers<void>();
    let runs = 0;
    const runOnce = async (): Promise<void> => {
      runs += 1;
      if (runs === 3) third.resolve();
      if (runs < 3) throw new Error(`no ${runs}`);
    };
    const subject = loop({ name: "reap", everyMs: 1, signal: new AbortController().signal, runOnce, log });
    await third.promise;
    await subject[Symbol.asyncDispose]();
    expect(subject.stats()).toMatchObject({ failures: 2, failuresInARow: 0 });
    expect(lines.filter((line) => line.includes('"loop":"reap"') && line.includes("no 1"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("loop works again"))).toHaveLength(1);
  });

  test("ends immediately when idle", async () => {
    const task = gatedTask();
    const stop = new AbortController();
    const { log } = quietLog();
    const subject = loop({ name: "t", everyMs: anHourMs, signal: stop.signal, runOnce: task.runOnce, log });
    (await task.nextRun())();
    stop.abort();
    await subject.done;
    expect(subject.stats().runs).toBe(1);
  });

  test("waits for delayMs before the first run, unless it is nudged", async () => {
    const task = gatedTask();
    const { signal } = new AbortController();
    const { log } = quietLog();
    const options = { name: "t", everyMs: anHourMs, delayMs: anHourMs, signal, runOnce: task.runOnce, log };
    await using subject = loop(options);
    expect(task.running()).toBe(0);
    subject.nudge();
    (await task.nextRun())();
    expect(subject.stats().runs).toBeLessThanOrEqual(1);
  });

  test("reads its interval after each run", async () => {
    const task = gatedTask();
    const { signal } = new AbortController();
    let everyMs = 1;
    const { log } = quietLog();
    await using subject = loop({ name: "t", everyMs: () => everyMs, signal, runOnce: task.runOnce, log });
    (await task.nextRun())();
    const second = await task.nextRun();
    everyMs = anHourMs;
    second();
    subject.nudge();
    (await task.nextRun())();
    expect(subject.stats().runs).toBeLessThanOrEqual(3);
  });
});
