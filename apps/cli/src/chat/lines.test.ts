// Tests which lines answer a question.

import { afterEach, expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import type { Io } from "../context.ts";
import { openLines, type Lines } from "./lines.ts";

let lines: Lines | undefined;
afterEach(() => lines?.[Symbol.dispose]());

function openTerminal() {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 20 });
  const io = { stdin, stdout, stderr: stdout, environment: {}, signal: new AbortController().signal };
  lines = openLines(io as unknown as Io, () => undefined);
  const enter = async (text: string): Promise<void> => {
    stdin.write(text);
    await new Promise(setImmediate);
  };
  return { lines, enter, shown: () => String(stdout.read() ?? "") };
}

test("a line that was typed ahead answers no question, and is the next line", async () => {
  const { lines, enter, shown } = openTerminal();
  await enter("yes\n");
  const answer = lines.ask("approved [y/n] ");
  expect(shown()).toContain("approved [y/n] ");
  await enter("n\n");
  expect(await answer).toBe("n");
  expect(await lines.next("> ")).toBe("yes");
});

test("a dismissed question leaves nothing of its answer to the next line", async () => {
  const { lines, enter } = openTerminal();
  const answer = lines.ask("reason ");
  await enter("half an ans");
  lines.dismiss();
  expect(await answer).toBeUndefined();
  const next = lines.next("> ");
  // A line that `next` waits for is not dismissed.
  lines.dismiss();
  await enter("hello\n");
  expect(await next).toBe("hello");
});

test("a half-typed line waits while a question is answered", async () => {
  const { lines, enter } = openTerminal();
  const next = lines.next("> ");
  await enter("the other fi");
  const answer = lines.ask("approved [y/n] ");
  await enter("y\n");
  expect(await answer).toBe("y");
  await enter("le\n");
  expect(await next).toBe("the other file");
});

test("rows stay between the text and the prompt, and leave the screen with the entered line", async () => {
  const { lines, enter, shown } = openTerminal();
  const next = lines.next("> ");
  lines.show("", "… search\n… read");
  await enter("hello");
  shown();
  lines.show("one more line\n", "… read");
  // Up to the first row, clear, and everything again.
  expect(shown()).toContain("\u001b[2A\u001b[1G\u001b[0Jone more line\n");
  await enter("\n");
  expect(shown()).toMatch(/\u001b\[0J> hello[^…]*\r\n$/);
  expect(await next).toBe("hello");
});
