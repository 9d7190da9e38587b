// The connections of one sandbox: opened as the policy allows, counted, reported, and closed together.

import type { Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import { dial, EgressRefusedError, resolveName, publicReason, type EgressPolicy, type Resolve } from "@dari/network";
import type { EgressSecret } from "./substitute.ts";

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
  /** Maximum number of bytes of both directions in one turn; above it all are closed (default: 64 GiB). */
  readonly bytesMax?: number;
  /** Secrets of which the program has placeholders. The proxy inserts the values. */
  readonly secrets?: readonly EgressSecret[];
  /** Root certificates for hosts of secrets, in PEM (default: those of this process). */
  readonly trusted?: readonly string[];
  /** Default: the machine's name servers. */
  readonly resolve?: Resolve;
  /** Called once per attempt, and once per turn in which an open connection transferred something. Must not throw. */
  onConnection?(record: EgressRecord): void;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Traffic {
  readonly connectionsMax: number;
  /** From now on the socket is closed with the traffic. */
  hold(socket: Duplex): void;
  /** @throws like `dial` */
  open(target: Target): Promise<Socket>;
  /** Like `open`, but the attempt also fails if `secure` fails. */
  openSecured<S>(target: Target, secure: (plain: Socket) => Promise<S>): Promise<S>;
  count(chunk: Buffer): void;
  /** Transfers bytes in both directions until either end closes. */
  join(client: Duplex, upstream: Socket): void;
  /** Ends a turn: reports the bytes of its open connections, and starts counting again. */
  settle(): void;
  close(): void;
}

const idleMs = 15 * 60_000;
const hostCharsMax = 255;

export function createTraffic(options: EgressOptions): Traffic {
  const { policy, connectionsMax = 256, bytesMax = 64 * 1024 ** 3, resolve = resolveName } = options;
  const sockets = new Set<Duplex>();
  const tellers = new Set<() => void>();
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
      if (connections > connectionsMax) throw new EgressRefusedError(`${connectionsMax} connections are open already`);
      if (bytes > bytesMax) throw new EgressRefusedError("this turn has used up its traffic");
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
      const tell = tellerOf(upstream, report);
      const over = (): void => {
        connections -= 1;
        tellers.delete(tell);
        tell();
      };
      tellers.add(tell);
      if (upstream.destroyed) over();
      else upstream.once("close", over);
    }
  }

  function count(chunk: Buffer): void {
    bytes += chunk.length;
    if (bytes > bytesMax) for (const socket of sockets) socket.destroy();
  }

  function settle(): void {
    for (const tell of tellers) tell();
    bytes = 0;
  }

  function close(): void {
    isClosed = true;
    for (const socket of sockets) socket.destroy();
  }
  const open = (target: Target): Promise<Socket> => openSecured(target, (plain) => Promise.resolve(plain));
  const join = (client: Duplex, upstream: Socket): void => carry(client, upstream, count);
  return { connectionsMax, hold, open, openSecured, count, join, settle, close };
}

/** The result of one attempt to connect. */
type ConnectionResult = Omit<EgressRecord, "host" | "port">;

function whatFailed(error: Error): ConnectionResult {
  const verdict = error instanceof EgressRefusedError ? "refused" : "failed";
  const [reason, cause] = [publicReason(error), error.message];
  return { verdict, reason, ...(cause === reason ? {} : { cause }), bytesSent: 0, bytesReceived: 0 };
}

/** Each call reports what was transferred since the last one. The first call always reports. */
function tellerOf(upstream: Socket, report: (result: ConnectionResult) => void): () => void {
  let told: { readonly sent: number; readonly received: number } | undefined;
  return () => {
    const { bytesWritten: sent, bytesRead: received } = upstream;
    const [bytesSent, bytesReceived] = [sent - (told?.sent ?? 0), received - (told?.received ?? 0)];
    if (told !== undefined && bytesSent + bytesReceived === 0) return;
    told = { sent, received };
    report({ verdict: "connected", reason: "", bytesSent, bytesReceived });
  };
}

function carry(client: Duplex, upstream: Socket, count: (chunk: Buffer) => void): void {
  client.on("data", count);
  upstream.on("data", count);
  pipeline(client, upstream, client, () => {
    client.destroy();
    upstream.destroy();
  });
}
