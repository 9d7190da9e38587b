// Reads Markdown into blocks. HTML in it stays text. Draws nothing.

import { picturePath } from "../data/pictures.ts";

export type Inline =
  | { readonly kind: "text" | "code"; readonly text: string }
  | { readonly kind: "strong" | "em" | "del"; readonly of: readonly Inline[] }
  | {
      readonly kind: "link";
      readonly href: string;
      readonly of: readonly Inline[];
      /** Where the link leads: a host or a mail address. Undefined if its text is the address. */
      readonly target?: string;
    }
  | { readonly kind: "picture"; readonly path: string; readonly label: string }
  | { readonly kind: "break" };

export interface Item {
  /** Undefined if the item is no task. */
  readonly isDone?: boolean | undefined;
  readonly of: readonly Block[];
}

export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly of: readonly Inline[] }
  | { readonly kind: "paragraph"; readonly of: readonly Inline[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string }
  | { readonly kind: "quote"; readonly of: readonly Block[] }
  | { readonly kind: "list"; readonly isOrdered: boolean; readonly start: number; readonly items: readonly Item[] }
  | {
      readonly kind: "table";
      readonly head: readonly (readonly Inline[])[];
      /** Whether each column is aligned to the right, as figures are. */
      readonly isRight: readonly boolean[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    }
  | { readonly kind: "rule" };

/** How deeply quotes and lists may be nested. What is deeper stays text. */
const depthMax = 8;

export function parseMarkdown(text: string, depth = 0): readonly Block[] {
  const lines = text.replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line.trim() === "") {
      at += 1;
      continue;
    }
    const read = readBlock(lines, at, depth);
    blocks.push(read.block);
    at = Math.max(at + 1, read.next);
  }
  return blocks;
}

interface Read {
  readonly block: Block;
  /** The line after the block. */
  readonly next: number;
}

const fencePattern = /^ {0,3}(`{3,200}|~{3,200})(?![`~]) {0,9}([\w+#.-]{0,99})[^`]*$/;
const headingPattern = /^ {0,3}(#{1,6})(?:\s(.*))?$/;
const rulePattern = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const quotePattern = /^ {0,3}> ?/;
const itemPattern = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const dividerPattern = /^ *\|?(?: *:?-+:? *\|)+ *:?-*:? *\|? *$/;

function readBlock(lines: readonly string[], at: number, depth: number): Read {
  const line = lines[at] ?? "";
  const fence = fencePattern.exec(line);
  if (fence !== null) return readFence(lines, at, fence);
  const heading = headingPattern.exec(line);
  if (heading !== null) {
    const [, marks = "#", text = ""] = heading;
    return { block: { kind: "heading", level: marks.length, of: parseInline(withoutMarks(text)) }, next: at + 1 };
  }
  if (rulePattern.test(line)) return { block: { kind: "rule" }, next: at + 1 };
  if (quotePattern.test(line) && depth < depthMax) return readQuote(lines, at, depth);
  if (itemPattern.test(line) && depth < depthMax) return readList(lines, at, depth);
  if (isTable(lines, at)) return readTable(lines, at);
  return readParagraph(lines, at);
}

/** Cuts the marks that may close a heading. No pattern: those that match spaces twice take too long for long lines. */
function withoutMarks(text: string): string {
  const trimmed = text.trim();
  let end = trimmed.length;
  while (trimmed[end - 1] === "#") end -= 1;
  return trimmed.slice(0, end).trimEnd();
}

function readFence(lines: readonly string[], at: number, [, marks = "```", language = ""]: RegExpExecArray): Read {
  let end = at + 1;
  const isEnd = (line: string): boolean => line.trim().startsWith(marks) && /^[`~]+$/.test(line.trim());
  while (end < lines.length && !isEnd(lines[end] ?? "")) end += 1;
  return { block: { kind: "code", language, text: lines.slice(at + 1, end).join("\n") }, next: end + 1 };
}

function readQuote(lines: readonly string[], at: number, depth: number): Read {
  let end = at;
  while (end < lines.length && quotePattern.test(lines[end] ?? "")) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(quotePattern, ""));
  return { block: { kind: "quote", of: parseMarkdown(inner.join("\n"), depth + 1) }, next: end };
}

function readList(lines: readonly string[], at: number, depth: number): Read {
  const [, , firstMark = "-"] = itemPattern.exec(lines[at] ?? "") ?? [];
  const isOrdered = /\d/.test(firstMark);
  const items: Item[] = [];
  let next = at;
  while (next < lines.length) {
    const found = itemPattern.exec(lines[next] ?? "");
    if (found === null || /\d/.test(found[2] ?? "") !== isOrdered || rulePattern.test(lines[next] ?? "")) break;
    const end = endOfItem(lines, next, found[0].length);
    const [first = "", ...rest] = lines.slice(next, end);
    const inner = [first.slice(found[0].length), ...rest.map((line) => cutIndent(line, found[0].length))];
    items.push(toItem(inner.join("\n"), depth));
    next = end;
    while (next < lines.length && lines[next]?.trim() === "" && itemPattern.test(lines[next + 1] ?? "")) next += 1;
  }
  return { block: { kind: "list", isOrdered, start: isOrdered ? Number.parseInt(firstMark, 10) : 1, items }, next };
}

/** An item continues on indented lines, and on text without an empty line before it. */
function endOfItem(lines: readonly string[], at: number, indent: number): number {
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end] ?? "";
    const isIndented = line.startsWith(" ".repeat(Math.min(indent, 2)));
    const continues = line.trim() === "" ? (lines[end + 1] ?? "").startsWith("  ") : isIndented || isLazy(line);
    if (!continues) break;
    end += 1;
  }
  return end;
}

function isLazy(line: string): boolean {
  return ![itemPattern, fencePattern, headingPattern, quotePattern, rulePattern].some((pattern) => pattern.test(line));
}

function cutIndent(line: string, most: number): string {
  return line.slice(Math.min(most, line.length - line.trimStart().length));
}

function toItem(text: string, depth: number): Item {
  const task = /^\[([ xX])\] +/.exec(text);
  const rest = task === null ? text : text.slice(task[0].length);
  return { isDone: task === null ? undefined : task[1] !== " ", of: parseMarkdown(rest, depth + 1) };
}

function isTable(lines: readonly string[], at: number): boolean {
  return (lines[at] ?? "").includes("|") && dividerPattern.test(lines[at + 1] ?? "");
}

function readTable(lines: readonly string[], at: number): Read {
  let end = at + 2;
  while (end < lines.length && (lines[end] ?? "").includes("|")) end += 1;
  const head = cellsOf(lines[at] ?? "");
  const rows = lines.slice(at + 2, end).map((line) => {
    const cells = cellsOf(line);
    return head.map((_, index) => cells[index] ?? []);
  });
  const divider = (lines[at + 1] ?? "").split("|").filter((cell) => cell.includes("-"));
  const isRight = divider.map((cell) => /^\s*-+:\s*$/.test(cell));
  return { block: { kind: "table", head, isRight, rows }, next: end };
}

function cellsOf(line: string): (readonly Inline[])[] {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => parseInline(cell.trim().replaceAll("\\|", "|")));
}

function readParagraph(lines: readonly string[], at: number): Read {
  let end = at + 1;
  while (end < lines.length && (lines[end] ?? "").trim() !== "" && isLazy(lines[end] ?? "") && !isTable(lines, end))
    end += 1;
  return { block: { kind: "paragraph", of: parseInline(lines.slice(at, end).join("\n")) }, next: end };
}

/** The first match wins: code, links, addresses, emphasis, line breaks, escaped characters. */
const inlinePattern = new RegExp(
  [
    /(?<ticks>`+)(?<code>.+?)\k<ticks>(?!`)/s,
    /!?\[(?<label>(?:[^[\]]|\[[^[\]]*\])*)\]\((?<href>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)/,
    /(?<url>https?:\/\/[^\s<>()[\]`*]+[^\s<>()[\]`*.,;:!?"'])/,
    /(?<strongMark>\*\*|__)(?=\S)(?<strong>.+?)(?<=\S)\k<strongMark>/s,
    /~~(?=\S)(?<del>.+?)(?<=\S)~~/s,
    /(?<![\w*])\*(?=[^\s*])(?<star>.+?)(?<=[^\s*])\*(?!\*)/s,
    /(?<!\w)_(?=[^\s_])(?<under>.+?)(?<=[^\s_])_(?!\w)/s,
    /(?<hard> {2,}\n|\\\n)/,
    /\\(?<escaped>[\\`*_{}[\]()#+.!|~>-])/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "gs",
);

/** Longer paragraphs are not read for emphasis and links: the time would grow faster than the text. */
const inlineCharsMax = 6_000;

export function parseInline(text: string): readonly Inline[] {
  if (text.length > inlineCharsMax) return [{ kind: "text", text }];
  const parts: Inline[] = [];
  let at = 0;
  for (const match of text.matchAll(inlinePattern)) {
    if (match.index > at) parts.push({ kind: "text", text: text.slice(at, match.index) });
    parts.push(toInline(match[0], match.groups ?? {}));
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ kind: "text", text: text.slice(at) });
  return parts;
}

function toInline(whole: string, found: Partial<Record<string, string>>): Inline {
  const { code, label, href, url, strong, del, star, under, hard, escaped } = found;
  if (code !== undefined) return { kind: "code", text: code.trim() };
  if (label !== undefined) return pictureOf(label, href ?? "", whole) ?? linkOf(label, href ?? "", whole);
  if (url !== undefined) return linkOf(url, url, whole);
  if (strong !== undefined) return { kind: "strong", of: parseInline(strong) };
  if (del !== undefined) return { kind: "del", of: parseInline(del) };
  if (star !== undefined || under !== undefined) return { kind: "em", of: parseInline(star ?? under ?? "") };
  if (hard !== undefined) return { kind: "break" };
  return { kind: "text", text: escaped ?? whole };
}

/** Only files of the workspace are pictures. */
function pictureOf(label: string, href: string, whole: string): Inline | undefined {
  const path = whole.startsWith("!") ? picturePath(href) : undefined;
  return path === undefined ? undefined : { kind: "picture", path, label };
}

/** Only web and mail addresses become links. A picture from elsewhere is not loaded, so it is a link too. */
function linkOf(label: string, href: string, whole: string): Inline {
  const target = targetOf(href);
  if (target === undefined) return { kind: "text", text: whole };
  if (label === "" || label === href) {
    const of = [{ kind: "text" as const, text: href }];
    // A user name in front of the host can look like a host.
    return new URL(href).username === "" ? { kind: "link", href, of } : { kind: "link", href, of, target };
  }
  return { kind: "link", href, of: withoutLinks(parseInline(label)), target };
}

/** A link in the text of another link would lead elsewhere. */
function withoutLinks(parts: readonly Inline[]): readonly Inline[] {
  return parts.flatMap((part) => {
    if (part.kind === "link") return withoutLinks(part.of);
    return "of" in part ? [{ ...part, of: withoutLinks(part.of) }] : [part];
  });
}

/** Returns the host or the mail address; undefined for every other kind of address. */
function targetOf(href: string): string | undefined {
  if (!/^(https?:\/\/|mailto:)/i.test(href) || !URL.canParse(href)) return undefined;
  const { protocol, host, pathname } = new URL(href);
  if (protocol === "mailto:") return pathname;
  return protocol === "https:" || protocol === "http:" ? host : undefined;
}
