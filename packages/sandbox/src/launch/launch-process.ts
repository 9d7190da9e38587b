// Starts one program with pipes on descriptors 1, 2 and 3, and without any other descriptor of this process.

import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from "node:child_process";
import { constants as osConstants } from "node:os";
import { Server } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { constants, setPriority } from "node:os";
import type { EgressServer } from "@dari/gateway";
import { withholdCapabilities } from "@dari/native";
import { inheritedDescriptorMasks } from "./find-inherited-descriptors.ts";
import { startBelowInMemory } from "./start-below-in-memory.ts";
import { SandboxStartError, type SandboxExit } from "../types.ts";

export interface LaunchedProcess {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly channel: Duplex;
  /** Pipes at 4, 5, … for the launcher itself. */
  readonly launcherPipes: readonly Duplex[];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Called with each socket that the program hands over. */
export type ServerHandler = (port: number, server: EgressServer) => void;

/** Lowers the priority of an untrusted program below that of the worker, which must renew the leases of all turns. */
function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // The program has already ended.
  }
}

export interface LaunchOptions {
  /** The absolute path of the program. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly launcherPipes?: number;
  /** Opens Node's own channel after the launcher's pipes. Its descriptor is in NODE_CHANNEL_FD. */
  readonly onServer?: ServerHandler;
  /**
   * Starts the program instead of this process. It must have the same number of pipes, and the environment must be
   * empty.
   */
  readonly starter?: Starter | undefined;
}

export interface StartOptions extends Pick<LaunchOptions, "command" | "args" | "cwd" | "onServer"> {
  /**
   * Whether the program keeps this process's capabilities, as our programs that enter namespaces do (default: false).
   */
  readonly keepsCapabilities?: boolean;
  /**
   * Time limit of the start. If it takes longer, everything that this starter has started is ended (default: a minute).
   */
  readonly withinMs?: number;
}

export interface Starter {
  /**
   * Like `launch`, with as many pipes as the starter was opened for and an empty environment.
   * @throws SandboxStartError
   */
  launch(o: StartOptions): Promise<LaunchedProcess>;
}

/** Executes `command` in a new session. @throws SandboxStartError if the command cannot be executed */
export async function launch(o: LaunchOptions): Promise<LaunchedProcess> {
  if (o.starter !== undefined) return o.starter.launch(o);
  await withholdCapabilities();
  const pipes = o.launcherPipes ?? 0;
  const ipc = o.onServer === undefined ? [] : ["ipc" as const];
  const stdio: StdioOptions = [
    // Use a pipe instead of the host's /dev/null, whose mode and owner a program of the same user could change.
    "pipe",
    ...Array.from({ length: 3 + pipes }, () => "pipe" as const),
    ...ipc,
    ...stdioMasksFrom(4 + pipes + ipc.length),
  ];
  const options: SpawnOptions = { env: o.env, cwd: o.cwd, detached: true, stdio };
  const child = startBelowInMemory(() => spawn(o.command, o.args, options));
  child.stdin?.destroy();
  lowerPriority(child.pid);
  child.on("message", (port, server) => {
    if (typeof port === "number" && server instanceof Server) o.onServer?.(port, server);
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  await executed(child, o.command);
  // If a child dies while it hands over a socket, its channel emits an error, which no caller needs.
  child.on("error", () => {});
  const streams = child.stdio as unknown as readonly Duplex[];
  // A pipe breaks when the program dies, which `exited` reports.
  for (const stream of streams.slice(1, 4 + pipes)) stream.on("error", () => {});
  const [, stdout, stderr, channel, ...rest] = streams;
  return {
    pid: child.pid!,
    stdout: stdout!,
    stderr: stderr!,
    channel: channel!,
    launcherPipes: rest.slice(0, pipes),
    exited,
  };
}

/** Returns the stdio of a program from the descriptor `first` on, without anything that this process inherited. */
export function stdioMasksFrom(first: number): ("ignore" | number)[] {
  const masks = inheritedDescriptorMasks();
  const last = Math.max(first - 1, ...masks.keys());
  return Array.from({ length: last - first + 1 }, (_, i) => masks.get(first + i) ?? "ignore");
}

function executed(child: ChildProcess, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new SandboxStartError(`cannot execute ${command}`, { cause })));
  });
}

/** Signal names by number. For a signal with two names, this is the first one, as in Node. */
export const signalNames: ReadonlyMap<number, NodeJS.Signals> = new Map(
  Object.entries(osConstants.signals)
    .map(([name, n]) => [n, name as NodeJS.Signals] as const)
    .reverse(),
);

/** Converts a launcher's report of a death by signal n, exit code 128 + n, back into the signal. */
export function decodeLauncherExit(exit: SandboxExit): SandboxExit {
  const signal = exit.code === null ? undefined : signalNames.get(exit.code - 128);
  return signal === undefined ? exit : { ...exit, code: null, signal };
}
