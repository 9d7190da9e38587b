// One small program of ours that starts others: while a large Node process forks, all of it stands still.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, Server, type Socket } from "node:net";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { getSystemErrorName } from "node:util";
import { compiledProgram } from "./compiled-program.ts";
import { masksFrom, type Launched, type LaunchOptions, type OnServer } from "./launch.ts";
import { SandboxStartError } from "./types.ts";

/** What native/start.c reads of one request, with some room. */
const requestBytesMax = 32 * 1024;

export type StartOptions = Pick<LaunchOptions, "command" | "args" | "cwd" | "onServer">;

export interface Starter {
  /**
   * As `launch` does, with as many pipes as the starter was opened for and an empty environment.
   * @throws SandboxStartError
   */
  launch(o: StartOptions): Promise<Launched>;
}

export interface StarterKind {
  /** Of each program, from its descriptor 1 on; at least 3. */
  readonly pipes: number;
  /**
   * Whether what it has started is killed when it ends, and so when this process does; else it must see to that itself.
   * Should it be ended alone, its programs are taken for killed.
   */
  readonly isFollowed: boolean;
}

/**
 * Undefined where there is no C compiler. It is started with the first launch and ends with this process.
 */
export async function openStarter(kind: StarterKind): Promise<Starter | undefined> {
  const binary = await compiledProgram("start");
  if (binary === undefined) return undefined;
  let running: Promise<Running | undefined> | undefined;
  return {
    async launch(o) {
      // One that has ended while nothing was asked of it is followed by another.
      for (let tries = 0; tries < 2; tries++) {
        const asked = (running ??= run(binary, kind));
        const launched = await asked.then((one) => one?.launch(o));
        if (launched !== undefined) return launched;
        if (running === asked) running = undefined;
      }
      throw new SandboxStartError("the program that starts others does not run");
    },
  };
}

interface Running {
  /** Undefined where it cannot be asked: it has ended, or has lost count. */
  launch(o: StartOptions): Promise<Launched | undefined>;
}

interface Held {
  readonly name: string;
  readonly kind: StarterKind;
  readonly onServers: Map<number, OnServer>;
  count: number;
  isFit: boolean;
}

/** Never rejects; undefined where it does not run. */
async function run(binary: string, kind: StarterKind): Promise<Running | undefined> {
  const stdio = ["ignore" as const, "pipe" as const, "ignore" as const, "ipc" as const, ...masksFrom(4)];
  const child: ChildProcess = spawn(binary, [String(kind.pipes)], { env: {}, stdio });
  child.on("error", () => {});
  const said = createInterface({ input: child.stdout! });
  const [name] = (await Promise.race([once(said, "line"), once(said, "close")])) as [string?];
  child.stdout!.destroy();
  if (name === undefined) return undefined;
  const held: Held = { name: `\0${name}`, kind, onServers: new Map(), count: 0, isFit: true };
  child.once("exit", () => (held.isFit = false));
  child.on("message", (message, server) => {
    const [number, port] = message as unknown as [number, number];
    if (!(server instanceof Server)) return;
    const onServer = held.onServers.get(number);
    if (onServer === undefined) server.close();
    else onServer(port, server);
  });
  // It ends when its channel does.
  child.unref();
  child.channel?.unref();
  return { launch: (o) => launchBy(held, o) };
}

async function launchBy(held: Held, o: StartOptions): Promise<Launched | undefined> {
  if (!held.isFit) return undefined;
  const number = (held.count += 1);
  const how = `-${o.onServer === undefined ? "" : "s"}${held.kind.isFollowed ? "k" : ""}`;
  const words = [String(number), how, o.cwd, o.command, ...o.args];
  const request = Buffer.from(words.map((word) => `${word}\0`).join(""));
  if (request.length > requestBytesMax) throw new SandboxStartError(`the arguments of ${o.command} are too long`);
  // All in one go: they are told apart by their order.
  const [control, ...streams] = Array.from({ length: held.kind.pipes + 1 }, () => connect({ path: held.name }));
  for (const stream of [control!, ...streams]) {
    // One that was refused leaves the others without their order; later a pipe breaks when its program dies.
    stream.on("error", () => (held.isFit &&= !stream.connecting));
  }
  if (o.onServer !== undefined) held.onServers.set(number, o.onServer);
  control!.write(Buffer.concat([Buffer.from(`${request.length} `), request]));
  let isAsked = false;
  control!.once("connect", () => (isAsked = true));
  const { pid, exited } = follow(control!, o.command);
  void exited.finally(() => held.onServers.delete(number));
  try {
    const started = await pid;
    const [stdout, stderr, channel, ...launcherPipes] = streams as [Socket, Socket, Socket, ...Socket[]];
    return { pid: started, stdout, stderr, channel, launcherPipes, exited };
  } catch (error) {
    for (const stream of streams) stream.destroy();
    if (!isAsked) return undefined;
    throw error;
  }
}

/** What is said of the program. Its number is its own until the connection is closed. */
function follow(control: Socket, command: string): { pid: Promise<number>; exited: Launched["exited"] } {
  const pid = Promise.withResolvers<number>();
  const exited = Promise.withResolvers<Awaited<Launched["exited"]>>();
  const answers: Readonly<Record<string, (value: number) => void>> = {
    pid: pid.resolve,
    error: (errno) => {
      const cause = new Error(getSystemErrorName(-errno));
      pid.reject(new SandboxStartError(`cannot execute ${command}`, { cause }));
      control.destroy();
    },
    exit: (code) => end({ code, signal: null }),
    signal: (signal) => end({ code: null, signal: signalNames.get(signal) ?? "SIGKILL" }),
  };
  function end(exit: Awaited<Launched["exited"]>): void {
    exited.resolve(exit);
    control.destroy();
  }
  let said = "";
  control.setEncoding("latin1").on("data", (chunk: string) => {
    const lines = (said + chunk).split("\n");
    said = lines.pop()!;
    for (const line of lines) {
      const [word = "", value] = line.split(" ");
      answers[word]?.(Number(value));
    }
  });
  control.once("close", () => {
    pid.reject(new SandboxStartError("the program that starts others has ended"));
    exited.resolve({ code: null, signal: "SIGKILL" });
  });
  return { pid: pid.promise, exited: exited.promise };
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, n]) => [n, name as NodeJS.Signals]));
