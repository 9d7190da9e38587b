// The files of this repository that the laws cover: all that could be committed, nothing installed or generated.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../../", import.meta.url));

const ignoredDirectories = new Set([
  "node_modules",
  ".git",
  ".cache",
  ".dari",
  "coverage",
  "dist",
  "__pycache__",
  "_sync",
]);
const isIgnored = (name: string): boolean => ignoredDirectories.has(name) || name.startsWith(".dari-data");

export interface RepositoryFile {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

function walk(directory: string): string[] {
  return readdirSync(path.join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(directory, entry.name);
    if (entry.isDirectory()) return isIgnored(entry.name) ? [] : walk(name);
    return entry.isFile() ? [name] : [];
  });
}

const textFile = /(\.(tsx?|mjs|cjs|js|py|[ch]|sql|md|json|ya?ml|toml|txt|sh|html|css|svg)|\/run|Dockerfile[^/]*)$/;

/** Every text file, sorted by path. */
export const textFiles: readonly RepositoryFile[] = walk("")
  .filter((name) => textFile.test(name))
  .sort()
  .map((name) => ({ path: name, text: readFileSync(path.join(root, name), "utf8") }));

const sourceFile = /^(apps|packages|scripts|examples)\/.*\.(tsx?|mjs|cjs|js|py)$/;
const generated = /(^|\/)generated\//;

/** Agents that tests deploy: user code, as bad as the test needs it. */
const fixture = /\/(tests\/agents|fixtures)\//;

/** Every file of code that is written for this repository. */
export const sourceFiles: readonly RepositoryFile[] = textFiles.filter(
  ({ path: name }) => sourceFile.test(name) && !generated.test(name) && !fixture.test(name),
);

/** SQL, C and documents: measured like code, but not parsed. */
export const otherTexts: readonly RepositoryFile[] = textFiles.filter(
  ({ path: name }) => /\.(sql|[ch]|md)$/.test(name) && !generated.test(name) && !fixture.test(name),
);

export const isTest = (name: string): boolean => /\.test(-d)?\.ts$|\/(tests|conformance)\//.test(name);

/** Returns the package of this repository that a file belongs to: "db", "api" … */
export const packageOf = (name: string): string | undefined => /^(?:apps|packages)\/([^/]+)\//.exec(name)?.[1];
