// The connections of one sandbox: opened as the policy allows, counted, told of, and ended together.

import type { Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import { dial, EgressRefusedError, resolveName, type Resolve } from "./dial.ts";
import type { EgressPolicy } from "./policy.ts";

/** What came of one attempt to connect, told when it is over. */
export interface EgressRecord {
  readonly host: string;
  readonly port: number;
  readonly verdict: "connected" | "refused" | "failed";
  /** Why it was refused or failed; empty for what was connected. */
  readonly reason: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface EgressOptions {
  readonly policy: EgressPolicy;
  /** Open at once; more are refused. Default 256. */
  readonly connectionsMax?: number;
  /** Both ways together; past it all is closed. Default 64 GiB. */
  readonly bytesMax?: number;
  /** Default: the machine's name servers. */
  readonly resolve?: Resolve;
  /** Called once per attempt; must not throw. */
  onConnection?(record: EgressRecord): void;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Traffic {
  readonly connectionsMax: number;
  /** From now on the socket ends with the traffic. */
  hold(socket: Duplex): void;
  /** @throws like `dial` */
  open(target: Target): Promise<Socket>;
  count(chunk: Buffer): void;
  /** Carries bytes both ways until either end is over. */
  join(client: Duplex, upstream: Socket): void;
  close(): void;
}

const idleMs = 15 * 60_000;
const hostCharsMax = 255;

export function createTraffic(options: EgressOptions): Traffic {
  const { policy, connectionsMax = 256, bytesMax = 64 * 1024 ** 3, resolve = resolveName } = options;
  const sockets = new Set<Duplex>();
  let bytes = 0;
  let connections = 0;
  let isClosed = false;

  function hold(socket: Duplex): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    if (isClosed) socket.destroy();
  }

  async function open({ host, port }: Target): Promise<Socket> {
    const report = (record: Omit<EgressRecord, "host" | "port">): void =>
      options.onConnection?.({ host: host.slice(0, hostCharsMax), port, ...record });
    let upstream: Socket;
    connections += 1;
    try {
      if (connections > connectionsMax) throw new EgressRefusedError(`${connectionsMax} connections are open already`);
      if (bytes > bytesMax) throw new EgressRefusedError("this turn has used up its traffic");
      upstream = await dial(policy, host, port, resolve);
    } catch (error) {
      connections -= 1;
      const verdict = error instanceof EgressRefusedError ? "refused" : "failed";
      report({ verdict, reason: (error as Error).message, bytesSent: 0, bytesReceived: 0 });
      throw error;
    }
    upstream.setTimeout(idleMs, () => upstream.destroy());
    upstream.once("close", () => {
      connections -= 1;
      const { bytesWritten: bytesSent, bytesRead: bytesReceived } = upstream;
      report({ verdict: "connected", reason: "", bytesSent, bytesReceived });
    });
    hold(upstream);
    return upstream;
  }

  function count(chunk: Buffer): void {
    bytes += chunk.length;
    if (bytes > bytesMax) for (const socket of sockets) socket.destroy();
  }

  function join(client: Duplex, upstream: Socket): void {
    client.on("data", count);
    upstream.on("data", count);
    pipeline(client, upstream, client, () => {
      client.destroy();
      upstream.destroy();
    });
  }

  function close(): void {
    isClosed = true;
    for (const socket of sockets) socket.destroy();
  }
  return { connectionsMax, hold, open, count, join, close };
}
