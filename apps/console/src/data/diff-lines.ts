// Compares two texts line by line. Draws nothing.

import type { DiffFile, DiffLine } from "./diff.ts";

/** Unchanged lines that are shown around a change. */
const contextLines = 3;
/** With more differing lines than this on one side, the whole middle counts as replaced: comparing would be slow. */
const comparedMax = 2_000;

export function diffLines(name: string, before: string, after: string): DiffFile {
  const [a, b] = [before, after].map((text) => (text === "" ? [] : text.replace(/\n$/, "").split("\n"))) as [
    string[],
    string[],
  ];
  const start = sharedStart(a, b);
  const end = sharedEnd(a, b, start);
  const [oldMiddle, newMiddle] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const lines = [
    ...a.slice(0, start).map((text) => line("kept", text)),
    ...compare(oldMiddle, newMiddle),
    ...a.slice(a.length - end).map((text) => line("kept", text)),
  ];
  return {
    name,
    lines: nearChanges(lines),
    added: lines.filter(({ kind }) => kind === "added").length,
    removed: lines.filter(({ kind }) => kind === "removed").length,
  };
}

const signs = { kept: " ", added: "+", removed: "-" } as const;

function line(kind: keyof typeof signs, text: string): DiffLine {
  return { kind, text: `${signs[kind]}${text}` };
}

function sharedStart(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a[count] === b[count]) count += 1;
  return count;
}

function sharedEnd(a: readonly string[], b: readonly string[], start: number): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) - start && a.at(-1 - count) === b.at(-1 - count)) count += 1;
  return count;
}

/** Keeps the longest common subsequence of lines. */
function compare(a: readonly string[], b: readonly string[]): DiffLine[] {
  if (a.length > comparedMax || b.length > comparedMax) {
    return [...a.map((text) => line("removed", text)), ...b.map((text) => line("added", text))];
  }
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const here = i * width + j;
      lengths[here] =
        a[i] === b[j] ? lengths[here + width + 1]! + 1 : Math.max(lengths[here + width]!, lengths[here + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(line("kept", a[i]!));
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!)) {
      lines.push(line("removed", a[i]!));
      i += 1;
    } else {
      lines.push(line("added", b[j]!));
      j += 1;
    }
  }
  return lines;
}

/** Replaces unchanged lines far from a change by one mark. */
function nearChanges(lines: readonly DiffLine[]): DiffLine[] {
  const isNear = lines.map(() => false);
  for (const [index, { kind }] of lines.entries()) {
    if (kind !== "kept") isNear.fill(true, Math.max(0, index - contextLines), index + contextLines + 1);
  }
  return lines.flatMap((one, index) => {
    if (isNear[index] === true) return [one];
    return index === 0 || isNear[index - 1] === true ? [{ kind: "hunk" as const, text: "…" }] : [];
  });
}
