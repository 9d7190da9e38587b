// Tests how a long line is split into the rows of a terminal.

import { expect, test } from "@jest/globals";
import { paint } from "../style.ts";
import { wrap } from "./screen.ts";

test.each([
  ["short", ["short"]],
  ["exactly10!", ["exactly10!"]],
  ["exactly10! and", ["exactly10!", "and"]],
  ["one two three four", ["one two", "three four"]],
  ["averylongwordwithoutspaces", ["averylongw", "ordwithout", "spaces"]],
  ["", [""]],
])("%j", (text, rows) => expect(wrap(text, 10)).toEqual(rows));

test("a style that a row leaves open continues in the next, and does not count", () => {
  const [first = "", second = "", ...others] = wrap(`say ${paint("bold", "one two three")} now`, 10);
  expect(others).toEqual(["\u001b[1m\u001b[22mnow"]);
  expect(first.startsWith("say \u001b[1mone")).toBe(true);
  expect(first.endsWith("\u001b[22m\u001b[22m\u001b[23m\u001b[24m\u001b[39m\u001b[39m\u001b[39m")).toBe(true);
  expect(second.startsWith("\u001b[1mtwo three\u001b[22m")).toBe(true);
});
