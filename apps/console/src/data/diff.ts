// A unified diff as files with lines to draw. Knows no colour.

export interface DiffLine {
  readonly kind: "file" | "hunk" | "added" | "removed" | "kept";
  readonly text: string;
}

export interface DiffFile {
  readonly name: string;
  readonly lines: readonly DiffLine[];
  readonly added: number;
  readonly removed: number;
}

/** Divides a patch by `git` into its files. Lines before the first file belong to no file and are left out. */
export function readDiff(patch: string): readonly DiffFile[] {
  const files: { name: string; lines: DiffLine[] }[] = [];
  let inHunk = false;
  for (const text of patch.replace(/\n$/, "").split("\n")) {
    if (text.startsWith("diff --git")) {
      inHunk = false;
      files.push({ name: nameOf(text), lines: [] });
      continue;
    }
    const file = files.at(-1);
    if (file === undefined) continue;
    if (text.startsWith("@@")) inHunk = true;
    else if (!inHunk && /^(\+\+\+|---) /.test(text)) continue;
    file.lines.push({ kind: kindOf(text, inHunk), text });
  }
  return files.map((file) => ({ ...file, added: count(file.lines, "added"), removed: count(file.lines, "removed") }));
}

/** Returns the path in a line such as `diff --git a/x b/x`. */
function nameOf(text: string): string {
  const paths = text.slice("diff --git ".length);
  const half = paths.slice(paths.length / 2 + 1);
  return half.replace(/^"?b\//, "").replace(/"$/, "");
}

function count(lines: readonly DiffLine[], kind: DiffLine["kind"]): number {
  return lines.filter((line) => line.kind === kind).length;
}

function kindOf(text: string, inHunk: boolean): DiffLine["kind"] {
  if (!inHunk) return "file";
  if (text.startsWith("@@")) return "hunk";
  if (text.startsWith("+")) return "added";
  return text.startsWith("-") ? "removed" : "kept";
}
