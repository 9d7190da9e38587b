// Passes of one moment share one look at the database.

import { expect, test } from "@jest/globals";
import { createDueWorkLook } from "./due-work.ts";

const found = { ready: false, expired: true, inputs: false, held: false, schedules: false, webhooks: false };

test("passes that run together share one look", async () => {
  let looks = 0;
  const hasWork = createDueWorkLook(async () => {
    looks += 1;
    return found;
  });
  expect(await Promise.all([hasWork("ready"), hasWork("expired"), hasWork("inputs")])).toEqual([false, true, false]);
  expect(looks).toBe(1);
});

test("a look that fails fails the passes that share it", async () => {
  const hasWork = createDueWorkLook(() => Promise.reject(new Error("the database is away")));
  const passes = await Promise.allSettled([hasWork("ready"), hasWork("held")]);
  expect(passes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
