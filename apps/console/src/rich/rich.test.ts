// What is shown of Markdown, source text, CSV and logs, without a browser.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { filterLogLines, readLogLines } from "../data/log-lines.ts";
import { parseCsv } from "./parse-csv.ts";
import { parseMarkdown, type Inline } from "./parse-markdown.ts";
import { tokenize } from "./tokenize.ts";

const text = (said: string) => ({ kind: "text", text: said });

/** Returns what the first paragraph has. */
function parseInline(said: string): readonly Inline[] {
  const [first] = parseMarkdown(said);
  return first?.kind === "paragraph" ? first.of : [];
}

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

test("a long line takes no longer than its length", () => {
  const started = performance.now();
  const spaces = " ".repeat(100_000);
  for (const line of [`# a${spaces}b`, `#${spaces}#`, `\`\`\`${spaces}\``, "`".repeat(100_000), `- - ${spaces}x`]) {
    parseMarkdown(line);
  }
  expect(performance.now() - started).toBeLessThan(5_000);
});

test("headings may end with marks, and a link with a user name shows where it leads", () => {
  expect(parseMarkdown("## a # b ##\n#")).toMatchObject([
    { kind: "heading", level: 2, of: [text("a # b")] },
    { kind: "heading", level: 1, of: [] },
  ]);
  expect(parseInline("https://dari.example@evil.example")).toMatchObject([{ kind: "link", target: "evil.example" }]);
});

/** What attackers write. */
const hostile = [
  "<script>alert(1)</script>",
  "<svg/onload=alert(1)>",
  "<a href='javascript:alert(1)'>x</a>",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java\nscript:alert(1))",
  "[x](java&#115;cript:alert(1))",
  "[x](\u0001javascript:alert(1))",
  "[x](vbscript:x) [y](file:///etc/passwd) [z](blob:https://example.com/1)",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "[x](//example.com/a) [y](/console/keys) [z](?q=1) [w](#main)",
  "[x](https://[bad) [y](https://) [z](http://exa mple.com)",
  "![x](https://example.com/track.png) ![y](javascript:alert(1)) ![z](/v1/me)",
  "[![x](https://example.com/a.png)](javascript:alert(1))",
  "[https://good.example](https://evil.example) [**[in](https://evil.example/2)**](https://evil.example/3)",
  "<https://example.com> <javascript:alert(1)>",
  '[x](https://example.com "onmouseover=alert(1)")',
  "[x][1]\n\n[1]: javascript:alert(1)",
  "`<b>` ```<script>```",
  "[a@b](mailto:a@b.example?subject=x) [user](https://good.example@evil.example/)",
];

interface FoundLink {
  readonly href: string;
  readonly target?: string;
  /** How many links are inside it. */
  readonly inner: number;
}

function linksIn(parsed: unknown): readonly FoundLink[] {
  if (typeof parsed !== "object" || parsed === null) return [];
  const inner = Object.values(parsed).flatMap(linksIn);
  const { kind, href, target } = parsed as { kind?: string; href: string; target?: string };
  return kind === "link" ? [{ href, ...(target === undefined ? {} : { target }), inner: inner.length }] : inner;
}

test("hostile Markdown has only links to the web and to mail, none inside another, and says where they lead", () => {
  const found = hostile.flatMap((written) => linksIn(parseMarkdown(written)));
  expect(found.length).toBeGreaterThan(5);
  expect(found.filter(({ href, inner }) => !/^(https?:\/\/|mailto:)/.test(href) || inner > 0)).toEqual([]);
  expect(found).toContainEqual({ href: "https://evil.example", target: "evil.example", inner: 0 });
  expect(found).toContainEqual({ href: "https://good.example@evil.example/", target: "evil.example", inner: 0 });
  expect(found).toContainEqual({ href: "mailto:a@b.example?subject=x", target: "a@b.example", inner: 0 });
  expect(linksIn(parseMarkdown("https://example.com/a"))).toEqual([{ href: "https://example.com/a", inner: 0 }]);
});

test("only files of the workspace are pictures", () => {
  const pathOf = (href: string) =>
    parseInline(`![x](${href})`).flatMap((one) => (one.kind === "picture" ? one.path : []));
  const own = ["output/chart.png", "./a.SVG", "/workspace/a.webp", "out%20put/a.jpg"];
  expect(own.flatMap(pathOf)).toEqual(["output/chart.png", "./a.SVG", "/workspace/a.webp", "out put/a.jpg"]);
  const others = ["https://example.com/a.png", "//example.com/a.png", "/v1/a.png", "data:image/png,a.png", "../a.png"];
  const disguised = [
    "a/..%2f..%2fv1/a.png",
    "output/a.html",
    "output/a.png?x=1",
    "%6aavascript:a.png",
    "\\\\host\\a.png",
  ];
  expect([...others, ...disguised].flatMap(pathOf)).toEqual([]);
});

test("no component of the console writes HTML", async () => {
  const folder = path.join(import.meta.dirname, "..");
  const names = (await readdir(folder, { recursive: true })).filter(
    (name) => /\.tsx?$/.test(name) && !name.includes(".test."),
  );
  const sources = await Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")));
  expect(names.length).toBeGreaterThan(50);
  expect(
    names.filter((_, index) => /innerHTML|outerHTML|insertAdjacentHTML|srcdoc|<iframe/i.test(sources[index] ?? "")),
  ).toEqual([]);
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
  for (const part of ["*a ", "[a](", "`", "_a_ ", "(", "**", "_a__b", "<a ", "~~a"]) parseMarkdown(part.repeat(6_000));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("quotes and lists that are nested too deeply stay text", () => {
  for (const part of ["> ", "- ", "1. "]) {
    const depthOf = (parsed: unknown): number =>
      typeof parsed === "object" && parsed !== null ? 1 + Math.max(0, ...Object.values(parsed).map(depthOf)) : 0;
    const blocks = parseMarkdown(`${part.repeat(5_000)}end`);
    expect(JSON.stringify(blocks)).toContain("end");
    expect(depthOf(blocks)).toBeLessThan(50);
  }
});

test("links by reference, headings by underline and code by indentation are read", () => {
  expect(parseMarkdown("See [a][1].\n\n[1]: https://example.com\n\nTitle\n===\n\n    let a;")).toMatchObject([
    { kind: "paragraph", of: [text("See "), { kind: "link", href: "https://example.com" }, text(".")] },
    { kind: "heading", level: 1, of: [text("Title")] },
    { kind: "code", language: "", text: "let a;" },
  ]);
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
