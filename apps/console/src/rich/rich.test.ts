// What is shown of Markdown, source text, CSV and logs, without a browser.

import { expect, test } from "@jest/globals";
import { filterLogLines, readLogLines } from "../data/log-lines.ts";
import { parseCsv } from "./parse-csv.ts";
import { parseInline, parseMarkdown } from "./parse-markdown.ts";
import { tokenize } from "./tokenize.ts";

const text = (said: string) => ({ kind: "text", text: said });

test("Markdown's blocks are read as people write them", () => {
  const blocks = parseMarkdown(
    "# Title\n\nSome *text*\nin two lines\n\n- one\n  - deep\n- [x] done\n\n1. first\n2. second\n\n> quoted\n\n" +
      "```ts\nlet a = 1;\n\n```\n\n" +
      "| a | b |\n| --- | --: |\n| 1 | `x\\|y` |\n\n---\nend",
  );
  expect(blocks).toMatchObject([
    { kind: "heading", level: 1, of: [text("Title")] },
    { kind: "paragraph", of: [text("Some "), { kind: "em", of: [text("text")] }, text("\nin two lines")] },
    {
      kind: "list",
      isOrdered: false,
      items: [{ of: [{ kind: "paragraph" }, { kind: "list", items: [{}] }] }, { isDone: true }],
    },
    { kind: "list", isOrdered: true, start: 1, items: [{}, {}] },
    { kind: "quote", of: [{ kind: "paragraph" }] },
    { kind: "code", language: "ts", text: "let a = 1;\n" },
    {
      kind: "table",
      isRight: [false, true],
      head: [[text("a")], [text("b")]],
      rows: [[[text("1")], [{ kind: "code", text: "x|y" }]]],
    },
    { kind: "rule" },
    { kind: "paragraph", of: [text("end")] },
  ]);
});

test("HTML and addresses that could run something stay text", () => {
  const harmful = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](data:text/html,x) [c](/relative)";
  expect(parseInline(harmful).every(({ kind }) => kind === "text")).toBe(true);
  expect(parseInline("[site](https://example.com/a_(b)) https://example.com/x.")).toMatchObject([
    { kind: "link", href: "https://example.com/a_(b)" },
    text(" "),
    { kind: "link", href: "https://example.com/x" },
    text("."),
  ]);
});

test("marks inside words, code and escapes are not emphasis", () => {
  expect(parseInline("snake_case_name 2 * 3 * 4 \\*no\\*")).toEqual([
    text("snake_case_name 2 * 3 * 4 "),
    text("*"),
    text("no"),
    text("*"),
  ]);
  expect(parseInline("**a `*b*` c**")).toEqual([
    { kind: "strong", of: [text("a "), { kind: "code", text: "*b*" }, text(" c")] },
  ]);
});

test("an unfinished answer is read without an error, in linear time", () => {
  for (const part of ["```js\nlet a", "| a | b |\n| -", "- [", "**bold", "> ".repeat(50) + "x"]) {
    expect(parseMarkdown(part).length).toBeGreaterThan(0);
  }
  const startedAt = performance.now();
  for (const part of ["*a ", "[a](", "`", "_a_ ", "(", "**"]) parseMarkdown(part.repeat(6_000));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("source text is divided into comments, strings, numbers and keywords, and nothing is lost", () => {
  const source = "// note\nconst a = 'x' + 12; /* more */";
  const tokens = tokenize(source, "ts");
  expect(tokens.map(({ text: part }) => part).join("")).toBe(source);
  expect(tokens.filter(({ kind }) => kind !== "plain")).toEqual([
    { kind: "comment", text: "// note" },
    { kind: "keyword", text: "const" },
    { kind: "string", text: "'x'" },
    { kind: "number", text: "12" },
    { kind: "comment", text: "/* more */" },
  ]);
  expect(tokenize("let", "no such language")).toEqual([{ kind: "plain", text: "let" }]);
});

test("quoted values of CSV contain separators, quotes and line breaks", () => {
  expect(parseCsv('a,b\r\n"x, ""y""\nz",2\n', ",", 10)).toEqual([
    ["a", "b"],
    ['x, "y"\nz', "2"],
  ]);
  expect(parseCsv("a\tb\n1\t2\n3\t4", "\t", 2)).toEqual([
    ["a", "b"],
    ["1", "2"],
  ]);
});

test("log lines have time, stream and level, and a heading stays with its lines", () => {
  const at = "2026-11-29T12:00:00.000Z";
  const lines = readLogLines(
    `== attempt 1\n${at} [stdout] hello\n${at} [stderr] WARNING: slow\n== attempt 2\n${at} [platform] an error\n`,
  );
  expect(lines[2]).toEqual({ time: at, stream: "stderr", level: "warning", text: "WARNING: slow" });
  const shown = (filter: Partial<Parameters<typeof filterLogLines>[1]>) =>
    filterLogLines(lines, { text: "", stream: "", level: "plain", ...filter }).map((line) => line.text);
  expect(filterLogLines(readLogLines("== attempt 1\n"), { text: "", stream: "", level: "plain" })).toHaveLength(1);
  expect(shown({ text: "HELLO" })).toEqual(["== attempt 1", "hello"]);
  expect(shown({ level: "warning" })).toEqual(["== attempt 1", "WARNING: slow", "== attempt 2", "an error"]);
  expect(shown({ stream: "platform" })).toEqual(["== attempt 2", "an error"]);
});
