// Tests the rendering of streamed Markdown, whole and in pieces.

import { describe, expect, test } from "@jest/globals";
import { createMarkdown } from "./markdown.ts";

function render(pieces: readonly string[], isStyled = true): string {
  const markdown = createMarkdown({ isStyled });
  return pieces.map((piece) => markdown.push(piece)).join("") + markdown.end();
}

/** Names the styles instead of their escape sequences. */
function named(text: string): string {
  const names: Record<string, string> = { 1: "<b>", 2: "<d>", 22: "</>", 3: "<i>", 23: "</i>", 4: "<u>", 24: "</u>" };
  Object.assign(names, { 36: "<c>", 39: "</c>" });
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[(\d+)m/g, (_, code: string) => names[code] ?? `<${code}>`);
}

const cases: readonly (readonly [source: string, shown: string])[] = [
  ["plain text", "plain text"],
  ["# Title\ntext", "<b>Title</>\ntext"],
  ["- one\n* two\n  + three", "• one\n• two\n  • three"],
  ["1. one\n2) two", "1. one\n2) two"],
  ["> said", "<d>│ </>said"],
  ["a **bold** and *slanted* word", "a <b>bold</> and <i>slanted</i> word"],
  ["`code` and ``a`b``", "<c>code</c> and <c>a`b</c>"],
  ["see [docs](https://example.com/a)", "see docs (<u>https://example.com/a</u>)"],
  ["[https://a.b](https://a.b)", "<u>https://a.b</u>"],
  ["2 * 3 * 4 is 24", "2 * 3 * 4 is 24"],
  ["open **never closed\nnext", "open **never closed\nnext"],
  ["snake_case_name", "snake_case_name"],
  ["```ts\nconst a = **1**;\n```\nafter", "<d>```ts</>\n<c>const a = **1**;</c>\n<d>```</>\nafter"],
  ["a\n---\nb", `a\n<d>${"─".repeat(24)}</>\nb`],
  ["| a | b |\n| --- | --- |", "| a | b |\n| --- | --- |"],
  ["#no heading", "#no heading"],
  ["", ""],
];

test.each(cases)("%j", (source, shown) => expect(named(render([source]))).toBe(shown));

test.each(cases.map(([source]) => [source]))("%j is the same however it is cut", (source) => {
  const whole = render([source]);
  expect(render([...source])).toBe(whole);
  for (let at = 1; at < source.length; at++) expect(render([source.slice(0, at), source.slice(at)])).toBe(whole);
});

describe("while it streams", () => {
  test("plain text is shown immediately, and markup when it is complete", () => {
    const markdown = createMarkdown({ isStyled: true });
    expect(markdown.push("Hello ")).toBe("Hello ");
    expect(markdown.push("**wor")).toBe("");
    expect(named(markdown.push("ld**, all"))).toBe("<b>world</>, all");
    expect(markdown.push(" [not a link")).toBe(" ");
    expect(markdown.push("x".repeat(400))).toContain("[not a link");
  });

  test("control characters of the agent never reach the terminal", () => {
    expect(render(["a\u001b]0;title\u0007b"], false)).toBe("a]0;titleb");
  });

  test("without styles the text is unchanged", () => {
    expect(render(["# T\n**b** `c`"], false)).toBe("# T\n**b** `c`");
  });

  test("markup that is too long is shown as written, also in a whole line", () => {
    const long = "x".repeat(400);
    for (const source of [`**${long}**`, `[${long}](y)`, `[a](${long})`])
      expect(render([`${source}\n`])).toBe(`${source}\n`);
  });
});
