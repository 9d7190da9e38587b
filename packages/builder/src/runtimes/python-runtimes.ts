// Python for agents: the interpreters of this machine, found once. Downloads none.

import { readdir, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { runHostCommand } from "./run-host-command.ts";
import { compareVersions, RuntimeUnavailableError, satisfies, type Runtime, type RuntimeOffer } from "./runtime.ts";

/** Minor versions that agents can ask for. The guest supports these. */
export const pythonMinors = ["3.10", "3.11", "3.12", "3.13", "3.14"] as const;

const probeTimeoutMs = 10_000;

// Finds the base executable, so that a virtual environment on the PATH does not give its packages to agents.
const probeScript = `
import importlib.util, json, sys
print(json.dumps({
    "command": getattr(sys, "_base_executable", None) or sys.executable,
    "version": ".".join(map(str, sys.version_info[:3])),
    "prefixes": sorted({sys.base_prefix, sys.base_exec_prefix}),
    "pip": importlib.util.find_spec("pip") is not None,
}))`;

interface Interpreter {
  readonly command: string;
  readonly version: string;
  readonly prefixes: readonly string[];
  readonly pip: boolean;
}

export interface PythonRuntimes {
  resolve(version: string | undefined): Promise<Runtime>;
  list(): Promise<RuntimeOffer[]>;
}

/** `allowNearest`: a missing minor version runs on the nearest newer one, with a warning. */
export function createPythonRuntimes(options: {
  env: Readonly<Record<string, string>>;
  allowNearest: boolean;
}): PythonRuntimes {
  let found: Promise<Interpreter[]> | undefined;
  const interpreters = (): Promise<Interpreter[]> => (found ??= findInterpreters(options.env));

  return {
    async resolve(requested) {
      const all = await interpreters();
      const exact = all.filter((one) => requested === undefined || satisfies(one.version, requested)).at(-1);
      if (exact !== undefined) return runtimeOf(exact);
      const nearest = options.allowNearest && requested !== undefined ? nearestNewer(all, requested) : undefined;
      if (nearest === undefined)
        throw new RuntimeUnavailableError(
          "python",
          requested,
          all.map((one) => one.version),
        );
      const warning = `python ${requested} is not on this worker; the agent runs on python ${nearest.version}`;
      return { ...runtimeOf(nearest), warning };
    },
    async list() {
      return (await interpreters()).map(({ version }) => ({ language: "python", version, source: "host" }));
    },
  };
}

function runtimeOf({ command, version, prefixes }: Interpreter): Runtime {
  return { language: "python", version, command, readOnlyPaths: [...prefixes, command] };
}

function nearestNewer(all: readonly Interpreter[], requested: string): Interpreter | undefined {
  if (!/^3\.\d+(\.\d+)?$/.test(requested)) return undefined;
  const minor = requested.split(".").slice(0, 2).join(".");
  const newer = all.filter((one) => compareVersions(one.version, minor) > 0);
  const nearest = newer[0]?.version.split(".").slice(0, 2).join(".");
  return nearest === undefined ? undefined : newer.filter((one) => satisfies(one.version, nearest)).at(-1);
}

/** Returns one interpreter per minor version, ascending: the newest patch, one with pip before one without. */
async function findInterpreters(env: Readonly<Record<string, string>>): Promise<Interpreter[]> {
  const probed = await Promise.all((await candidates(env)).map((command) => probe(command, env)));
  const best = new Map<string, Interpreter>();
  for (const one of probed) {
    const minor = one?.version.split(".").slice(0, 2).join(".");
    if (one === undefined || !pythonMinors.some((known) => known === minor)) continue;
    const other = best.get(minor!);
    if (other === undefined || isBetter(one, other)) best.set(minor!, one);
  }
  return [...best.values()].sort((a, b) => compareVersions(a.version, b.version));
}

function isBetter(one: Interpreter, other: Interpreter): boolean {
  return one.pip === other.pip ? compareVersions(one.version, other.version) > 0 : one.pip;
}

/** Returns real paths, each once: along PATH, then pyenv's own directories, which its shims hide. */
async function candidates(env: Readonly<Record<string, string>>): Promise<string[]> {
  const names = [...pythonMinors.map((minor) => `python${minor}`), "python3"];
  const pathDirs = (env.PATH ?? "").split(":").filter((dir) => dir.startsWith("/"));
  const pyenv = join(env.PYENV_ROOT ?? join(env.HOME ?? homedir(), ".pyenv"), "versions");
  const pyenvDirs = (await readdir(pyenv).catch(() => [])).map((version) => join(pyenv, version, "bin"));
  const commands = [...pathDirs, ...pyenvDirs].flatMap((dir) => names.map((name) => join(dir, name)));
  const real = await Promise.all(commands.map((command) => realpath(command).catch(() => undefined)));
  const found = commands.filter((_command, i) => real[i] !== undefined);
  // Shims of one manager are one real file under many names, so the name decides.
  const isShim = (command: string): boolean => command.includes("/shims/");
  const distinct = new Set(found.map((command) => (isShim(command) ? command : real[commands.indexOf(command)]!)));
  return [...distinct];
}

async function probe(command: string, env: Readonly<Record<string, string>>): Promise<Interpreter | undefined> {
  const clean = { PATH: env.PATH ?? "", HOME: env.HOME ?? homedir() };
  try {
    const printed = await runHostCommand(command, ["-I", "-c", probeScript], { env: clean, timeoutMs: probeTimeoutMs });
    const answer = JSON.parse(printed) as Interpreter;
    return { ...answer, command: await realpath(answer.command) };
  } catch {
    return undefined; // A shim of a version that is not installed, or a broken interpreter.
  }
}
