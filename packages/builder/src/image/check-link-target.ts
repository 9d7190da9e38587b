// Where a symbolic link of an image can point. Pure path arithmetic.

import { posix } from "node:path";

/**
 * Returns whether `target`, read from the link at `path`, stays below the image's root at every step. `path` is
 * relative to the root. Links on the way are not followed: each is checked by itself, and the sandbox confines a chain
 * of links, not this rule.
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  const reached = posix.normalize(posix.join(posix.dirname(path), target));
  return reached !== ".." && !reached.startsWith("../");
}
