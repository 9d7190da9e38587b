// Which program installs a bundle's dependencies, and with which arguments. Starts none itself.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Runtime } from "../runtimes/runtime.ts";
import type { Npm } from "../runtimes/npm.ts";
import { BuildFailed } from "./build-failed.ts";

/** What the worker lends to installers. */
export interface InstallTools {
  readonly npm: Npm | undefined;
  /** Proxy, certificate, npm and pip variables; nothing that is secret. */
  readonly env: Readonly<Record<string, string>>;
  /** Directories that `env` speaks of: certificates, local wheels. */
  readonly readOnlyPaths: readonly string[];
}

export interface Installer {
  /** For the log and the failure, as in `npm ci`. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readOnlyPaths: readonly string[];
  readonly warnings: readonly string[];
  /** Files that it leaves with times in them: without them equal bundles give equal images. */
  readonly leftovers: readonly string[];
}

/** Where pip puts packages, relative to the image's root; the guest adds it to `sys.path`. */
export const pythonDependencyDir = ".deps";

/**
 * @returns undefined when the bundle has no dependencies: such an agent needs neither installer nor network.
 * @throws BuildFailed for a package.json that cannot be read, or when the worker has no installer for it.
 */
export async function chooseInstaller(root: string, runtime: Runtime, tools: InstallTools): Promise<Choice> {
  return runtime.language === "python" ? choosePip(root, runtime, tools) : chooseNodeInstaller(root, runtime, tools);
}

type Choice = Installer | undefined;

async function chooseNodeInstaller(root: string, runtime: Runtime, tools: InstallTools): Promise<Choice> {
  const text = await readOptional(join(root, "package.json"));
  if (text === undefined) return undefined;
  const manifest = parsePackage(text);
  if (!hasDependencies(manifest)) return undefined;
  if (tools.npm === undefined) {
    throw new BuildFailed("npm is not installed on this worker, so dependencies cannot be installed");
  }
  const { cli, root: npmRoot } = tools.npm;
  const common = {
    // Install scripts of dependencies do not run: they are the usual way in for hostile packages.
    env: { ...tools.env, npm_config_ignore_scripts: "true", npm_config_update_notifier: "false", CI: "1" },
    readOnlyPaths: [...runtime.readOnlyPaths, npmRoot, ...tools.readOnlyPaths],
  };
  const npm = (name: string, args: string[], warnings: string[] = []): Installer => ({
    ...common,
    name,
    argv: [runtime.command, cli, ...args],
    warnings,
    leftovers: ["node_modules/.modules.yaml", "node_modules/.pnpm-workspace-state-v1.json"],
  });
  const quiet = ["--omit=dev", "--no-audit", "--no-fund"];
  const has = async (file: string): Promise<boolean> => (await readOptional(join(root, file))) !== undefined;
  if ((await has("package-lock.json")) || (await has("npm-shrinkwrap.json"))) return npm("npm ci", ["ci", ...quiet]);
  const pnpmLock = await readOptional(join(root, "pnpm-lock.yaml"));
  if (pnpmLock !== undefined) {
    const pnpm = pnpmFor(manifest, pnpmLock);
    const flags = ["install", "--prod", "--frozen-lockfile", "--ignore-scripts", "--reporter=append-only"];
    return npm(`${pnpm} install`, ["exec", "--yes", `--package=${pnpm}`, "--", "pnpm", ...flags]);
  }
  const warnings = ["there is no package-lock.json, so each build may install other versions"];
  for (const foreign of ["yarn.lock", "bun.lock"]) {
    if (await has(foreign)) warnings.push(`${foreign} is not read: npm installs what package.json asks for`);
  }
  return npm("npm install", ["install", ...quiet, "--no-package-lock"], warnings);
}

/** Only what decides: the rest of package.json is the package manager's. */
interface PackageManifest {
  readonly packageManager?: unknown;
  readonly dependencies?: unknown;
  readonly optionalDependencies?: unknown;
  readonly peerDependencies?: unknown;
  readonly workspaces?: unknown;
}

function parsePackage(text: string): PackageManifest {
  try {
    const parsed: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (error) {
    throw new BuildFailed(`package.json is not valid JSON: ${(error as Error).message}`);
  }
  throw new BuildFailed("package.json is not a JSON object");
}

function hasDependencies(manifest: PackageManifest): boolean {
  const tables = [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies];
  return tables.some((table) => Object.keys(table ?? {}).length > 0) || manifest.workspaces !== undefined;
}

/** The version that the project names, else one that reads its lockfile. */
function pnpmFor(manifest: PackageManifest, lockfile: string): string {
  const named = typeof manifest.packageManager === "string" ? manifest.packageManager.split("+")[0]! : "";
  if (/^pnpm@\d+\.\d+\.\d+$/.test(named)) return named;
  const major = /^lockfileVersion:\s*'?(\d+)/m.exec(lockfile)?.[1];
  return Number(major ?? "9") >= 9 ? "pnpm@10" : "pnpm@8";
}

async function choosePip(root: string, runtime: Runtime, tools: InstallTools): Promise<Choice> {
  const common = {
    env: { ...tools.env, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1", PIP_ROOT_USER_ACTION: "ignore" },
    readOnlyPaths: [...runtime.readOnlyPaths, ...tools.readOnlyPaths],
  };
  const flags = ["install", "--target", pythonDependencyDir, "--no-compile", "--progress-bar", "off"];
  const requirements = await readOptional(join(root, "requirements.txt"));
  if (requirements !== undefined && /^\s*[^#\s]/m.test(requirements)) {
    // Isolated, so that a module of the agent named like one of pip's does not take its place.
    const argv = [runtime.command, "-I", "-m", "pip", ...flags, "-r", "requirements.txt"];
    return { ...common, name: "pip install -r requirements.txt", argv, warnings: [], leftovers: [] };
  }
  const pyproject = await readOptional(join(root, "pyproject.toml"));
  if (requirements !== undefined || pyproject === undefined) return undefined;
  if (/^\s*\[tool\.poetry\.dependencies\]/m.test(pyproject) && !/^\s*dependencies\s*=/m.test(pyproject)) {
    const advice = "export them to requirements.txt, or list them under [project]";
    throw new BuildFailed(`pyproject.toml keeps its dependencies in Poetry's own table; ${advice}`);
  }
  if (!/^\s*dependencies\s*=/m.test(pyproject)) return undefined;
  const argv = [runtime.command, "-I", "-c", pyprojectScript, ...flags];
  return { ...common, name: "pip install (pyproject.toml)", argv, warnings: [], leftovers: [] };
}

// The project itself is not installed, only what it depends on: agents are run from their sources.
const pyprojectScript = `
import runpy, sys
try:
    import tomllib
except ModuleNotFoundError:
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as file:
    dependencies = tomllib.load(file).get("project", {}).get("dependencies", [])
if dependencies:
    sys.argv = ["pip", *sys.argv[1:], *dependencies]
    runpy.run_module("pip", run_name="__main__")
`;

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
