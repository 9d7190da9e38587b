// A small native program that starts others, because a large Node process stands still while it forks.

import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { Server } from "node:net";
import { createInterface } from "node:readline";
import { nativeCommand, startWithCapabilities, withholdCapabilities } from "@dari/native";
import { stdioMasksFrom, type LaunchedProcess, type Starter, type StartOptions } from "./launch.ts";
import { findProgram, tryTimeoutMs } from "./programs.ts";
import { deliverServer, createStarterConnection, requestStart } from "./start-requests.ts";
import { SandboxStartError } from "./types.ts";

/** Why a driver that needs a starter cannot be used, and the remedy. */
export const starterUnavailable =
  "dari-native cannot start programs here; restore its file from the repository and allow its execution";

export interface StarterKind {
  /** Number of pipes of each program, from descriptor 1 on; at least 3. */
  readonly pipes: number;
  /**
   * Whether its programs are killed when it ends, and so when this process does. Otherwise they must end by themselves.
   * If the starter alone is killed, its programs count as killed.
   */
  readonly isFollowed: boolean;
}

/** The native program is started with the first launch and ends with this process. */
export function openStarter(kind: StarterKind): Starter {
  let running: Promise<Running | undefined> | undefined;
  return {
    async launch(o) {
      // If it has ended while idle, start another one.
      for (let tries = 0; tries < 2; tries++) {
        const asked = (running ??= run(kind).catch(() => undefined));
        const launched = await asked.then((one) => one?.launch(o));
        if (launched !== undefined) return launched;
        if (running === asked) running = undefined;
      }
      throw new SandboxStartError("the program that starts others does not run");
    },
  };
}

/** Returns a starter that has started something; undefined if it cannot. */
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
  /** Returns undefined if it cannot be used: it has ended, or its connections are out of step. */
  launch(o: StartOptions): Promise<LaunchedProcess | undefined>;
}

/** Returns undefined if it does not run. Rejects if no process can be created. */
async function run(kind: StarterKind): Promise<Running | undefined> {
  const stdio = ["ignore" as const, "pipe" as const, "ignore" as const, "ipc" as const, ...stdioMasksFrom(4)];
  // A signal to this process and its group is not meant for its programs, which may end normally.
  await withholdCapabilities();
  const options: SpawnOptions = { env: {}, stdio, detached: true };
  const [file, ...args] = [...nativeCommand("start"), String(kind.pipes)];
  const child: ChildProcess = startWithCapabilities(() => spawn(file, args, options));
  child.on("error", () => {});
  const said = createInterface({ input: child.stdout! });
  const [name] = (await Promise.race([once(said, "line"), once(said, "close")])) as [string?];
  child.stdout!.destroy();
  if (name === undefined) return undefined;
  const receiver = createStarterConnection({ name, pipes: kind.pipes, kill: () => void child.kill("SIGKILL") });
  child.once("exit", () => (receiver.isFit = false));
  child.on("message", (message, server) => {
    const [number, port] = message as unknown as [number, number];
    if (server instanceof Server) deliverServer(receiver, number, port, server);
  });
  // It ends when its channel does.
  child.unref();
  child.channel?.unref();
  return {
    launch({ command, args, cwd, onServer, withinMs, keepsCapabilities }) {
      const keeps = keepsCapabilities === true ? "c" : "";
      const how = `-${onServer === undefined ? "" : "s"}${kind.isFollowed ? "k" : ""}${keeps}`;
      return requestStart(receiver, { words: [how, cwd, command, ...args], name: command, onServer, withinMs });
    },
  };
}
