// Tests when a debounced task runs.

import { expect, test } from "@jest/globals";
import { debounce } from "./debounce.ts";

/** Timers that the test runs. */
function createTimers() {
  const due = new Map<number, () => void>();
  let last = 0;
  return {
    due,
    timers: {
      set(work: () => void) {
        const id = ++last;
        due.set(id, work);
        return () => void due.delete(id);
      },
    },
    fire() {
      const works = [...due.values()];
      due.clear();
      for (const work of works) work();
    },
  };
}

test("many changes run the task once", () => {
  const { timers, due, fire } = createTimers();
  let runs = 0;
  const changes = debounce(async () => void runs++, 100, timers);
  for (let change = 0; change < 5; change++) changes.notify();
  expect([due.size, runs]).toEqual([1, 0]);
  fire();
  expect(runs).toBe(1);
});

test("changes during a run lead to one more run after it", async () => {
  const { timers, fire } = createTimers();
  const runs: PromiseWithResolvers<void>[] = [];
  const changes = debounce(
    () => {
      const run = Promise.withResolvers<void>();
      runs.push(run);
      return run.promise;
    },
    100,
    timers,
  );
  changes.notify();
  fire();
  changes.notify();
  fire();
  changes.notify();
  fire();
  expect(runs).toHaveLength(1);
  runs[0]!.resolve();
  await new Promise(setImmediate);
  expect(runs).toHaveLength(2);
  runs[1]!.resolve();
  await new Promise(setImmediate);
  expect(runs).toHaveLength(2);
});

test("nothing runs after it is disposed of", () => {
  const { timers, due } = createTimers();
  const changes = debounce(() => Promise.resolve(), 100, timers);
  changes.notify();
  changes[Symbol.dispose]();
  changes.notify();
  expect(due.size).toBe(0);
});
