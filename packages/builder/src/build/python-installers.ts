// uv and pip, by the lockfile or the requirements that the bundle has.

import { fileURLToPath } from "node:url";
import type { Runtime } from "../runtimes/runtime.ts";
import { BuildFailed } from "./build-failed.ts";
import { pythonDependencyDir, readOptional, type Installer, type InstallTools } from "./installer.ts";

const scriptsDir = fileURLToPath(new URL("../../guest/install", import.meta.url));
/** Requirements that lie in the bundle itself, or in files that others name. */
const localRequirement =
  /(^|["'\s=@])(\.{0,2}\/|file:)|^\s*-{1,2}(?!-?hash)[a-z]|\.(whl|tar\.gz|zip)\b|\bpath\s*=|\bworkspace\s*=/m;
const projectDependencies = /^\s*dependencies\s*=/m;
const poetryDependencies = /^\s*\[tool\.poetry\.dependencies\]/m;
const pipFlags = ["install", "--target", pythonDependencyDir, "--no-compile", "--progress-bar", "off"];

/**
 * `uv.lock`, else `requirements.txt`, else `poetry.lock`, else the dependencies of pyproject.toml. The project itself
 * is not installed, only what it depends on: agents are run from their sources.
 */
export async function choosePythonInstaller(
  root: string,
  runtime: Runtime,
  tools: InstallTools,
): Promise<Installer | undefined> {
  const files = new Map<string, string>();
  for (const name of ["uv.lock", "requirements.txt", "poetry.lock", "pyproject.toml"]) {
    const text = await readOptional(root, name);
    if (text !== undefined) files.set(name, text);
  }
  const command = chooseCommand(files);
  if (command === undefined) return undefined;
  const isLocal = command.reads.some((name) => localRequirement.test(withoutUrls(files.get(name) ?? "")));
  return {
    name: command.name,
    flags: command.flags,
    // Isolated, so that a module of the agent named like one of pip's does not take its place.
    argv: [runtime.command, "-I", ...command.program, ...command.flags],
    env: { ...tools.env, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1", PIP_ROOT_USER_ACTION: "ignore" },
    readOnlyPaths: [...runtime.readOnlyPaths, scriptsDir, ...tools.readOnlyPaths],
    warnings: command.locked ? [] : command.warnings,
    leftovers: [`${pythonDependencyDir}/.lock`],
    reads: isLocal ? undefined : command.reads,
    locked: command.locked,
  };
}

interface Command {
  readonly name: string;
  readonly program: readonly string[];
  readonly flags: readonly string[];
  readonly reads: readonly string[];
  readonly locked: boolean;
  readonly warnings: readonly string[];
}

function chooseCommand(files: ReadonlyMap<string, string>): Command | undefined {
  const pyproject = files.get("pyproject.toml");
  const script = (name: string): string[] => [`${scriptsDir}/${name}`];
  if (files.has("uv.lock") && pyproject !== undefined) {
    const reads = ["uv.lock", "pyproject.toml"];
    const flags = [pythonDependencyDir];
    return { name: "uv (uv.lock)", program: script("uv_lock.py"), flags, reads, locked: true, warnings: [] };
  }
  const requirements = files.get("requirements.txt");
  if (requirements !== undefined && /^\s*[^#\s]/m.test(requirements)) {
    const name = "pip install -r requirements.txt";
    const flags = [...pipFlags, "-r", "requirements.txt"];
    const locked = allPinned(requirements);
    return { name, program: ["-m", "pip"], flags, reads: ["requirements.txt"], locked, warnings: [] };
  }
  if (requirements !== undefined || pyproject === undefined) return undefined;
  const fromPoetry = poetryDependencies.test(pyproject) && !projectDependencies.test(pyproject);
  if (files.has("poetry.lock")) {
    const reads = ["poetry.lock", "pyproject.toml"];
    const name = "pip install (poetry.lock)";
    return { name, program: script("poetry_lock.py"), flags: pipFlags, reads, locked: true, warnings: [] };
  }
  if (fromPoetry) {
    const advice = "add poetry.lock, export them to requirements.txt, or list them under [project]";
    throw new BuildFailed(`pyproject.toml keeps its dependencies in Poetry's own table; ${advice}`);
  }
  if (!projectDependencies.test(pyproject)) return undefined;
  const warnings = ["there is no uv.lock, so each build may install other versions"];
  const reads = ["pyproject.toml"];
  const name = "pip install (pyproject.toml)";
  return { name, program: script("pyproject.py"), flags: pipFlags, reads, locked: false, warnings };
}

/** What lies on a server is no path of the bundle. */
function withoutUrls(text: string): string {
  return text.replaceAll(/https?:\/\/[^\s"']+/g, "");
}

/** Each requirement has its one version; what they depend on in turn may still move within a day. */
function allPinned(requirements: string): boolean {
  const lines = requirements.replaceAll("\\\n", " ").split("\n");
  const named = lines.map((line) => line.trim()).filter((line) => line !== "" && !/^[#-]/.test(line));
  return named.every((line) => line.includes("--hash="));
}
