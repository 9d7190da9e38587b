// The connections of one sandbox. Opens them if the policy allows it, counts their bytes, reports them, and closes them
// together.

import type { Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import type { DeclaredModel } from "@dari/domain";
import { dial, EgressRefusedError, resolveName, publicReason, type EgressPolicy, type Resolve } from "@dari/network";
import type { ModelGate } from "./models/model-gate.ts";
import type { AnswerRecorder } from "./models/answer-recorder.ts";
import type { ModelRequest } from "./models/model-meter.ts";
import type { EgressSecret } from "./secrets/substitute-secrets.ts";

/** The result of one attempt to connect, reported when the connection or its turn is over. */
export interface EgressRecord {
  readonly host: string;
  readonly port: number;
  readonly verdict: "connected" | "refused" | "failed";
  /** Why it was refused or failed, for the tenant; empty if it was connected. */
  readonly reason: string;
  /** The system's error, including addresses. */
  readonly cause?: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface EgressOptions {
  readonly policy: EgressPolicy;
  /** Maximum number of open connections; more are refused (default: 256). */
  readonly connectionsMax?: number;
  /** Maximum number of bytes in both directions in one turn. Above it, all connections are closed (default: 64 GiB). */
  readonly bytesMax?: number;
  /** Secrets for which the program has placeholders. The proxy inserts the values. */
  readonly secrets?: readonly EgressSecret[];
  /** Hosts of models besides the known ones, which are metered with or without a secret. */
  readonly models?: readonly DeclaredModel[];
  /** Root certificates for the hosts of secrets, in PEM (default: the root certificates of this process). */
  readonly trusted?: readonly string[];
  /** Resolves host names (default: with the machine's name servers). */
  readonly resolve?: Resolve;
  /** Called once per attempt, and once per turn in which an open connection transferred something. Must not throw. */
  onConnection?(record: EgressRecord): void;
  /**
   * Called when a request to a model begins, if the model's host is one of a secret or of `models`. Only these requests
   * can be read. Must not throw.
   */
  onModelRequest?(request: ModelRequest): void;
  /** Returns what decides whether a metered request may go out. Undefined: it may. */
  modelGate?(): ModelGate | undefined;
  /**
   * Returns what records the answers to those requests, for the turn that the program serves now. Undefined: nothing
   * does. Must not throw.
   */
  findAnswerRecorder?(): AnswerRecorder | undefined;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Traffic {
  readonly connectionsMax: number;
  /** Adds a socket, which `close` closes. */
  hold(socket: Duplex): void;
  /** Reports an attempt that is refused before the policy is asked. */
  refuse(target: Target, reason: string): void;
  /** Opens a connection. @throws like `dial` */
  open(target: Target): Promise<Socket>;
  /** Like `open`, but the attempt also fails if `secure` fails. */
  openSecured<S>(target: Target, secure: (plain: Socket) => Promise<S>): Promise<S>;
  /** Adds a transferred piece to the turn's bytes. */
  count(chunk: Buffer): void;
  /** Transfers bytes in both directions until either end closes. */
  join(client: Duplex, upstream: Socket): void;
  /** Ends a turn: reports the bytes of its open connections, and starts counting again. */
  settle(): void;
  /** Closes all connections. */
  close(): void;
}

const idleMs = 15 * 60_000;
const hostCharsMax = 255;

export function createTraffic(options: EgressOptions): Traffic {
  const { policy, connectionsMax = 256, bytesMax = 64 * 1024 ** 3, resolve = resolveName } = options;
  const sockets = new Set<Duplex>();
  const reporters = new Set<() => void>();
  let bytes = 0;
  let connections = 0;
  let isClosed = false;

  function hold(socket: Duplex): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    if (isClosed) socket.destroy();
  }

  async function openSecured<S>({ host, port }: Target, secure: (plain: Socket) => Promise<S>): Promise<S> {
    const report = (record: ConnectionResult): void =>
      options.onConnection?.({ host: host.slice(0, hostCharsMax), port, ...record });
    let plain: Socket | undefined;
    connections += 1;
    try {
      if (connections > connectionsMax)
        throw new EgressRefusedError(`limit reached: ${connectionsMax} open connections; close some`);
      if (bytes > bytesMax) throw new EgressRefusedError(`limit reached: ${bytesMax} bytes in this turn`);
      plain = await dial(policy, host, port, resolve);
      hold(plain);
      const secured = await secure(plain);
      reportWhenOver(plain);
      return secured;
    } catch (error) {
      plain?.destroy();
      connections -= 1;
      report(whatFailed(error as Error));
      throw error;
    }

    function reportWhenOver(upstream: Socket): void {
      upstream.setTimeout(idleMs, () => upstream.destroy());
      const reportBytes = createReporter(upstream, report);
      const over = (): void => {
        connections -= 1;
        reporters.delete(reportBytes);
        reportBytes();
      };
      reporters.add(reportBytes);
      if (upstream.destroyed) over();
      else upstream.once("close", over);
    }
  }

  function count(chunk: Buffer): void {
    bytes += chunk.length;
    if (bytes > bytesMax) for (const socket of sockets) socket.destroy();
  }

  function settle(): void {
    for (const reportBytes of reporters) reportBytes();
    bytes = 0;
  }

  function close(): void {
    isClosed = true;
    for (const socket of sockets) socket.destroy();
  }
  const open = (target: Target): Promise<Socket> => openSecured(target, (plain) => Promise.resolve(plain));
  const refuse = (target: Target, reason: string): void =>
    options.onConnection?.({ ...target, ...whatFailed(new EgressRefusedError(reason)) });
  const join = (client: Duplex, upstream: Socket): void => transfer(client, upstream, count);
  return { connectionsMax, hold, refuse, open, openSecured, count, join, settle, close };
}

/** The result of one attempt to connect. */
type ConnectionResult = Omit<EgressRecord, "host" | "port">;

function whatFailed(error: Error): ConnectionResult {
  const verdict = error instanceof EgressRefusedError ? "refused" : "failed";
  const [reason, cause] = [publicReason(error), error.message];
  return { verdict, reason, ...(cause === reason ? {} : { cause }), bytesSent: 0, bytesReceived: 0 };
}

/** Returns a function that reports the bytes since its last call. The first call always reports. */
function createReporter(upstream: Socket, report: (result: ConnectionResult) => void): () => void {
  let reported: { readonly sent: number; readonly received: number } | undefined;
  return () => {
    const { bytesWritten: sent, bytesRead: received } = upstream;
    const [bytesSent, bytesReceived] = [sent - (reported?.sent ?? 0), received - (reported?.received ?? 0)];
    if (reported !== undefined && bytesSent + bytesReceived === 0) return;
    reported = { sent, received };
    report({ verdict: "connected", reason: "", bytesSent, bytesReceived });
  };
}

function transfer(client: Duplex, upstream: Socket, count: (chunk: Buffer) => void): void {
  client.on("data", count);
  upstream.on("data", count);
  pipeline(client, upstream, client, () => {
    client.destroy();
    upstream.destroy();
  });
}
