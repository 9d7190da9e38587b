// The client of our native programs that start other programs (starts.h of @dari/native).

import { connect, type Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import type { EgressServer } from "@dari/gateway";
import { signalNames, type LaunchedProcess, type ServerHandler } from "./launch-process.ts";
import { SandboxStartError } from "../types.ts";
import { withTimeout } from "./with-timeout.ts";

/** Maximum size of a request: a little less than starts.h can read. */
const requestBytesMax = 32 * 1024;
/** The connection to a running program that starts other programs. */
export interface StarterConnection {
  /** The name of the program's socket. */
  readonly name: string;
  /** Number of pipes of each start, from descriptor 1 on; at least 3. */
  readonly pipes: number;
  /** The handlers of sockets that started programs hand over, by the number of the start. */
  readonly onServers: Map<number, ServerHandler>;
  /** Number of starts that were requested so far. */
  count: number;
  /** For each start that has no answer yet, a function that gives it up. */
  readonly asked: Set<() => void>;
  /** Number of starts that were answered so far. */
  answers: number;
  /** Number of running programs. */
  alive: number;
  /** False if the connection must no longer be used. */
  isFit: boolean;
  kill(): void;
}

export interface StartRequest {
  /** The words after the number of the start, at least three. */
  readonly words: readonly string[];
  /** The name of the started program in errors. */
  readonly name: string;
  readonly onServer?: ServerHandler | undefined;
  /**
   * Time limit of the start, in milliseconds. If it takes longer, everything that the receiver has started is ended
   * (default: none).
   */
  readonly withinMs?: number | undefined;
}

export interface StartedProgram extends LaunchedProcess {
  /**
   * Call it once the program is known to be dead: a receiver that is stuck does not report that. Unless its end was
   * reported, it counts as killed.
   */
  endReports(): void;
}

/** `name`: the socket's name, as the program reported it. */
export function createStarterConnection(o: { name: string; pipes: number; kill: () => void }): StarterConnection {
  const { name, pipes, kill } = o;
  const counts = { count: 0, answers: 0, alive: 0 };
  return { name: `\0${name}`, pipes, onServers: new Map(), asked: new Set(), ...counts, isFit: true, kill };
}

/** Passes a socket to the handler of the start with this number. */
export function deliverServer(receiver: StarterConnection, number: number, port: number, server: EgressServer): void {
  const onServer = receiver.onServers.get(number);
  if (onServer === undefined) server.close();
  else onServer(port, server);
}

/**
 * Stops the use of a connection after an error. Some of its sockets may belong to no program, so the next program would
 * get the wrong pipes. Running programs continue.
 */
function markUnfit(receiver: StarterConnection): void {
  receiver.isFit = false;
  for (const giveUp of receiver.asked) giveUp();
  if (receiver.alive === 0) receiver.kill();
}

/**
 * Requests a start. Returns undefined if the connection cannot be used: the program has ended, or its sockets are out
 * of step.
 * @throws SandboxStartError
 */
export async function requestStart(receiver: StarterConnection, o: StartRequest): Promise<StartedProgram | undefined> {
  if (!receiver.isFit) return undefined;
  const number = (receiver.count += 1);
  const request = Buffer.from([String(number), ...o.words].map((word) => `${word}\0`).join(""));
  if (request.length > requestBytesMax) throw new SandboxStartError(`the arguments of ${o.name} are too long`);
  const [control, ...streams] = connectAll(receiver, Buffer.concat([Buffer.from(`${request.length} `), request]));
  if (o.onServer !== undefined) receiver.onServers.set(number, o.onServer);
  const { pid, exited } = readReports(control!, o.name);
  receiver.alive += 1;
  void exited.then(() => {
    receiver.onServers.delete(number);
    receiver.alive -= 1;
    if (!receiver.isFit && receiver.alive === 0) receiver.kill();
  });
  const giveUp = (): void => void control!.destroy();
  receiver.asked.add(giveUp);
  try {
    const started = o.withinMs === undefined ? await pid : await withTimeout(o.withinMs, pid);
    if (started === undefined) {
      receiver.kill();
      throw new SandboxStartError(`the program that starts sandboxes has not answered within ${o.withinMs} ms`);
    }
    const [stdout, stderr, channel, ...launcherPipes] = streams as [Socket, Socket, Socket, ...Socket[]];
    const endReports = (): void => void control!.destroy();
    return { pid: started, stdout, stderr, channel, launcherPipes, exited, endReports };
  } catch (error) {
    for (const stream of [control!, ...streams]) stream.destroy();
    if (error instanceof NoAnswerError && !receiver.isFit) return undefined;
    throw error;
  } finally {
    receiver.answers += 1;
    receiver.asked.delete(giveUp);
  }
}

/**
 * Opens the control connection and then the pipes. This must not await in between, because only the order distinguishes
 * the connections. Sends the request once all are connected.
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
    // An error after the connection means that the program died, which `exited` reports.
    stream.on("error", () => {
      if (!isConnected) markUnfit(receiver);
    });
  }
  return all;
}

class NoAnswerError extends SandboxStartError {}

/** Reads the reports about a started program. Its pid is not reused until the control connection is closed. */
function readReports(control: Socket, name: string): { pid: Promise<number>; exited: LaunchedProcess["exited"] } {
  const pid = Promise.withResolvers<number>();
  const exited = Promise.withResolvers<Awaited<LaunchedProcess["exited"]>>();
  let isStarted = false;
  const answers: Readonly<Record<string, (value: number) => void>> = {
    // A signal to any other number would go to all processes.
    pid(number) {
      isStarted = number > 0;
      if (isStarted) pid.resolve(number);
      else control.destroy();
    },
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
  let unread = "";
  control.setEncoding("latin1").on("data", (chunk: string) => {
    const lines = (unread + chunk).split("\n");
    unread = lines.pop()!;
    for (const line of lines) {
      const [word = "", value] = line.split(" ");
      answers[word]?.(Number(value));
    }
  });
  control.once("close", () => {
    // Every sandbox would pay for the stack trace of an error that nothing reads.
    if (!isStarted) pid.reject(new NoAnswerError("the program that starts sandboxes has ended"));
    exited.resolve({ code: null, signal: "SIGKILL" });
  });
  return { pid: pid.promise, exited: exited.promise };
}
