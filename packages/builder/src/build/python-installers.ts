// Chooses uv or pip by the bundle's lockfile or requirements.

import { readdir } from "node:fs/promises";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import type { Runtime } from "../runtimes/runtime.ts";
import { BuildFailedError } from "./build-failed.ts";
import { pythonDependencyDir, readOptional, type Installer, type InstallTools } from "./installer.ts";
import { readPins } from "./read-python-pins.ts";

const scriptsDir = fileURLToPath(new URL("../../guest/install", import.meta.url));
// In these patterns, `\s` after `^` would match line breaks too, and take quadratic time for a file of empty lines.
/** Requirements that are part of the bundle, or in files that others include. */
const localRequirement =
  /(^|["'\s=@])(\.{0,2}\/|file:)|^[ \t]*-{1,2}(?!-?hash)[a-z]|\.(whl|tar\.gz|zip)\b|\bpath\s*=|\bworkspace\s*=/m;
const projectDependencies = /^[ \t]*dependencies[ \t]*=/m;
const poetryDependencies = /^[ \t]*\[tool\.poetry\.dependencies\]/m;
/** The files that name dependencies. */
const dependencyFiles = ["uv.lock", "requirements.txt", "poetry.lock", "pyproject.toml"] as const;
const shownMax = 5;

/**
 * Uses `uv.lock`, otherwise `requirements.txt`, otherwise `poetry.lock`, otherwise the dependencies of pyproject.toml:
 * in the bundle's root, otherwise in the entrypoint's folder, otherwise in the folders above that. The project itself
 * is not installed, only its dependencies: agents run from their sources.
 */
export async function choosePythonInstaller(
  root: string,
  runtime: Runtime,
  tools: InstallTools,
  entryFile: string,
): Promise<Installer | undefined> {
  for (const folder of foldersFor(entryFile)) {
    const files = await readDependencyFiles(join(root, folder));
    const command = chooseCommand(files, posix.relative(folder, pythonDependencyDir));
    if (command !== undefined) return installerOf(command, { root, folder, files, runtime, tools });
  }
  return undefined;
}

/** Returns dependency files that no installer reads, if `choosePythonInstaller` finds none. */
export async function findUnreadRequirements(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith(".")) continue;
    const names = await readdir(join(root, entry.name));
    for (const name of dependencyFiles) if (names.includes(name)) found.push(`${entry.name}/${name}`);
  }
  return found.slice(0, shownMax);
}

/** Returns the folders to search: the root first, then the entrypoint's folder and those above it. */
function foldersFor(entryFile: string): readonly string[] {
  const folders = [""];
  for (let at = posix.dirname(entryFile); at !== "." && at !== "/"; at = posix.dirname(at)) folders.push(at);
  return folders;
}

async function readDependencyFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of dependencyFiles) {
    const text = await readOptional(folder, name);
    if (text !== undefined) files.set(name, text);
  }
  return files;
}

interface Project {
  readonly root: string;
  /** Relative to the root; empty for the root. */
  readonly folder: string;
  readonly files: ReadonlyMap<string, string>;
  readonly runtime: Runtime;
  readonly tools: InstallTools;
}

async function installerOf(command: Command, { root, folder, files, runtime, tools }: Project): Promise<Installer> {
  const isLocal = command.reads.some((name) => localRequirement.test(withoutUrls(files.get(name) ?? "")));
  const { script, flags } = command;
  const own = script === undefined ? ["-m", "pip"] : [join(scriptsDir, script)];
  const program = folder === "" ? own : [join(scriptsDir, "in_folder.py"), folder, script ?? "pip"];
  const requirements = command.reads[0] === "requirements.txt" && !command.locked;
  return {
    name: folder === "" ? command.name : `${command.name} in ${folder}`,
    flags: folder === "" ? flags : [folder, ...flags],
    // Isolated, so that a module of the agent cannot replace one of pip's.
    argv: [runtime.command, "-I", ...program, ...flags],
    env: { ...tools.env, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1", PIP_ROOT_USER_ACTION: "ignore" },
    readOnlyPaths: [...runtime.readOnlyPaths, scriptsDir, ...tools.readOnlyPaths],
    warnings: command.warnings,
    leftovers: [`${pythonDependencyDir}/.lock`],
    reads: isLocal ? undefined : command.reads.map((name) => posix.join(folder, name)),
    locked: command.locked,
    ...(requirements && { pins: await readPins(root, posix.join(folder, "requirements.txt")) }),
  };
}

interface Command {
  readonly name: string;
  /** The file in `guest/install`; undefined: pip itself. */
  readonly script?: string;
  readonly flags: readonly string[];
  readonly reads: readonly string[];
  readonly locked: boolean;
  readonly warnings: readonly string[];
}

/** `target`: where packages are installed, relative to the folder of the files. */
function chooseCommand(files: ReadonlyMap<string, string>, target: string): Command | undefined {
  const pipFlags = ["install", "--target", target, "--no-compile", "--progress-bar", "off"];
  const pyproject = files.get("pyproject.toml");
  if (files.has("uv.lock") && pyproject !== undefined) {
    const reads = ["uv.lock", "pyproject.toml"];
    return { name: "uv (uv.lock)", script: "uv_lock.py", flags: [target], reads, locked: true, warnings: [] };
  }
  const requirements = files.get("requirements.txt");
  if (requirements !== undefined && /^[ \t]*[^#\s]/m.test(requirements)) {
    const name = "pip install -r requirements.txt";
    const flags = [...pipFlags, "-r", "requirements.txt"];
    return { name, flags, reads: ["requirements.txt"], locked: hasHashes(requirements), warnings: [] };
  }
  if (requirements !== undefined || pyproject === undefined) return undefined;
  const fromPoetry = poetryDependencies.test(pyproject) && !projectDependencies.test(pyproject);
  if (files.has("poetry.lock")) {
    const reads = ["poetry.lock", "pyproject.toml"];
    const name = "pip install (poetry.lock)";
    return { name, script: "poetry_lock.py", flags: pipFlags, reads, locked: true, warnings: [] };
  }
  if (fromPoetry) {
    const advice = "add poetry.lock, export them to requirements.txt, or list them under [project]";
    throw new BuildFailedError(`pyproject.toml keeps its dependencies in Poetry's own table; ${advice}`);
  }
  if (!projectDependencies.test(pyproject)) return undefined;
  const warnings = ["there is no uv.lock, so each build can install different versions"];
  const reads = ["pyproject.toml"];
  const name = "pip install (pyproject.toml)";
  return { name, script: "pyproject.py", flags: pipFlags, reads, locked: false, warnings };
}

/** A URL is not a path of the bundle. */
function withoutUrls(text: string): string {
  return text.replaceAll(/https?:\/\/[^\s"']+/g, "");
}

/** Returns whether each requirement has a hash: pip then refuses everything that is not listed. */
function hasHashes(requirements: string): boolean {
  const lines = requirements.replaceAll("\\\n", " ").split("\n");
  const named = lines.map((line) => line.trim()).filter((line) => line !== "" && !/^[#-]/.test(line));
  return named.every((line) => line.includes("--hash="));
}
