// Chooses npm, pnpm or Yarn by the bundle's lockfile.

import type { Runtime } from "../runtimes/runtime.ts";
import { BuildFailedError } from "./build-failed.ts";
import { installHooks } from "./find-install-scripts.ts";
import { providedPackages } from "./advise-missing-packages.ts";
import { readOptional, type Installer, type InstallTools } from "./installer.ts";

const lockfiles = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock"] as const;
/** What package managers read besides package.json and their lockfile. */
const configuration = [
  ".npmrc",
  ".pnpmfile.cjs",
  "pnpm-workspace.yaml",
  ".yarnrc",
  ".yarnrc.yml",
  "patches/",
  ".yarn/patches/",
  ".yarn/plugins/",
];
/** Dependencies that are part of the bundle. */
const localDependency = /(^|["'\s@])(file|link|portal|workspace):|"workspaces"\s*:|^packages:/m;
const yarnClassic = "yarn@1.22.22";
const yarnBerry = "@yarnpkg/cli-dist@4.18.1";

export async function chooseNodeInstaller(
  root: string,
  runtime: Runtime,
  tools: InstallTools,
): Promise<Installer | undefined> {
  const text = await readOptional(root, "package.json");
  if (text === undefined) return undefined;
  const manifest = parsePackage(text);
  if (!hasDependencies(manifest)) return undefined;
  const { npm } = tools;
  if (npm === undefined) {
    throw new BuildFailedError("npm is not installed on this worker, so dependencies cannot be installed");
  }
  const locks = new Map<string, string>();
  for (const name of [...lockfiles, "pnpm-workspace.yaml"]) {
    const lock = await readOptional(root, name);
    if (lock !== undefined) locks.set(name, lock);
  }
  const command = chooseCommand(manifest, locks);
  const isLocal = [text, ...locks.values()].some((one) => localDependency.test(one));
  const warnings = [...command.warnings];
  if ((await readOptional(root, "bun.lock")) !== undefined && !command.locked) {
    warnings.push("bun.lock is not read: npm installs what package.json asks for");
  }
  const own = installHooks.filter((name) => Object.hasOwn(Object(manifest.scripts), name));
  if (own.length > 0) warnings.push(`scripts of package.json do not run when it is installed: ${own.join(", ")}`);
  const { asksRegistry, ...chosen } = command;
  return {
    ...chosen,
    warnings,
    argv: [runtime.command, npm.cli, ...command.flags],
    ...(asksRegistry && { asksRegistry: [runtime.command, npm.cli, ...asksRegistry] }),
    // Install scripts of dependencies do not run: they are the most common way for malicious packages to attack.
    env: {
      ...tools.env,
      ...yarnEnvironment(tools.env, command.name.startsWith(yarnClassic)),
      npm_config_ignore_scripts: "true",
      npm_config_update_notifier: "false",
      CI: "1",
    },
    readOnlyPaths: [...runtime.readOnlyPaths, npm.root, ...tools.readOnlyPaths],
    leftovers: [".modules.yaml", ".pnpm-workspace-state-v1.json", ".yarn-integrity", ".yarn-state.yml"].map(
      (name) => `node_modules/${name}`,
    ),
    ...(command.locked ? {} : { replaced: { "package.json": withoutAgentPackage(manifest) } }),
    reads: isLocal ? undefined : ["package.json", ...lockfiles, ...configuration],
  };
}

/**
 * Without a lockfile, npm asks also for the packages that it does not install. The address of this one is a platform's,
 * which builds cannot reach; the agent gets it when it is compiled.
 */
function withoutAgentPackage(manifest: PackageManifest): string {
  const tables = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] as const;
  const rest = tables.map((table) => {
    const { [providedPackages.typescript]: _provided, ...others } = Object(manifest[table]) as Record<string, unknown>;
    return [table, others] as const;
  });
  return JSON.stringify({ ...manifest, ...Object.fromEntries(rest) });
}

type Command = Pick<Installer, "name" | "flags" | "warnings" | "locked" | "asksRegistry">;

function chooseCommand(manifest: PackageManifest, locks: ReadonlyMap<string, string>): Command {
  const quiet = ["--omit=dev", "--no-audit", "--no-fund"];
  if (locks.has("package-lock.json") || locks.has("npm-shrinkwrap.json")) {
    return { name: "npm ci", flags: ["ci", ...quiet], warnings: [], locked: true };
  }
  const run = (packageName: string) => ["exec", "--yes", `--package=${packageName}`, "--"];
  const through = (packageName: string, ...program: string[]): Command => ({
    name: `${packageName} install`,
    flags: [...run(packageName), ...program],
    warnings: [],
    locked: true,
  });
  const throughYarn = (packageName: string, setting: string, ...flags: string[]): Command => ({
    ...through(packageName, "yarn", "install", ...flags),
    asksRegistry: [...run(packageName), "yarn", "config", "get", setting],
  });
  const pnpmLock = locks.get("pnpm-lock.yaml");
  if (pnpmLock !== undefined) {
    const flags = ["--prod", "--frozen-lockfile", "--ignore-scripts", "--reporter=append-only"];
    return through(pnpmFor(manifest, pnpmLock), "pnpm", "install", ...flags);
  }
  const yarnLock = locks.get("yarn.lock");
  if (yarnLock !== undefined && /^__metadata:/m.test(yarnLock)) {
    return throughYarn(berryFor(manifest), "npmRegistryServer", "--immutable");
  }
  if (yarnLock !== undefined) {
    const flags = ["--frozen-lockfile", "--production", "--ignore-scripts", "--non-interactive", "--no-progress"];
    return throughYarn(yarnClassic, "registry", ...flags);
  }
  const warnings = ["there is no package-lock.json, so each build can install different versions"];
  return { name: "npm install", flags: ["install", ...quiet, "--no-package-lock"], warnings, locked: false };
}

/** Only the fields that decide. The package manager checks the rest. */
interface PackageManifest {
  readonly packageManager?: unknown;
  readonly dependencies?: unknown;
  readonly devDependencies?: unknown;
  readonly optionalDependencies?: unknown;
  readonly peerDependencies?: unknown;
  readonly workspaces?: unknown;
  readonly scripts?: unknown;
}

function parsePackage(text: string): PackageManifest {
  try {
    const parsed: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (error) {
    throw new BuildFailedError(`package.json is not valid JSON: ${(error as Error).message}`);
  }
  throw new BuildFailedError("package.json is not a JSON object");
}

function hasDependencies(manifest: PackageManifest): boolean {
  const tables = [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies];
  return tables.some((table) => Object.keys(table ?? {}).length > 0) || manifest.workspaces !== undefined;
}

/** Returns the version that the project names, otherwise one that reads its lockfile. */
function pnpmFor(manifest: PackageManifest, lockfile: string): string {
  const named = packageManager(manifest);
  if (/^pnpm@\d+\.\d+\.\d+$/.test(named)) return named;
  const major = /^lockfileVersion:\s*'?(\d+)/m.exec(lockfile)?.[1];
  return Number(major ?? "9") >= 9 ? "pnpm@10" : "pnpm@8";
}

function berryFor(manifest: PackageManifest): string {
  const version = /^yarn@([4-9]\.\d+\.\d+)$/.exec(packageManager(manifest))?.[1];
  return version === undefined ? yarnBerry : `@yarnpkg/cli-dist@${version}`;
}

function packageManager({ packageManager: named }: PackageManifest): string {
  return typeof named === "string" ? named.split("+")[0]! : "";
}

/** Yarn 2 and later read their own variables. Plug'n'Play would require a loader in every agent. */
function yarnEnvironment(env: Readonly<Record<string, string>>, isClassic: boolean): Record<string, string> {
  const registry = env.npm_config_registry ?? env.NPM_CONFIG_REGISTRY;
  return {
    YARN_NODE_LINKER: "node-modules",
    YARN_ENABLE_SCRIPTS: "false",
    YARN_ENABLE_TELEMETRY: "false",
    YARN_IGNORE_PATH: "true",
    YARN_ENABLE_GLOBAL_CACHE: "true",
    // Yarn 2 does not read the system's proxy variables, so refer to those that the sandbox sets. Yarn 1 reads them,
    // and would use this text as an address.
    ...(isClassic ? {} : { YARN_HTTP_PROXY: "${HTTP_PROXY-}", YARN_HTTPS_PROXY: "${HTTPS_PROXY-}" }),
    ...(registry === undefined ? {} : { YARN_NPM_REGISTRY_SERVER: registry }),
  };
}
