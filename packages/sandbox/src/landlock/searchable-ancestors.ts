// Lets a sandbox's user enter the directories above its own.

import { chmod, stat } from "node:fs/promises";
import { dirname, relative } from "node:path";

const enterable = 0o001;

/**
 * Makes every directory of `ownDir`, itself included, that is above one of `paths` searchable for everyone, but not
 * listable. Does not change directories outside.
 */
export async function makeAncestorsSearchable(paths: readonly string[], ownDir: string): Promise<void> {
  const isInside = (dir: string): boolean => !relative(ownDir, dir).startsWith("..");
  const above = new Set<string>();
  for (const path of paths) for (let dir = dirname(path); isInside(dir); dir = dirname(dir)) above.add(dir);
  for (const dir of above) {
    const { mode } = await stat(dir);
    if ((mode & enterable) === 0) await chmod(dir, (mode & 0o7777) | enterable);
  }
}
