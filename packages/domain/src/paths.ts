// Workspace paths: POSIX, absolute, rooted at the session's workspace. Pure string rules.

import { AppError } from "./app-error.ts";
import { limits } from "./limits.ts";

/**
 * Normalizes a client's path: absolute, without a trailing slash, with `/workspace` read as `/`.
 * @throws AppError `invalid` for `..`, NUL, invalid UTF-8, or a path that is too long.
 */
export function normalizeWorkspacePath(input: string): string {
  if (input.includes("\0")) throw invalidPath("must not contain NUL");
  if (!input.isWellFormed()) throw invalidPath("must be valid UTF-8");
  if (utf8Bytes(input) > limits.workspacePathBytes) {
    throw invalidPath(`must be at most ${limits.workspacePathBytes} bytes long`);
  }
  const segments = input.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw invalidPath("must not contain '..'");
  if (segments[0] === "workspace" && input.startsWith("/")) segments.shift();
  return `/${segments.join("/")}`;
}

function invalidPath(message: string): AppError {
  return new AppError("invalid", `path ${message}`, { issues: [{ path: "path", message }] });
}

/** Returns the last segment of a client's file name, with any separators; never empty, `.` or `..`. */
export function leafFilename(input: string): string {
  const leaf =
    input
      .replaceAll("\0", "")
      .split(/[/\\]/)
      .filter((part) => part !== "")
      .at(-1) ?? "";
  return leaf === "" || leaf === "." || leaf === ".." ? "file" : leaf;
}

/** `report.pdf`, 2 → `report-2.pdf`; the first keeps its name. Shortened if it would exceed the limit of a name. */
export function numberedFilename(filename: string, n: number): string {
  const dot = filename.lastIndexOf(".");
  const [stem, suffix] = dot <= 0 ? [filename, ""] : [filename.slice(0, dot), filename.slice(dot)];
  const ending = n <= 1 ? suffix : `-${n}${suffix}`;
  const room = limits.filenameBytes - utf8Bytes(ending);
  // An ending that leaves no room for the stem is dropped.
  return room > 0 ? `${cutToBytes(stem, room)}${ending}` : cutToBytes(`${n}-${filename}`, limits.filenameBytes);
}

function cutToBytes(text: string, maxBytes: number): string {
  if (utf8Bytes(text) <= maxBytes) return text;
  let cut = "";
  let bytes = 0;
  for (const character of text) {
    bytes += utf8Bytes(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
