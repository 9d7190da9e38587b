// Where a symbolic link of an image may point. Pure path arithmetic.

import { posix } from "node:path";

/**
 * True when `target`, read from the link at `path`, stays below the image's root at every step.
 * `path` is relative to the root. Links along the way are not followed: each is judged by itself, and a chain of
 * links that each stay inside by their text is confined by the sandbox, not by this rule.
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const reached = posix.normalize(posix.join(posix.dirname(path), target));
  return reached !== ".." && !reached.startsWith("../");
}
