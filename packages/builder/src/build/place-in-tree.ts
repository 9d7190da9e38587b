// Where this process itself may write into a build's tree, which is full of a tenant's links.

import { realpath, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BuildFailed } from "./build-failed.ts";

/**
 * The host path of a file that is then new: what has its name is removed, so that neither a link is followed nor a file
 * overwritten that is shared with a layer. No program of the build may run meanwhile.
 * @throws BuildFailed where its folder lies outside of the tree.
 */
export async function placeInTree(tree: string, path: string): Promise<string> {
  const [root, folder] = await Promise.all([realpath(tree), realpath(dirname(join(tree, path)))]);
  if (folder !== root && !folder.startsWith(`${root}/`)) {
    throw new BuildFailed(`${dirname(path)} leads out of the bundle`);
  }
  const place = join(folder, basename(path));
  await rm(place, { force: true, recursive: true });
  return place;
}
