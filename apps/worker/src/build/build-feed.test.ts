// Which build a worker starts next, by what it runs and what waits, and that it has memory for it.

import { expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import { waitUntil } from "@dari/testkit";
import { claimNext, startBuildFeed } from "./build-feed.ts";
import type { WorkerContext } from "../context.ts";

/** Claims from `waiting`, in its order, for a worker that runs `running`. */
async function next(
  running: readonly string[],
  slots: number,
  waiting: readonly string[],
): Promise<string | undefined> {
  return claimNext(running, slots, (except) => Promise.resolve(waiting.find((id) => !except.includes(id))));
}

test.each<[title: string, running: string[], slots: number, waiting: string[], claimed: string | undefined]>([
  ["the first build", [], 2, ["a"], "a"],
  ["a second build of one organization that is alone", ["a"], 2, ["a"], "a"],
  ["the build of another, though it came later", ["a"], 3, ["a", "a", "b"], "b"],
  ["the build of another at once, beyond the slots that one holds", ["a", "a"], 2, ["a", "b"], "b"],
  ["no more of one that holds all slots", ["a", "a"], 2, ["a"], undefined],
  ["nothing beyond that one more", ["a", "a", "b"], 2, ["a", "b", "c"], undefined],
  ["nothing beyond slots that several share", ["a", "b"], 2, ["c"], undefined],
  ["nothing beyond a single slot", ["a"], 1, ["b"], undefined],
])("%s", async (_title, running, slots, waiting, claimed) => {
  expect(await next(running, slots, waiting)).toBe(claimed);
});

test("no build is claimed while memory is short", async () => {
  let [turns, looks, claims] = [0, 0, 0];
  let notify = (): void => undefined;
  const context = {
    settings: { workerId: "wrk_1", buildSlots: 1 },
    log: createLogger({ name: "builds", level: "silent" }),
    notifier: {
      subscribe(_topic: string, _id: undefined, onNotified: () => void) {
        notify = onNotified;
        return () => undefined;
      },
    },
    turnMemory: { room: () => ((looks += 1), { turns }) },
    get db(): never {
      claims += 1;
      throw new Error("a build is claimed");
    },
  } as unknown as WorkerContext;
  const feed = startBuildFeed(context, () => Promise.resolve(false));
  try {
    await waitUntil(() => looks > 0, { what: "the feed to look for memory" });
    notify();
    await waitUntil(() => looks > 1, { what: "the feed to look again" });
    expect(claims).toBe(0);
    turns = 1;
    notify();
    await waitUntil(() => claims > 0, { what: "a claim" });
  } finally {
    await feed.stop();
  }
});
