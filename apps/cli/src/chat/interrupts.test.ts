// Tests what Ctrl-C does.

import { expect, test } from "@jest/globals";
import { createInterrupts } from "./interrupts.ts";

test("Ctrl-C cancels a turn, and the second one leaves", () => {
  const interrupts = createInterrupts();
  expect([interrupts.press(true), interrupts.press(true)]).toEqual(["cancel", "leave"]);
});

test("at the prompt, the first one only says how to leave", () => {
  const interrupts = createInterrupts();
  expect(interrupts.press(false)).toBe("hint");
  interrupts.reset();
  expect([interrupts.press(false), interrupts.press(false)]).toEqual(["hint", "leave"]);
});

test("after a cancelled turn has ended, a turn can be cancelled again", () => {
  const interrupts = createInterrupts();
  expect(interrupts.press(true)).toBe("cancel");
  interrupts.reset();
  expect(interrupts.press(true)).toBe("cancel");
});
