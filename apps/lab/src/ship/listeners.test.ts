// Tests which events of a listener count as missed, doubled or out of order.

import { expect, test } from "@jest/globals";
import { judgeListener } from "./listeners.ts";

const heard = (numbers: readonly number[], problem?: string) => ({ sessionId: "sess_1", numbers, problem });

test("every event once, in order, to the last", () => {
  expect(judgeListener(heard([1, 2, 3]), 3)).toEqual([]);
});

test.each([
  ["one that is missing", heard([1, 3]), 3, "3 out of its place"],
  ["one that came twice", heard([1, 2, 2, 3]), 3, "2 out of its place"],
  ["the first one missing", heard([2, 3]), 3, "2 out of its place"],
  ["the last one missing", heard([1, 2]), 3, "ended at 2"],
  ["nothing at all", heard([]), 3, "ended at nothing"],
  ["a stream that broke off", heard([1, 2, 3], "gone"), 3, "broke off: gone"],
])("notices %s", (_what, listener, last, says) => {
  expect(judgeListener(listener, last)).toEqual([expect.stringContaining(says)]);
});
