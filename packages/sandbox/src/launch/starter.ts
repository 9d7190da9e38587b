// A small native program that starts other programs, because a large Node process is blocked while it forks.

import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { Server } from "node:net";
import { createInterface } from "node:readline";
import { nativeCommand, startWithCapabilities, withholdCapabilities } from "@dari/native";
import { stdioMasksFrom, type LaunchedProcess, type Starter, type StartOptions } from "./launch-process.ts";
import { startBelowInMemory } from "./start-below-in-memory.ts";
import { findProgram, tryTimeoutMs } from "./find-programs.ts";
import { deliverServer, createStarterConnection, requestStart } from "./start-requests.ts";
import { SandboxStartError } from "../types.ts";

/** The reason why a driver that needs a starter cannot be used, with the remedy. */
export const starterUnavailable =
  "dari-native cannot start programs on this machine; restore its file from the repository and make it executable";

/** How long to wait for the answer to a request, in milliseconds. */
const answerWithinMs = 60_000;

export interface StarterKind {
  /** Number of pipes of each program, from descriptor 1 on; at least 3. */
  readonly pipes: number;
  /**
   * Whether the started programs are killed when the starter ends, and so when this process ends. Otherwise they must
   * end by themselves. If only the starter is killed, its programs count as killed.
   */
  readonly isFollowed: boolean;
}

/** Opens a starter. The first launch starts the native program, which ends with this process. */
export function openStarter(kind: StarterKind): Starter {
  let running: Promise<Running | undefined> | undefined;
  return {
    async launch(o) {
      // If the native program has ended while it was idle, start it again.
      for (let tries = 0; tries < 2; tries++) {
        const asked = (running ??= run(kind).catch(() => undefined));
        const launched = await asked.then((one) => one?.launch(o));
        if (launched !== undefined) return launched;
        if (running === asked) running = undefined;
      }
      throw new SandboxStartError("the program that starts sandboxes does not run");
    },
  };
}

/** Returns a starter that has started a program successfully; undefined if it cannot. */
export async function findStarter(kind: StarterKind): Promise<Starter | undefined> {
  const starter = openStarter(kind);
  const command = (await findProgram("true")) ?? "/bin/true";
  try {
    const launched = await starter.launch({ command, args: [], cwd: "/", withinMs: tryTimeoutMs });
    const { stdout, stderr, channel, launcherPipes } = launched;
    for (const stream of [stdout, stderr, channel, ...launcherPipes]) stream.destroy();
    return (await launched.exited).code === 0 ? starter : undefined;
  } catch {
    return undefined;
  }
}

interface Running {
  /** Returns undefined if the native program has ended, or its connections are out of step. */
  launch(o: StartOptions): Promise<LaunchedProcess | undefined>;
}

/** Starts the native program. Returns undefined if it ends at once. Rejects if no process can be created. */
async function run(kind: StarterKind): Promise<Running | undefined> {
  const stdio = ["ignore" as const, "pipe" as const, "ignore" as const, "ipc" as const, ...stdioMasksFrom(4)];
  // Detach the program, so that it does not get signals that are sent to this process's group.
  await withholdCapabilities();
  const options: SpawnOptions = { env: {}, stdio, detached: true };
  const [file, ...args] = [...nativeCommand("start"), String(kind.pipes)];
  const child: ChildProcess = startWithCapabilities(() => startBelowInMemory(() => spawn(file, args, options)));
  child.on("error", () => {});
  const lines = createInterface({ input: child.stdout! });
  const [name] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
  child.stdout!.destroy();
  if (name === undefined) return undefined;
  const receiver = createStarterConnection({ name, pipes: kind.pipes, kill: () => void child.kill("SIGKILL") });
  child.once("exit", () => (receiver.isFit = false));
  child.on("message", (message, server) => {
    const [number, port] = message as unknown as [number, number];
    if (server instanceof Server || server instanceof UdpSocket) deliverServer(receiver, number, port, server);
  });
  // The program ends when its channel is closed, so it need not keep this process alive.
  child.unref();
  child.channel?.unref();
  return {
    launch({ command, args, cwd, onServer, withinMs = answerWithinMs, keepsCapabilities }) {
      const keeps = keepsCapabilities === true ? "c" : "";
      const how = `-${onServer === undefined ? "" : "s"}${kind.isFollowed ? "k" : ""}${keeps}`;
      return requestStart(receiver, { words: [how, cwd, command, ...args], name: command, onServer, withinMs });
    },
  };
}
