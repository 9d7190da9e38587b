// Compiles an agent's sources to what the guest runs: TypeScript bundled, JavaScript unchanged, Python to bytecode.

import { access, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Runtime } from "../runtimes/runtime.ts";
import { BuildFailedError } from "./build-failed.ts";
import type { BuildLog } from "./build-log.ts";
import { findEsbuild, type Esbuild } from "./find-esbuild.ts";
import { pythonDependencyDir } from "./installer.ts";
import { adviseMissingPackages } from "./advise-missing-packages.ts";
import type { Entry } from "./resolve-entry.ts";
import { describeEnding, runInSandbox, succeeded, type BuildSandbox } from "./run-in-sandbox.ts";

const compilerDir = fileURLToPath(new URL("../../guest/compile", import.meta.url));
/** It imports nothing at run time. */
const agentPackageFile = fileURLToPath(import.meta.resolve("@dari/agent"));
const errorsShown = 5;

/** The runner of an exported object of these packages needs the same copy as the agent. */
const sharedPackages = ["@openai/agents", "@openai/agents-core", "@anthropic-ai/claude-agent-sdk"];

interface Whole {
  readonly file: string;
  readonly cache: string;
}

type Compilation =
  | {
      ok: true;
      file: string;
      sources: number;
      warnings: string[];
      whole?: Whole | { reason: string };
    }
  | { ok: false; errors: string[] };

/** The agent with its packages as one script, preferred if it passes the check. */
export interface BundledAgent {
  readonly entry: Entry;
  /** The path of the code cache, relative to the tree. The first run creates it. */
  readonly cache: string;
}

export interface CompiledAgent {
  readonly entry: Entry;
  /** Warnings about sources that may still run (JavaScript only). */
  readonly suspicions: readonly string[];
  readonly whole?: BundledAgent;
}

/**
 * Bundles the entrypoint's own sources if any of them is TypeScript: `src/agent.ts` → `src/agent.dari.mjs` beside it,
 * so that files are found relative to a source. JavaScript stays unchanged. If packages are installed, also bundles
 * everything into one script if possible.
 * @throws BuildFailedError with file and line of the source.
 */
export async function compileNode(
  sandbox: BuildSandbox,
  runtime: Runtime,
  entry: Entry,
  log: BuildLog,
): Promise<CompiledAgent> {
  const esbuild = await findEsbuild();
  const target = `node${runtime.version.split(".").slice(0, 2).join(".")}`;
  const request = {
    esbuild: esbuild.main,
    entry: entry.file,
    target,
    packagesExternal: await exists(join(sandbox.slotDir, "workspace/node_modules")),
    sharedPackages,
    agentPackage: await readFile(agentPackageFile, "utf8"),
  };
  const result = await runCompiler(sandbox, esbuild, request);
  if (result.ok) {
    for (const warning of result.warnings) log.line(`warning: ${warning}`);
    if (result.file !== entry.file) {
      log.line(`bundled ${result.sources} source file${result.sources === 1 ? "" : "s"} into ${result.file}`);
    }
    const described = describeWhole(result.whole, entry, log);
    return { entry: { ...entry, file: result.file }, suspicions: [], ...(described && { whole: described }) };
  }
  for (const error of result.errors) log.line(`error: ${error}`);
  const shown = [...result.errors.slice(0, errorsShown), ...adviseMissingPackages(result.errors.join("\n"))];
  // For JavaScript Node decides: what esbuild cannot resolve may be created at run time.
  if (/\.[cm]?js$/.test(entry.file)) return { entry, suspicions: shown };
  throw new BuildFailedError(`TypeScript does not compile:\n${shown.join("\n")}`);
}

async function runCompiler(sandbox: BuildSandbox, esbuild: Esbuild, request: object): Promise<Compilation> {
  const node = await realpath(process.execPath);
  const quiet = { ...sandbox, onLine: () => {} };
  const ending = await runInSandbox(quiet, {
    argv: [node, join(compilerDir, "main.mjs"), JSON.stringify(request)],
    env: { ESBUILD_BINARY_PATH: esbuild.binary },
    readOnlyPaths: [node, compilerDir, ...esbuild.readOnlyPaths],
    network: "none",
  });
  if (!succeeded(ending)) {
    const ended = `the compiler ended with ${describeEnding(ending, sandbox)}`;
    throw new BuildFailedError([ended, ...ending.lastLines].join("\n"));
  }
  return JSON.parse(ending.stdout) as Compilation;
}

function describeWhole(
  whole: (Compilation & { ok: true })["whole"],
  entry: Entry,
  log: BuildLog,
): BundledAgent | undefined {
  if (whole === undefined) return undefined;
  if ("reason" in whole) {
    log.line(`packages are loaded one by one: ${whole.reason}`);
    return undefined;
  }
  return { entry: { ...entry, file: whole.file }, cache: whole.cache };
}

/** Unchecked hashes, because an image never changes and its files have no times. */
const compileFlags = ["-q", "-q", "--invalidation-mode", "unchecked-hash"];

/** Compiles every .py of a layer that is being built. */
export async function compileDependencyLayer(sandbox: BuildSandbox, runtime: Runtime): Promise<void> {
  await runPython(sandbox, runtime, ["-m", "compileall", ...compileFlags, "."]);
}

/** Compiles every .py of the tree, except those of a linked layer, which are compiled already. */
export async function compilePython(sandbox: BuildSandbox, runtime: Runtime): Promise<void> {
  const except = ["-x", `/\\${pythonDependencyDir}/`];
  await runPython(sandbox, runtime, ["-m", "compileall", ...compileFlags, ...except, "."]);
}

async function runPython(sandbox: BuildSandbox, runtime: Runtime, args: readonly string[]): Promise<void> {
  const quiet = { ...sandbox, onLine: () => {} };
  const ending = await runInSandbox(quiet, {
    argv: [runtime.command, "-I", ...args],
    env: { PYTHONHASHSEED: "0" },
    readOnlyPaths: runtime.readOnlyPaths,
    network: "none",
  });
  // Files that do not compile (templates, other Python versions) are not errors unless they are imported.
  if (ending.exit.startError !== undefined) throw new BuildFailedError(describeEnding(ending, sandbox));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
