// Decides which files of a directory belong in its bundle. Reads names and modes, never contents.

import { limits } from "@dari/domain";
import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../exit.ts";
import { formatBytes } from "../output.ts";
import { systemErrorCode } from "../system-error.ts";
import type { Git } from "./git.ts";

export interface BundleFile {
  /** Relative to the root, POSIX. */
  readonly path: string;
  readonly size_bytes: number;
  readonly mode: 0o644 | 0o755;
}

export const excludeAdvice = "exclude files with .gitignore (in a git repository)";

const skippedNames = new Set([".git", ".dari", ".venv", "node_modules", "__pycache__", ".pytest_cache", ".DS_Store"]);

/**
 * Returns the bundle's files, sorted by the bytes of their paths.
 * @throws CliError that names everything that cannot be bundled: links, special files, too much.
 */
export async function selectFiles(root: string, git: Git | undefined): Promise<BundleFile[]> {
  const paths = git === undefined ? await walk(root) : listedByGit(await git.listFiles());
  const files: BundleFile[] = [];
  const problems: string[] = [];
  for (const path of paths.filter(mayBeBundled).sort(compareBytes)) {
    const stats = await lstatIfPresent(join(root, path));
    // Tracked, but deleted in the work tree.
    if (stats === undefined && git !== undefined) continue;
    const problem = problemOf(path, stats);
    if (problem !== undefined) problems.push(`- ${path}: ${problem}`);
    else if (stats !== undefined) files.push(toBundleFile(path, stats));
  }
  if (problems.length > 0) throw invalid(`these cannot be bundled:\n${problems.join("\n")}`);
  if (!files.some((file) => file.path === "dari.yml")) throw invalid(`${root} has no dari.yml at its root`);
  refuseTooMuch(files);
  return files;
}

function listedByGit(output: Buffer): string[] {
  // A path with a merge conflict is listed once per stage.
  return [...new Set(output.toString("utf8").split("\0"))].filter((path) => path !== "");
}

async function walk(root: string): Promise<string[]> {
  const paths: string[] = [];
  const pending = [""];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of await readdir(join(root, directory), { withFileTypes: true })) {
      if (skippedNames.has(entry.name)) continue;
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else paths.push(path);
    }
  }
  return paths;
}

/** Secrets and the command's own files are not bundled, even if git tracks them. */
function mayBeBundled(path: string): boolean {
  const segments = path.split("/");
  return segments.at(-1) !== ".env" && !segments.includes(".dari");
}

function problemOf(path: string, stats: Stats | undefined): string | undefined {
  if (path.includes("\ufffd")) return "its name is not UTF-8";
  if (Buffer.byteLength(path) > limits.bundlePathBytes)
    return `its path is longer than ${limits.bundlePathBytes} bytes`;
  if (stats === undefined) return "it was deleted while the bundle was made";
  if (stats.isSymbolicLink()) return "it is a symbolic link";
  if (stats.isDirectory()) return "it is a separate git repository";
  return stats.isFile() ? undefined : "it is not a regular file";
}

function toBundleFile(path: string, stats: Stats): BundleFile {
  return { path, size_bytes: stats.size, mode: (stats.mode & 0o111) === 0 ? 0o644 : 0o755 };
}

function refuseTooMuch(files: readonly BundleFile[]): void {
  const total = files.reduce((sum, file) => sum + file.size_bytes, 0);
  if (files.length > limits.bundleEntries) {
    throw invalid(`the bundle has ${files.length} files; the limit is ${limits.bundleEntries}; ${excludeAdvice}`);
  }
  if (total > limits.bundleUnpackedBytes) {
    const [size, limit] = [formatBytes(total), formatBytes(limits.bundleUnpackedBytes)];
    throw invalid(`the bundle's files have ${size} together; the limit is ${limit}; ${excludeAdvice}`);
  }
}

async function lstatIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
