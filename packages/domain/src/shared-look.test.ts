// Passes of one moment share one look at the database.

import { expect, test } from "@jest/globals";
import { createSharedLook } from "./shared-look.ts";

test("passes that run together share one look", async () => {
  let looks = 0;
  const hasWork = createSharedLook(async () => {
    looks += 1;
    return { ready: false, expired: true, inputs: false };
  });
  expect(await Promise.all([hasWork("ready"), hasWork("expired"), hasWork("inputs")])).toEqual([false, true, false]);
  expect(looks).toBe(1);
});

test("a look that fails fails the passes that share it", async () => {
  const hasWork = createSharedLook<{ ready: boolean; held: boolean }>(() =>
    Promise.reject(new Error("the database is away")),
  );
  const passes = await Promise.allSettled([hasWork("ready"), hasWork("held")]);
  expect(passes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
