// Tests that an answer is shown once, whatever was streamed before it.

import { expect, test } from "@jest/globals";
import { createAnswerText } from "./answer-text.ts";

function streamed(...pieces: readonly string[]) {
  const answer = createAnswerText();
  let offset = 0;
  for (const text of pieces) {
    expect(answer.push({ text, offset })).toBe(text);
    offset += text.length;
  }
  return answer;
}

test("text before a tool call is no part of the answer", () => {
  const answer = streamed("I look.", "It is ", "Rome");
  expect(answer.noteAside("I look.")).toBe("");
  expect(answer.shownOf("It is Rome.")).toBe("It is Rome");
  expect(answer.isEmpty).toBe(false);
  // Without an event about it, the end decides.
  expect(streamed("I look.", "It is Rome.").shownOf("It is Rome.")).toBe("It is Rome.");
});

test("text that was not streamed is shown when its event comes", () => {
  const answer = createAnswerText();
  expect(answer.noteAside("I look.")).toBe("I look.");
  expect(answer.shownOf("It is Rome.")).toBe("");
  expect(answer.isEmpty).toBe(true);
});

test("nothing is shown after a piece that was lost", () => {
  const answer = streamed("It ");
  expect(answer.push({ text: "Rome", offset: 6 })).toBe("");
  expect(answer.shownOf("It is Rome.")).toBe("It ");
  answer.reset();
  expect(answer.push({ text: "Again", offset: 0 })).toBe("Again");
});
