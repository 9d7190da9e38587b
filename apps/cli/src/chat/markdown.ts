// Renders streamed Markdown for a terminal: headings, lists, quotes, code, bold, italic and links. Output only grows:
// text that can still become markup is held back, at most to the end of its line.

import { withoutControls } from "../controls.ts";
import { paint, style } from "../style.ts";

export interface MarkdownStream {
  /** Returns what can be shown now. */
  push(text: string): string;
  /** Returns the rest. */
  end(): string;
}

/** Longer spans of markup are shown as they are written. */
const spanCharsMax = 400;
const undecided = /^ {0,12}(?:#{0,6}|[-*+]?|\d{1,3}[.)]?|>?|`{0,2}|~{0,2}|-{2,}|_{1,}|\*{2,}) ?$/;
const fence = /^ {0,3}(`{3,}|~{3,})([^`\n]*)$/;

export function createMarkdown({ isStyled }: { readonly isStyled: boolean }): MarkdownStream {
  if (!isStyled) return { push: withoutControls, end: () => "" };
  let rest = "";
  let isLineStart = true;
  let openFence: string | undefined;
  let heading = false;

  const openLine = (line: string): LineStart => {
    if (!isLineStart) return { prefix: "", rest: line, isHeading: false };
    const start = renderLineStart(line);
    heading = start.isHeading;
    return start;
  };

  /** Renders a whole line, without its end. */
  function wholeLine(line: string): string {
    const opening = fence.exec(line);
    if (openFence !== undefined) {
      if (opening !== null && opening[1]!.startsWith(openFence) && opening[2]!.trim() === "") {
        openFence = undefined;
        return paint("dim", line);
      }
      return paint("code", line);
    }
    if (isLineStart && opening !== null) {
      openFence = opening[1]!;
      return paint("dim", line);
    }
    if (isLineStart && /^ {0,3}([-*_])( *\1){2,} *$/.test(line)) return paint("dim", "─".repeat(24));
    const start = openLine(line);
    return start.prefix + inline(start.rest, true).shown;
  }

  /** Shows part of an unfinished line, if it cannot become other markup. */
  function unfinishedLine(): string {
    if (openFence !== undefined || rest === "") return "";
    if (isLineStart && (undecided.test(rest) || /^ {0,3}(`{3}|~{3})/.test(rest))) return "";
    const start = openLine(rest);
    const { shown, held } = inline(start.rest, false);
    rest = held;
    isLineStart = false;
    return start.prefix + shown;
  }

  return {
    push(text) {
      rest += withoutControls(text);
      let out = "";
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        out += wholeLine(rest.slice(0, end));
        if (heading) out += style.bold[1];
        out += "\n";
        rest = rest.slice(end + 1);
        isLineStart = true;
        heading = false;
      }
      return out + unfinishedLine();
    },
    end() {
      const out = rest === "" ? "" : wholeLine(rest);
      rest = "";
      const closed = heading ? style.bold[1] : "";
      heading = false;
      return out + closed;
    },
  };
}

interface LineStart {
  readonly prefix: string;
  readonly rest: string;
  readonly isHeading: boolean;
}

/** Renders the block markup at the start of a line. */
function renderLineStart(line: string): LineStart {
  const [markup, indent = "", title, bullet] = /^( *)(?:(#{1,6} +)|([-*+] +)|> ?)/.exec(line) ?? [];
  if (markup === undefined) return { prefix: "", rest: line, isHeading: false };
  const rest = line.slice(markup.length);
  if (title !== undefined) return { prefix: style.bold[0], rest, isHeading: true };
  return { prefix: bullet === undefined ? paint("dim", `${indent}│ `) : `${indent}• `, rest, isHeading: false };
}

/** The markup of spans, in the order in which they are tried at one place. */
const spans: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^(`+)(?!`)(.+?)(?<!`)\1(?!`)/, ([, , code]) => paint("code", code!)],
  [/^\*\*(?=\S)(.+?)(?<=\S)\*\*/, ([, text]) => paint("bold", text!)],
  [/^\*(?=[^\s*])([^*]+?)(?<=\S)\*(?!\*)/, ([, text]) => paint("italic", text!)],
  [/^\[([^\]]*)\]\(([^)\s]+)\)/, ([, label, target]) => link(label!, target!)],
];
const opensSpan = /[`*[]/;

function link(label: string, target: string): string {
  return label === target || label === "" ? paint("underline", target) : `${label} (${paint("underline", target)})`;
}

/** Renders spans. If the line is incomplete, holds back from the first span that can still be closed. */
function inline(text: string, isWhole: boolean): { shown: string; held: string } {
  let shown = "";
  for (let at = 0; at < text.length;) {
    const next = text.slice(at).search(opensSpan);
    if (next < 0) return { shown: shown + text.slice(at), held: "" };
    shown += text.slice(at, at + next);
    at += next;
    const here = text.slice(at, at + spanCharsMax);
    const mayGrow = !isWhole && here.length < spanCharsMax;
    const found = spans.map(([pattern, render]) => ({ match: pattern.exec(here), render })).find(({ match }) => match);
    // A span that ends with the text can become longer: `*a*` can become `*a**`.
    if (mayGrow && (found === undefined || found.match![0].length === here.length)) return { shown, held: here };
    const length = found === undefined ? (/^(?:`+|\*+|.)/.exec(here)?.[0].length ?? 1) : found.match![0].length;
    shown += found === undefined ? here.slice(0, length) : found.render(found.match!);
    at += length;
  }
  return { shown, held: "" };
}
