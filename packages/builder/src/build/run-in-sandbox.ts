// Runs one program of a build in its own sandbox. Everything that a tenant's files can influence (installers,
// compilers) runs here.

import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Exceeded, Sandbox, SandboxDriver, SandboxExit, SandboxLimits, SandboxSpec } from "@dari/sandbox";
import { printable } from "./build-log.ts";

export interface SandboxProgram {
  /** Relative paths are relative to the build's tree, which is the working directory. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readOnlyPaths: readonly string[];
  readonly network: SandboxSpec["network"];
}

export interface BuildSandbox {
  readonly driver: SandboxDriver;
  /** Contains `workspace/`, the build's tree, and `state/`, the programs' home. */
  readonly slotDir: string;
  /** An empty directory as the image that a sandbox requires: a build has none yet. */
  readonly emptyDir: string;
  readonly limits: SandboxLimits;
  /** Size limit of /tmp, which is on the disk, for installers and compilers. */
  readonly tmpBytes: number;
  readonly signal: AbortSignal;
  onLine(line: string): void;
}

export interface ProgramEnding {
  readonly exit: SandboxExit;
  /** The limit of the build that it exceeded. */
  readonly exceeded: Exceeded | undefined;
  /** Its stdout, at most 1 MiB. Lines of stdout and stderr also go to `onLine`. */
  readonly stdout: string;
  readonly lastLines: readonly string[];
}

const stdoutBytesMax = 1024 * 1024;
const lastLinesMax = 12;
const lineCharsMax = 4096;

/**
 * Resolves when the program and all its child processes are dead.
 * @throws the signal's reason if it aborts; SandboxStartError.
 */
export async function runInSandbox(sandbox: BuildSandbox, program: SandboxProgram): Promise<ProgramEnding> {
  const { driver, slotDir, emptyDir, limits, tmpBytes, signal } = sandbox;
  signal.throwIfAborted();
  const running = await driver.prepare({ ...program, slotDir, imageDir: emptyDir, limits, diskTmpBytes: tmpBytes });
  const lastLines: string[] = [];
  const onLine = (text: string): void => {
    const line = printable(text.slice(0, lineCharsMax));
    if (line.trim() === "") return;
    lastLines.push(line);
    if (lastLines.length > lastLinesMax) lastLines.shift();
    sandbox.onLine(line);
  };
  const stdout = collectText(running.stdout);
  const read = logOutput(running, onLine);
  running.channel.on("error", ignore).resume();
  const abort = (): void => void running.kill().catch(ignore);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const exit = await running.exited;
    await running.kill();
    await read;
    signal.throwIfAborted();
    const { exceeded } = await running.collect();
    return { exit, exceeded, stdout: stdout.text(), lastLines };
  } finally {
    signal.removeEventListener("abort", abort);
    await running.kill();
    running.channel.destroy();
  }
}

function ignore(): void {}

/** Returns whether the program ended by itself with exit code 0. */
export function succeeded({ exit }: ProgramEnding): boolean {
  return exit.code === 0 && exit.startError === undefined;
}

/** Returns `exit code 1`, `signal SIGKILL`, or why it was not started; and the limit that it exceeded. */
export function describeEnding({ exit, exceeded }: ProgramEnding, bounds: BuildBounds): string {
  const { startError, signal, code } = exit;
  const how = startError ?? (signal === null ? `exit code ${code}` : `signal ${signal}`);
  return exceeded === undefined ? how : `${how}: ${describeBound(exceeded, bounds)}`;
}

export type BuildBounds = Pick<BuildSandbox, "limits" | "tmpBytes">;

/** Describes the limit of builds, with its value if there is one. */
export function describeBound(exceeded: Exceeded, { limits, tmpBytes }: BuildBounds): string {
  const { memoryBytes, diskBytes, processes, cpuSeconds } = limits;
  const values: Readonly<Record<Exceeded, string>> = {
    memory: `memory${sized(memoryBytes)}`,
    processes: `processes${processes === undefined ? "" : ` (${processes})`}`,
    disk: `disk space${sized(diskBytes)}`,
    tmp: `temporary files in /tmp${sized(tmpBytes)}`,
    cpu: `processor time${cpuSeconds === undefined ? "" : ` (${cpuSeconds} s)`}`,
  };
  return `it exceeded the limit of a build for ${values[exceeded]}`;
}

function sized(bytes: number | undefined): string {
  if (bytes === undefined) return "";
  const [unit, name] = bytes >= 1024 ** 3 ? [1024 ** 3, "GiB"] : [1024 ** 2, "MiB"];
  return ` (${Number((bytes / unit).toFixed(1))} ${name})`;
}

function collectText(stream: Readable): { text(): string } {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    if (size >= stdoutBytesMax) return;
    size += chunk.length;
    chunks.push(chunk);
  });
  return { text: () => Buffer.concat(chunks).toString("utf8") };
}

/** Resolves when both streams have ended, at the latest when the sandbox is killed. */
export async function logOutput(running: Sandbox, onLine: (line: string) => void): Promise<void> {
  await Promise.all([readLines(running.stdout, onLine), readLines(running.stderr, onLine)]);
}

/** Resolves when the stream has ended. */
async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  stream.on("data", (chunk: Buffer) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    // A line without an end must not fill the memory.
    if (rest.length > stdoutBytesMax) rest = "";
  });
  await finished(stream).catch(ignore);
  if (rest !== "") onLine(rest);
}
