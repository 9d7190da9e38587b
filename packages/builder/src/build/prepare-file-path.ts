// Where this process may write in a build's tree, which can contain a tenant's links.

import { realpath, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BuildFailedError } from "./build-failed.ts";

/**
 * Returns the host path for a new file. Removes what has its name, so that no link is followed and no file that is
 * shared with a layer is overwritten. No program of the build may run at the same time.
 * @throws BuildFailedError if its folder is outside of the tree.
 */
export async function prepareFilePath(tree: string, path: string): Promise<string> {
  const [root, folder] = await Promise.all([realpath(tree), realpath(dirname(join(tree, path)))]);
  if (folder !== root && !folder.startsWith(`${root}/`)) {
    throw new BuildFailedError(`${dirname(path)} leads out of the bundle`);
  }
  const place = join(folder, basename(path));
  await rm(place, { force: true, recursive: true });
  return place;
}
