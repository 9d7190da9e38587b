// Where a chat shows text. In a terminal, an answer is printed above the prompt, row by row. Its unfinished row stays
// directly above the prompt until it is full.

import type { Io } from "../context.ts";
import { hasStyles, style } from "../style.ts";
import type { Lines } from "./lines.ts";

export interface Screen {
  readonly isStyled: boolean;
  /** Writes a piece of the answer. */
  write(text: string): void;
  /** Ends the answer's unfinished line, if there is one. */
  endLine(): void;
  /** Shows lines after the answer's unfinished line. */
  note(text: string): void;
  /** Shows lines that have nothing to do with the answer: before its unfinished line. */
  above(text: string): void;
  /** Prints the result of a command. */
  print(text: string): void;
  /** Replaces the rows that are shown only while something runs. Only in a terminal. */
  setRows(rows: readonly string[]): void;
}

export function openScreen(io: Io, lines: Lines): Screen {
  const isStyled = hasStyles(io);
  return lines.isTerminal ? createTerminalScreen(io, lines, isStyled) : createPipedScreen(io, isStyled);
}

function createPipedScreen({ stdout, stderr }: Io, isStyled: boolean): Screen {
  let isMidLine = false;
  const write = (text: string): void => {
    if (text === "") return;
    stdout.write(text);
    isMidLine = !text.endsWith("\n");
  };
  const endLine = (): void => write(isMidLine ? "\n" : "");
  const above = (text: string): void => void stderr.write(text);
  return {
    isStyled,
    write,
    endLine,
    above,
    print(text) {
      endLine();
      stdout.write(withEnd(text));
    },
    note(text) {
      endLine();
      above(text);
    },
    setRows: () => undefined,
  };
}

function createTerminalScreen({ stdout }: Io, lines: Lines, isStyled: boolean): Screen {
  let unfinished = "";
  let rows: readonly string[] = [];
  const show = (text = ""): void => {
    const columns = columnsOf(stdout);
    const shown = rows.map((row) => wrap(row, columns - 1)[0] ?? "");
    lines.show(text, [...(unfinished === "" ? [] : [unfinished]), ...shown].join("\n"));
  };
  const write = (text: string): void => {
    if (text === "") return;
    const all = (unfinished + text).split("\n").flatMap((line) => wrap(line, columnsOf(stdout)));
    unfinished = all.pop() ?? "";
    show(all.map((row) => `${row}\n`).join(""));
  };
  const endLine = (): void => write(unfinished === "" ? "" : "\n");
  return {
    isStyled,
    write,
    endLine,
    above: show,
    print: (text) => show(withEnd(text)),
    note(text) {
      endLine();
      show(text);
    },
    setRows(next) {
      if (next.length === 0 && rows.length === 0) return;
      rows = next;
      show();
    },
  };
}

function withEnd(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function columnsOf(stdout: Io["stdout"]): number {
  const { columns = 0 } = stdout as { readonly columns?: number };
  return columns > 1 ? columns : Infinity;
}

// eslint-disable-next-line no-control-regex
const pieces = /\u001b\[[0-9;]*m|[\s\S]/gu;
const reset = Object.values(style)
  .map(([, off]) => off)
  .join("");

/**
 * Splits a line into rows of at most `columns` characters, between words where that is possible. Styles that a row
 * leaves open are closed at its end and open in the next.
 */
export function wrap(text: string, columns: number): string[] {
  const rows: string[] = [];
  let row = "";
  let styles = "";
  let length = 0;
  /** Where a row can end: after its last space. */
  let space: { readonly at: number; readonly styles: string; readonly length: number } | undefined;
  for (const [piece] of text.matchAll(pieces)) {
    const isStyle = piece.startsWith("\u001b");
    if (!isStyle && length === columns) {
      const end = piece === " " || space === undefined ? { at: row.length, styles, length } : space;
      rows.push(row.slice(0, end.at).trimEnd() + (end.styles === "" ? "" : reset));
      row = end.styles + row.slice(end.at);
      length -= end.length;
      space = undefined;
      if (piece === " " && length === 0) continue;
    }
    row += piece;
    if (isStyle) styles += piece;
    else length += 1;
    if (piece === " ") space = { at: row.length, styles, length };
  }
  return [...rows, row];
}
