// One small program of ours that starts others: while a large Node process forks, all of it stands still.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, Server, type Socket } from "node:net";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { getSystemErrorName } from "node:util";
import { compiledProgram } from "./compiled-program.ts";
import { masksFrom, type Launched, type LaunchOptions, type OnServer } from "./launch.ts";
import { findProgram, tryTimeoutMs } from "./programs.ts";
import { SandboxStartError } from "./types.ts";
import { within } from "./within.ts";

/** What native/start.c reads of one request, with some room. */
const requestBytesMax = 32 * 1024;
/** A starter that has not answered in this time never will. */
const answerWithinMs = 60_000;

export interface StartOptions extends Pick<LaunchOptions, "command" | "args" | "cwd" | "onServer"> {
  /** Until when it must run; where it does not, everything that this starter has started ends. Default: a minute. */
  readonly withinMs?: number;
}

export interface Starter {
  /**
   * As `launch` does, with as many pipes as the starter was opened for and an empty environment.
   * @throws SandboxStartError
   */
  launch(o: StartOptions): Promise<Launched>;
}

/** Of a driver without one. */
export const noStarterNote =
  "the worker starts sandboxes by itself: a program of its own for that, which spares it a halt, does not run here";

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
        const asked = (running ??= run(binary, kind).catch(() => undefined));
        const launched = await asked.then((one) => one?.launch(o));
        if (launched !== undefined) return launched;
        if (running === asked) running = undefined;
      }
      throw new SandboxStartError("the program that starts others does not run");
    },
  };
}

/** One that has started something, else undefined: who has none starts its programs itself. */
export async function findStarter(kind: StarterKind): Promise<Starter | undefined> {
  const starter = await openStarter(kind);
  const command = (await findProgram("true")) ?? "/bin/true";
  try {
    const launched = await starter?.launch({ command, args: [], cwd: "/", withinMs: tryTimeoutMs });
    if (launched === undefined) return undefined;
    const { stdout, stderr, channel, launcherPipes } = launched;
    for (const stream of [stdout, stderr, channel, ...launcherPipes]) stream.destroy();
    return (await launched.exited).code === 0 ? starter : undefined;
  } catch {
    return undefined;
  }
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
  /** Of launches that wait for their program: each ends one. */
  readonly asked: Set<() => void>;
  /** Programs that run. */
  alive: number;
  isFit: boolean;
  kill(): void;
}

/** Undefined where it does not run; rejects where no process can be made. */
async function run(binary: string, kind: StarterKind): Promise<Running | undefined> {
  const stdio = ["ignore" as const, "pipe" as const, "ignore" as const, "ipc" as const, ...masksFrom(4)];
  // A signal to this process and all of its group is not meant for what it has started, which may come to its end.
  const child: ChildProcess = spawn(binary, [String(kind.pipes)], { env: {}, stdio, detached: true });
  child.on("error", () => {});
  const said = createInterface({ input: child.stdout! });
  const [name] = (await Promise.race([once(said, "line"), once(said, "close")])) as [string?];
  child.stdout!.destroy();
  if (name === undefined) return undefined;
  const kill = (): void => void child.kill("SIGKILL");
  const counts = { count: 0, asked: new Set<() => void>(), alive: 0 };
  const held: Held = { name: `\0${name}`, kind, onServers: new Map(), ...counts, isFit: true, kill };
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

/** It has connections that are no program's, and would give the next one others' pipes. What runs may go on. */
function loseCount(held: Held): void {
  held.isFit = false;
  for (const giveUp of held.asked) giveUp();
  if (held.alive === 0) held.kill();
}

async function launchBy(held: Held, o: StartOptions): Promise<Launched | undefined> {
  if (!held.isFit) return undefined;
  const number = (held.count += 1);
  const how = `-${o.onServer === undefined ? "" : "s"}${held.kind.isFollowed ? "k" : ""}`;
  const words = [String(number), how, o.cwd, o.command, ...o.args];
  const request = Buffer.from(words.map((word) => `${word}\0`).join(""));
  if (request.length > requestBytesMax) throw new SandboxStartError(`the arguments of ${o.command} are too long`);
  const [control, ...streams] = connectAll(held, Buffer.concat([Buffer.from(`${request.length} `), request]));
  if (o.onServer !== undefined) held.onServers.set(number, o.onServer);
  const { pid, exited } = follow(control!, o.command);
  held.alive += 1;
  void exited.then(() => {
    held.onServers.delete(number);
    held.alive -= 1;
    if (!held.isFit && held.alive === 0) held.kill();
  });
  const giveUp = (): void => void control!.destroy();
  held.asked.add(giveUp);
  try {
    const withinMs = o.withinMs ?? answerWithinMs;
    const started = await within(withinMs, pid);
    if (started === undefined) {
      held.kill();
      throw new SandboxStartError(`the program that starts others has not answered within ${withinMs} ms`);
    }
    const [stdout, stderr, channel, ...launcherPipes] = streams as [Socket, Socket, Socket, ...Socket[]];
    return { pid: started, stdout, stderr, channel, launcherPipes, exited };
  } catch (error) {
    for (const stream of [control!, ...streams]) stream.destroy();
    if (error instanceof NoAnswerError && !held.isFit) return undefined;
    throw error;
  } finally {
    held.asked.delete(giveUp);
  }
}

/** Control first. All in one go, because they are told apart by their order; nothing is asked until all are there. */
function connectAll(held: Held, request: Buffer): Socket[] {
  const all = Array.from({ length: held.kind.pipes + 1 }, () => connect({ path: held.name }));
  let connected = 0;
  for (const stream of all) {
    let isConnected = false;
    stream.once("connect", () => {
      isConnected = true;
      connected += 1;
      if (connected === all.length) all[0]!.write(request);
    });
    // Later a pipe breaks when its program dies.
    stream.on("error", () => {
      if (!isConnected) loseCount(held);
    });
  }
  return all;
}

class NoAnswerError extends SandboxStartError {}

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
    pid.reject(new NoAnswerError("the program that starts others has ended"));
    exited.resolve({ code: null, signal: "SIGKILL" });
  });
  return { pid: pid.promise, exited: exited.promise };
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, n]) => [n, name as NodeJS.Signals]));
