// A unified diff as lines to draw. Knows no colour.

export interface DiffLine {
  readonly kind: "file" | "hunk" | "added" | "removed" | "kept";
  readonly text: string;
}

/** Returns every line of a patch with its kind. */
export function readDiff(patch: string): DiffLine[] {
  let inHunk = false;
  return patch
    .replace(/\n$/, "")
    .split("\n")
    .map((text) => {
      if (text.startsWith("diff --git")) inHunk = false;
      else if (text.startsWith("@@")) inHunk = true;
      return { kind: kindOf(text, inHunk), text };
    });
}

function kindOf(text: string, inHunk: boolean): DiffLine["kind"] {
  if (!inHunk) return "file";
  if (text.startsWith("@@")) return "hunk";
  if (text.startsWith("+")) return "added";
  return text.startsWith("-") ? "removed" : "kept";
}
