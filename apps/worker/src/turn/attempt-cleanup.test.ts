// The order of what an attempt does after its end, and that one failure hides no other task.

import { expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import { AttemptCleanup, type AttemptOutcome } from "./attempt-cleanup.ts";

const outcome: AttemptOutcome = { recorded: "failed", saved: undefined };

test("tasks run once, the last one first; one that fails is logged and stops no other", async () => {
  const events: string[] = [];
  const log = createLogger({ name: "test", level: "silent", observe: (_fields, event) => void events.push(event) });
  const cleanup = new AttemptCleanup();
  const ran: string[] = [];
  cleanup.defer("first.failed", ({ recorded }) => void ran.push(`first: ${recorded}`));
  cleanup.defer("second.failed", () => Promise.reject(new Error("second")));
  cleanup.defer("third.failed", async () => {
    await Promise.resolve();
    ran.push("third");
    throw new Error("third");
  });
  await cleanup.run(outcome, log, "att_1");
  await cleanup.run(outcome, log, "att_1");
  expect(ran).toEqual(["third", "first: failed"]);
  expect(events).toEqual(["third.failed", "second.failed"]);
});
