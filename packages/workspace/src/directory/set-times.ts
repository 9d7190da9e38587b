// File times of kept directories. Snapshots store no times, so a kept directory must not show those that an agent set.

import { lutimesSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { PermissionLoan } from "./permission-loan.ts";

const pathsPerTick = 256;

/**
 * Sets the times of `paths` below `dir` to now. Each directory comes before its contents. `onSet` is called for each
 * path while it is readable.
 */
export async function setTimesToNow(
  dir: string,
  paths: readonly { readonly path: string; readonly type: string }[],
  onSet: (path: string, place: string) => void = () => {},
): Promise<void> {
  using loan = new PermissionLoan();
  const now = new Date();
  for (const { path, type } of paths) if (type === "directory") loan.takeFolder(join(dir, path));
  for (const [index, { path }] of paths.entries()) {
    if (index % pathsPerTick === pathsPerTick - 1) await nextTick();
    const place = join(dir, path);
    lutimesSync(place, now, now);
    onSet(path, place);
  }
}
