// Puts a layer into a tree by hard links, so that nothing is copied and paths are those of an ordinary installation.

import { chmod, copyFile, link, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "@dari/sandbox";
import { codeOf } from "../errors.ts";
import { layerFolders } from "./layer.ts";

const linksAtOnce = 32;

/**
 * Links a layer's folders, wherever they lie below `from`, into `to` on the same file system; elsewhere they are
 * copied. A folder of `to` of the same name is replaced. `seal`: the directories that are touched end up read-only.
 * @returns the folders, relative to `to`.
 */
export async function linkLayer(from: string, to: string, options: { seal: boolean }): Promise<string[]> {
  const mode = options.seal ? 0o555 : 0o755;
  const roots: string[] = [];
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (layerFolders.includes(entry.name)) {
      await removeTree(target);
      await mkdir(target);
      await linkTree(source, target, mode);
      roots.push(entry.name);
    } else roots.push(...(await linkLayer(source, target, options)).map((path) => `${entry.name}/${path}`));
  }
  await chmod(to, mode);
  return roots;
}

async function linkTree(from: string, to: string, mode: number): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true });
  for (let at = 0; at < entries.length; at += linksAtOnce) {
    const some = entries.slice(at, at + linksAtOnce);
    await Promise.all(
      some.map(async (entry) => {
        const [source, target] = [join(from, entry.name), join(to, entry.name)];
        if (entry.isDirectory()) {
          await mkdir(target);
          await linkTree(source, target, mode);
        } else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
        else await linkFile(source, target);
      }),
    );
  }
  await chmod(to, mode);
}

async function linkFile(source: string, target: string): Promise<void> {
  await link(source, target).catch((error: unknown) => {
    // Another file system, or a file with as many links as it can have.
    if (codeOf(error) !== "EXDEV" && codeOf(error) !== "EMLINK" && codeOf(error) !== "EPERM") throw error;
    return copyFile(source, target);
  });
}
