// Renders two states of one path as a patch for `git apply` and `patch`.

import { structuredPatch } from "diff";

export interface PatchSide {
  /** A symlink's content is its target. */
  readonly type: "file" | "symlink";
  readonly mode: number;
  readonly text: string;
}

/** Above this many edits, or milliseconds of computation, a file is shown as replaced. */
const editsMax = 1_000;
const msMax = 100;
const contextLines = 3;

/**
 * `path` is relative, without a prefix. Returns an empty text if git sees no difference: it stores no permission but
 * the executable bit. A change of type is shown as a deletion and a creation.
 */
export function renderPatch(path: string, before: PatchSide | undefined, after: PatchSide | undefined): string {
  if (before !== undefined && after !== undefined && before.type !== after.type) {
    return renderPatch(path, before, undefined) + renderPatch(path, undefined, after);
  }
  const [a, b] = [quoted(`a/${path}`), quoted(`b/${path}`)];
  const modes = modeLines(before, after);
  const hunks = renderHunks(before?.text ?? "", after?.text ?? "");
  if (modes === "" && hunks === "") return "";
  const [old, now] = [before && named(a), after && named(b)];
  const names = hunks === "" ? "" : `--- ${old ?? "/dev/null"}\n+++ ${now ?? "/dev/null"}\n`;
  return `diff --git ${a} ${b}\n${modes}${names}${hunks}`;
}

/** Returns a line that says that a path differs. Tools that apply the patch skip it. */
export function renderPatchNote(path: string, reason: string): string {
  return `${reason} ${quoted(`a/${path}`)} and ${quoted(`b/${path}`)} differ\n`;
}

function modeLines(before: PatchSide | undefined, after: PatchSide | undefined): string {
  const [old, now] = [before && gitMode(before), after && gitMode(after)];
  if (old === now) return "";
  if (old === undefined) return `new file mode ${now ?? ""}\n`;
  return now === undefined ? `deleted file mode ${old}\n` : `old mode ${old}\nnew mode ${now}\n`;
}

function gitMode({ type, mode }: PatchSide): string {
  if (type === "symlink") return "120000";
  return (mode & 0o100) === 0 ? "100644" : "100755";
}

function renderHunks(before: string, after: string): string {
  if (before === after) return "";
  const options = { context: contextLines, maxEditLength: editsMax, timeout: msMax };
  const patch = structuredPatch("", "", before, after, undefined, undefined, options);
  if (patch === undefined) return renderReplacement(before, after);
  return patch.hunks
    .map(({ oldStart, oldLines, newStart, newLines, lines }) =>
      [`@@ -${span(oldStart, oldLines)} +${span(newStart, newLines)} @@`, ...lines, ""].join("\n"),
    )
    .join("");
}

/** A range without lines is named by the line before it. */
function span(start: number, lines: number): string {
  return `${lines === 0 ? start - 1 : start},${lines}`;
}

function renderReplacement(before: string, after: string): string {
  const [old, now] = [linesOf(before), linesOf(after)];
  const body = [...old.map((line) => `-${line}`), ...now.map((line) => `+${line}`)];
  return `@@ -${span(1, old.length)} +${span(1, now.length)} @@\n${body.join("")}`;
}

/** Splits into lines with their line feeds. If the last has none, adds git's mark. */
function linesOf(text: string): string[] {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines.map((line) => (line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`));
}

/** Quotes a name as git does: only if it contains a control character, a quote or a backslash. */
function quoted(name: string): string {
  if (!/[\x00-\x1f\x7f"\\]/.test(name)) return name;
  const escaped = name.replace(/[\x00-\x1f\x7f"\\]/g, (char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    return `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`;
  });
  return `"${escaped}"`;
}

/** A name with a space ends with a tab, which separates it from a time stamp. */
function named(name: string): string {
  return name.includes(" ") && !name.startsWith('"') ? `${name}\t` : name;
}
