// Which call gets the next connection if an organization has its maximum.

import { expect, test } from "@jest/globals";
import { createConnectionLimit } from "./connection-limit.ts";

test("however many go ahead, each of the others has its turn", async () => {
  const limit = createConnectionLimit(1, 60_000);
  const order: string[] = [];
  const enter = async (what: string, ahead: boolean): Promise<void> => {
    const leave = await limit.acquire("org_1", ahead);
    order.push(what);
    leave();
  };
  const leave = await limit.acquire("org_1");
  const all = [
    ...["one", "two"].map((what) => enter(what, false)),
    ...["ahead 1", "ahead 2", "ahead 3", "ahead 4"].map((what) => enter(what, true)),
  ];
  leave();
  await Promise.all(all);
  expect(order).toEqual(["ahead 1", "one", "ahead 2", "two", "ahead 3", "ahead 4"]);
});
