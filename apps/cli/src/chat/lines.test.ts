// Tests which lines answer a question.

import { afterEach, expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import type { Io } from "../context.ts";
import { openLines, type Lines } from "./lines.ts";

let lines: Lines | undefined;
afterEach(() => lines?.[Symbol.dispose]());

function openTerminal() {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stdout = Object.assign(new PassThrough(), { isTTY: true });
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
