// Finds the bundle's file for an entrypoint, by name only. The check looks at what the file exports.

import { lstat, readdir } from "node:fs/promises";
import { join, posix } from "node:path";
import { normalizeEntryName } from "@dari/bundles";
import type { Language, Manifest } from "@dari/contract";
import { BuildFailedError } from "./build-failed.ts";

export interface Entry {
  /** Relative to the bundle's root, POSIX. */
  readonly file: string;
  readonly export: string;
}

const nodeSuffixes = [".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"];
const suggestionsMax = 8;

/**
 * `src/agent.ts:agent` names a file. A module without suffix (`src/agent`, for Python also `pkg.agent`) is searched as
 * Node and Python would; `agent.js` can mean `agent.ts`, as in TypeScript.
 * @throws BuildFailedError `entrypoint_not_found` with similar files.
 */
export async function resolveEntry(root: string, manifest: Manifest): Promise<Entry> {
  const [reference = "", exported = ""] = manifest.entrypoint.split(":");
  const { language } = manifest.runtime;
  const checked = normalizeEntryName(reference.trim(), 1024);
  if (!checked.ok || checked.name === "") {
    const message = `the entrypoint ${JSON.stringify(reference)} is not a path in the bundle`;
    throw new BuildFailedError(message, "entrypoint_not_found");
  }
  for (const file of candidates(checked.name, language)) {
    if (await isFile(join(root, file))) return { file, export: exported.trim() };
  }
  const there = await suggestions(root, language);
  const hint = there.length === 0 ? `the bundle has no ${language} file` : `the bundle has ${there.join(", ")}`;
  throw new BuildFailedError(`the entrypoint's file ${checked.name} does not exist; ${hint}`, "entrypoint_not_found");
}

function candidates(name: string, language: Language): string[] {
  if (language === "python") {
    const asPath = name.endsWith(".py") ? name : name.replaceAll(".", "/");
    return name.endsWith(".py") ? [name] : [`${asPath}.py`, `${asPath}/__init__.py`, `${name}.py`];
  }
  const suffix = posix.extname(name);
  if (nodeSuffixes.includes(suffix)) {
    const written = name.slice(0, -suffix.length);
    return suffix.includes("j") ? [name, `${written}${suffix.replace("j", "t")}`] : [name];
  }
  return [name, ...[name, `${name}/index`].flatMap((stem) => nodeSuffixes.map((one) => stem + one))];
}

async function isFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function suggestions(root: string, language: Language): Promise<string[]> {
  const wanted = language === "python" ? [".py"] : nodeSuffixes;
  const names = await readdir(root, { recursive: true });
  const files = names.filter((name) => wanted.includes(posix.extname(name)) && !name.includes("node_modules/"));
  return files
    .sort((a, b) => a.length - b.length)
    .slice(0, suggestionsMax)
    .sort();
}
