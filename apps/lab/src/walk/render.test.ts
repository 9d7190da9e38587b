// Tests what a terminal's output looks like.

import { expect, test } from "@jest/globals";
import { renderLines, stripSequences } from "./render.ts";

test.each([
  ["plain\r\ntext\r\n", "plain\ntext\n"],
  ["\u001b[1mbold\u001b[22m and \u001b]0;title\u0007quiet", "bold and quiet"],
  ["10 %\r100 %", "100 %"],
  // A line above the prompt, as Node's readline is told to write it.
  [
    "> \u001b[3Ghel\u001b[2K\u001b[1GVersion 2 is ready\r\n\u001b[1G\u001b[0J> hel\u001b[6G",
    "Version 2 is ready\n> hel",
  ],
  ["abc\b\b\u001b[Kd", "ad"],
])("%j", (raw, shown) => expect(renderLines(raw)).toBe(shown));

test("without sequences, the text stays in the order in which it came", () => {
  expect(stripSequences("\u001b[2K\u001b[1G\u001b[32mready\u001b[39m\r\n> ")).toBe("ready\n> ");
});
