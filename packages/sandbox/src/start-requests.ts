// The client of our native programs that start others: starts.h of @dari/native.

import { connect, type Server, type Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import { signalNames, type LaunchedProcess, type ServerHandler } from "./launch.ts";
import { SandboxStartError } from "./types.ts";
import { withTimeout } from "./with-timeout.ts";

/** What starts.h reads of one request, with some reserve. */
const requestBytesMax = 32 * 1024;
/** A program that takes longer to answer never will, in milliseconds. */
const answerWithinMs = 60_000;

/** A running program that starts others, as its client sees it. */
export interface StarterConnection {
  /** The name of its socket. */
  readonly name: string;
  /** Number of pipes of each start, from descriptor 1 on; at least 3. */
  readonly pipes: number;
  /** Called with the sockets that starts hand over, by the number of the start. */
  readonly onServers: Map<number, ServerHandler>;
  /** Number of requested starts. */
  count: number;
  /** For each start without an answer, a function that ends it. */
  readonly asked: Set<() => void>;
  /** Number of running programs. */
  alive: number;
  /** False if it must not be used any more. */
  isFit: boolean;
  kill(): void;
}

export interface StartRequest {
  /** Follow the number; at least three. */
  readonly words: readonly string[];
  /** Its name in errors. */
  readonly name: string;
  readonly onServer?: ServerHandler | undefined;
  /**
   * Time limit of the start. If it takes longer, everything that the receiver has started is ended (default: a minute).
   */
  readonly withinMs?: number | undefined;
}

/** `name`: the socket's name, as the program reported it. */
export function createStarterConnection(o: { name: string; pipes: number; kill: () => void }): StarterConnection {
  const { name, pipes, kill } = o;
  return { name: `\0${name}`, pipes, onServers: new Map(), count: 0, asked: new Set(), alive: 0, isFit: true, kill };
}

/** Passes on a socket that the start with this number has handed over. */
export function deliverServer(receiver: StarterConnection, number: number, port: number, server: Server): void {
  const onServer = receiver.onServers.get(number);
  if (onServer === undefined) server.close();
  else onServer(port, server);
}

/**
 * Connections may be left that belong to no program, and the next one would get another's pipes. Running programs
 * continue.
 */
function loseCount(receiver: StarterConnection): void {
  receiver.isFit = false;
  for (const giveUp of receiver.asked) giveUp();
  if (receiver.alive === 0) receiver.kill();
}

/**
 * Returns undefined if it cannot be used: it has ended, or its connections are out of step.
 * @throws SandboxStartError
 */
export async function requestStart(receiver: StarterConnection, o: StartRequest): Promise<LaunchedProcess | undefined> {
  if (!receiver.isFit) return undefined;
  const number = (receiver.count += 1);
  const request = Buffer.from([String(number), ...o.words].map((word) => `${word}\0`).join(""));
  if (request.length > requestBytesMax) throw new SandboxStartError(`the arguments of ${o.name} are too long`);
  const [control, ...streams] = connectAll(receiver, Buffer.concat([Buffer.from(`${request.length} `), request]));
  if (o.onServer !== undefined) receiver.onServers.set(number, o.onServer);
  const { pid, exited } = follow(control!, o.name);
  receiver.alive += 1;
  void exited.then(() => {
    receiver.onServers.delete(number);
    receiver.alive -= 1;
    if (!receiver.isFit && receiver.alive === 0) receiver.kill();
  });
  const giveUp = (): void => void control!.destroy();
  receiver.asked.add(giveUp);
  try {
    const withinMs = o.withinMs ?? answerWithinMs;
    const started = await withTimeout(withinMs, pid);
    if (started === undefined) {
      receiver.kill();
      throw new SandboxStartError(`the program that starts others has not answered within ${withinMs} ms`);
    }
    const [stdout, stderr, channel, ...launcherPipes] = streams as [Socket, Socket, Socket, ...Socket[]];
    return { pid: started, stdout, stderr, channel, launcherPipes, exited };
  } catch (error) {
    for (const stream of [control!, ...streams]) stream.destroy();
    if (error instanceof NoAnswerError && !receiver.isFit) return undefined;
    throw error;
  } finally {
    receiver.asked.delete(giveUp);
  }
}

/**
 * The control connection first. All without an await, because only their order distinguishes them. The request is sent
 * once all are connected.
 */
function connectAll(receiver: StarterConnection, request: Buffer): Socket[] {
  const all = Array.from({ length: receiver.pipes + 1 }, () => connect({ path: receiver.name }));
  let connected = 0;
  for (const stream of all) {
    let isConnected = false;
    stream.once("connect", () => {
      isConnected = true;
      connected += 1;
      if (connected === all.length) all[0]!.write(request);
    });
    // Later, a pipe breaks when its program dies.
    stream.on("error", () => {
      if (!isConnected) loseCount(receiver);
    });
  }
  return all;
}

class NoAnswerError extends SandboxStartError {}

/** Reads what is reported about the program. Its pid is not reused until the connection is closed. */
function follow(control: Socket, name: string): { pid: Promise<number>; exited: LaunchedProcess["exited"] } {
  const pid = Promise.withResolvers<number>();
  const exited = Promise.withResolvers<Awaited<LaunchedProcess["exited"]>>();
  const answers: Readonly<Record<string, (value: number) => void>> = {
    // A signal to any other number would go to all processes.
    pid: (number) => (number > 0 ? pid.resolve(number) : control.destroy()),
    error: (errno) => {
      const cause = new Error(getSystemErrorName(-errno));
      pid.reject(new SandboxStartError(`cannot execute ${name}`, { cause }));
      control.destroy();
    },
    exit: (code) => end({ code, signal: null }),
    signal: (signal) => end({ code: null, signal: signalNames.get(signal) ?? "SIGKILL" }),
  };
  function end(exit: Awaited<LaunchedProcess["exited"]>): void {
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
