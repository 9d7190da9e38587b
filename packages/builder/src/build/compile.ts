// Turns an agent's sources into what the guest runs: TypeScript bundled, JavaScript as it is, Python to bytecode.

import { access, realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Runtime } from "../runtimes/runtime.ts";
import { BuildFailed } from "./build-failed.ts";
import type { BuildLog } from "./build-log.ts";
import type { Entry } from "./resolve-entry.ts";
import { describeExit, runInSandbox, succeeded, type BuildSandbox } from "./sandbox-program.ts";

const compiler = fileURLToPath(new URL("../../guest/compile-typescript.mjs", import.meta.url));
const errorsShown = 5;

type Compilation = { ok: true; file: string; sources: number; warnings: string[] } | { ok: false; errors: string[] };

/**
 * Bundles the entrypoint's own sources when any of them is TypeScript: `src/agent.ts` → `src/agent.dari.mjs` beside
 * it, so that files read relative to a source are found. JavaScript stays as it is.
 * @returns the entry to run, and what is wrong with sources that may still run (JavaScript only).
 * @throws BuildFailed naming file and line of the source.
 */
export async function compileNode(
  sandbox: BuildSandbox,
  runtime: Runtime,
  entry: Entry,
  log: BuildLog,
): Promise<{ entry: Entry; suspicions: string[] }> {
  const esbuild = await findEsbuild();
  const node = await realpath(process.execPath);
  const request = {
    esbuild: esbuild.main,
    entry: entry.file,
    target: `node${runtime.version.split(".").slice(0, 2).join(".")}`,
    packagesExternal: await exists(join(sandbox.slotDir, "workspace/node_modules")),
  };
  const quiet = { ...sandbox, onLine: () => {} };
  const ending = await runInSandbox(quiet, {
    argv: [node, compiler, JSON.stringify(request)],
    env: { ESBUILD_BINARY_PATH: esbuild.binary },
    readOnlyPaths: [node, compiler, ...esbuild.readOnlyPaths],
    network: "none",
  });
  if (!succeeded(ending)) {
    throw new BuildFailed([`the compiler ended with ${describeExit(ending.exit)}`, ...ending.lastLines].join("\n"));
  }
  const result = JSON.parse(ending.stdout) as Compilation;
  if (result.ok) {
    for (const warning of result.warnings) log.line(`warning: ${warning}`);
    if (result.file !== entry.file) log.line(`bundled ${result.sources} source files into ${result.file}`);
    return { entry: { ...entry, file: result.file }, suspicions: [] };
  }
  for (const error of result.errors) log.line(`error: ${error}`);
  const shown = result.errors.slice(0, errorsShown);
  // Node itself judges JavaScript: what esbuild cannot resolve may be made at run time.
  if (/\.[cm]?js$/.test(entry.file)) return { entry, suspicions: shown };
  throw new BuildFailed(`TypeScript does not compile:\n${shown.join("\n")}`);
}

interface Esbuild {
  readonly main: string;
  readonly binary: string;
  readonly readOnlyPaths: readonly string[];
}

async function findEsbuild(): Promise<Esbuild> {
  const main = await realpath(createRequire(import.meta.url).resolve("esbuild"));
  const binaryPackage = `@esbuild/${process.platform}-${process.arch}`;
  const binary = await realpath(createRequire(main).resolve(`${binaryPackage}/bin/esbuild`));
  return { main, binary, readOnlyPaths: [dirname(dirname(main)), dirname(binary)] };
}

/**
 * Compiles every .py of the tree, dependencies included. Hash-based and unchecked, because an image never changes
 * and its files have no times.
 */
export async function compilePython(sandbox: BuildSandbox, runtime: Runtime): Promise<void> {
  const quiet = { ...sandbox, onLine: () => {} };
  const flags = ["-q", "-q", "--invalidation-mode", "unchecked-hash"];
  const ending = await runInSandbox(quiet, {
    argv: [runtime.command, "-I", "-m", "compileall", ...flags, "."],
    env: { PYTHONHASHSEED: "0" },
    readOnlyPaths: runtime.readOnlyPaths,
    network: "none",
  });
  // Files that do not compile (templates, other Python versions) are not errors until somebody imports them.
  if (ending.exit.startError !== undefined) throw new BuildFailed(describeExit(ending.exit));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
