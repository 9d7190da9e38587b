// Whether a name of a package may mean the agent's own sources, which change while its dependencies stay as they are.

import { readdir, readFile, realpath } from "node:fs/promises";
import { join, sep } from "node:path";

/**
 * True where a folder of node_modules is a link out of it (workspaces, `file:` and `link:` dependencies), or where the
 * agent's package exports itself under its name.
 */
export async function hasOwnPackages(tree: string): Promise<boolean> {
  const root = await realpath(join(tree, "node_modules"));
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const isScope = entry.isDirectory() && entry.name.startsWith("@");
    const names = isScope
      ? (await readdir(join(root, entry.name))).map((name) => join(entry.name, name))
      : [entry.name];
    for (const name of names) if (await leadsOut(root, name)) return true;
  }
  return exportsItself(await readFile(join(tree, "package.json"), "utf8"));
}

async function leadsOut(root: string, name: string): Promise<boolean> {
  const target = await realpath(join(root, name)).catch(() => undefined);
  return target === undefined || !target.startsWith(root + sep);
}

function exportsItself(text: string): boolean {
  const own = JSON.parse(text.replace(/^\uFEFF/, "")) as { name?: unknown; exports?: unknown };
  return own.name !== undefined && own.exports !== undefined;
}
