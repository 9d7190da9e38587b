// One program of the platform as a separate process: starts it, waits until it is ready, signals and ends it by pid.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { waitUntil } from "@dari/testkit";

export const checkout = resolve(import.meta.dirname, "../../..");

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly isRunning: boolean;
  /** Whether it was ended by kill -9, so that it could not clean up. */
  readonly wasKilled: boolean;
  readonly ended: Promise<ProgramEnd>;
  /** Returns its output so far. */
  readLog(): string;
  signal(signal: NodeJS.Signals): void;
  /** Sends `signal` and waits. If it does not end within `withinMs`, kills it and throws. */
  stop(signal?: NodeJS.Signals, withinMs?: number): Promise<ProgramEnd>;
  /** kill -9. */
  kill(): Promise<ProgramEnd>;
}

export interface ProgramOptions {
  readonly name: string;
  /** Source file, relative to the checkout. */
  readonly entry: string;
  /** Another checkout than this one. */
  readonly checkout?: string;
  /** For Node, before the source file. */
  readonly nodeArguments?: readonly string[];
  /** A command that becomes Node, such as setpriv with its arguments. */
  readonly through?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
  /** What its log says once it is ready. */
  readonly readyWhen: RegExp;
}

const readyWithinMs = 60_000;
const stopWithinMs = 30_000;

/** Throws with the end of its log if it ends before it is ready. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const logFile = join(options.dir, `${options.name}.log`);
  // A directory that is used again has the log of an earlier run.
  const earlier = existsSync(logFile) ? readFileSync(logFile, "utf8").length : 0;
  const log = openSync(logFile, "a");
  const flags = ["--disable-warning=ExperimentalWarning", ...(options.nodeArguments ?? [])];
  const node = [process.execPath, ...flags, join(options.checkout ?? checkout, options.entry)];
  const [command = "", ...args] = [...(options.through ?? []), ...node];
  const child = spawn(command, args, {
    cwd: options.dir,
    env: options.env,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const { promise: ended, resolve: end } = Promise.withResolvers<ProgramEnd>();
  child.once("error", () => end({ code: -1, signal: null }));
  child.once("exit", (code, signal) => end({ code, signal }));
  const program = handleOf({ name: options.name, pid: child.pid ?? -1, logFile, ended });
  const what = `${options.name} to be ready`;
  const isReady = (): boolean => options.readyWhen.test(program.readLog().slice(earlier));
  try {
    await waitUntil(() => isReady() || !program.isRunning, { what, timeoutMs: readyWithinMs });
    if (program.isRunning) return program;
    throw new Error(`${options.name} ended: ${JSON.stringify(await ended)}`);
  } catch (error) {
    if (program.isRunning) await program.kill();
    throw new Error(`${options.name} did not start:\n${tailOf(program.readLog())}`, { cause: error });
  }
}

const tailOf = (log: string): string => log.slice(-4_000);

function handleOf(facts: { name: string; pid: number; logFile: string; ended: Promise<ProgramEnd> }): Program {
  let end: ProgramEnd | undefined;
  void facts.ended.then((ended) => (end = ended));
  const signal = (name: NodeJS.Signals): void => {
    if (end === undefined) process.kill(facts.pid, name);
  };
  const kill = (): Promise<ProgramEnd> => {
    signal("SIGKILL");
    return facts.ended;
  };
  return {
    ...facts,
    get isRunning() {
      return end === undefined;
    },
    get wasKilled() {
      return end?.signal === "SIGKILL";
    },
    readLog: () => readFileSync(facts.logFile, "utf8"),
    signal,
    kill,
    async stop(name = "SIGTERM", withinMs = stopWithinMs) {
      signal(name);
      const what = `${facts.name} (process ${facts.pid}) to end after ${name}`;
      try {
        return await waitUntil(() => end, { what, timeoutMs: withinMs });
      } catch (error) {
        await kill();
        throw new Error(`${what} was in vain:\n${tailOf(readFileSync(facts.logFile, "utf8"))}`, { cause: error });
      }
    },
    async [Symbol.asyncDispose]() {
      if (end === undefined) await kill();
    },
  };
}
