// Reads one line of a chat: a command, or a message with the files that it attaches.

export type ChatLine =
  | { readonly kind: "empty" }
  | { readonly kind: "command"; readonly name: string; readonly argument: string }
  /** `paths`: what was written as `@path` or `@"path with spaces"`. The text keeps it. */
  | { readonly kind: "message"; readonly text: string; readonly paths: readonly string[] };

const command = /^\/([a-z]+)(?:\s+(.*))?$/;
const attachment = /(?<=^|\s)@(?:"([^"\n]+)"|(\S+))/g;

export function parseLine(line: string): ChatLine {
  const text = line.trim();
  if (text === "") return { kind: "empty" };
  const [, name, argument = ""] = command.exec(text) ?? [];
  if (name !== undefined) return { kind: "command", name, argument: argument.trim() };
  const paths = [...text.matchAll(attachment)].map(([, quoted, bare]) => quoted ?? bare ?? "");
  return { kind: "message", text, paths: [...new Set(paths)] };
}

/** Returns what a path can mean: itself, or without the punctuation of the sentence that it ends. */
export function pathCandidates(path: string): string[] {
  const bare = path.replace(/[.,;:!?)\]}'"]+$/, "");
  return bare === path || bare === "" ? [path] : [path, bare];
}
