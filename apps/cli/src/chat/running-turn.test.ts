// Tests that a turn can be cancelled at any time.

import { expect, test } from "@jest/globals";
import { createRunningTurn } from "./running-turn.ts";

test("a turn is cancelled immediately, or as soon as its message is sent", () => {
  const cancelled: string[] = [];
  const running = createRunningTurn((messageId) => cancelled.push(messageId));
  running.begin();
  running.cancel();
  expect(cancelled).toEqual([]);
  running.sent("msg_1");
  expect(cancelled).toEqual(["msg_1"]);
  running.cancel();
  expect(cancelled).toEqual(["msg_1", "msg_1"]);
});

test("the next turn is not cancelled", () => {
  const cancelled: string[] = [];
  const running = createRunningTurn((messageId) => cancelled.push(messageId));
  running.begin();
  running.cancel();
  running.end();
  running.cancel();
  running.begin();
  running.sent("msg_2");
  expect(cancelled).toEqual([]);
  expect(running).toMatchObject({ isRunning: true, messageId: "msg_2" });
});
