// Tests that no control characters reach a terminal.

import { expect, test } from "@jest/globals";
import { Writable } from "node:stream";
import { textFor, withoutControls } from "./controls.ts";
import { createOutput } from "./output.ts";

const title = "a\u001b]0;title\u0007b";

test("controls are removed, lines and tabs stay", () => {
  expect(withoutControls("a\u001b[2Jb\u0007\r\n\tc\u009b")).toBe("a[2Jb\n\tc");
});

test("only a terminal gets text without controls", () => {
  expect(textFor({ isTTY: true }, title)).toBe("a]0;titleb");
  expect(textFor({}, title)).toBe(title);
});

test.each([
  { isTTY: true, shown: "a]0;titleb" },
  { isTTY: false, shown: title },
])("results, progress and errors: terminal $isTTY", ({ isTTY, shown }) => {
  const stdout = collect(isTTY);
  const stderr = collect(isTTY);
  const output = createOutput({ stdout: stdout.stream, stderr: stderr.stream }, false);
  output.result({}, () => title);
  output.line({}, () => title);
  output.progress(title);
  output.log(title);
  output.error(new Error(title));
  expect(stdout.text()).toBe(`${shown}\n${shown}\n`);
  expect(stderr.text()).toBe(`${shown}\n${shown}dari: ${shown}\n`);
});

function collect(isTTY: boolean) {
  let all = "";
  const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
    all += chunk.toString();
    done();
  };
  return { stream: Object.assign(new Writable({ write }), { isTTY }), text: () => all };
}
