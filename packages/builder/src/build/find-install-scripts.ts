// Install scripts of packages do not run. If an agent does not load, this says whether that may be the reason.

import { lstat, readFile, realpath } from "node:fs/promises";
import { join, sep } from "node:path";

const packageInPath = /node_modules\/((?:@[\w.-]+\/)?[\w][\w.-]*)(?=\/)/g;
/** Scripts of a package.json that package managers run at installation. */
export const installHooks = ["preinstall", "install", "postinstall"] as const;
const manifestBytesMax = 1024 * 1024;

/** Returns the packages with install scripts whose paths an error's text contains. */
export async function packagesWithScripts(tree: string, text: string): Promise<string[]> {
  const names = [...new Set([...text.matchAll(packageInPath)].map(([, name]) => name!))];
  const found = await Promise.all(names.map(async (name) => (await hasScript(tree, name)) && name));
  return found.filter((name) => name !== false);
}

async function hasScript(tree: string, name: string): Promise<boolean> {
  try {
    const [root, folder] = await Promise.all([realpath(tree), realpath(join(tree, "node_modules", name))]);
    const file = join(folder, "package.json");
    const { size } = await lstat(file);
    if (!folder.startsWith(root + sep) || (await realpath(file)) !== file || size > manifestBytesMax) return false;
    const { scripts, gypfile } = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    return gypfile === true || installHooks.some((hook) => Object.hasOwn(Object(scripts), hook));
  } catch {
    return false;
  }
}
