// The network access of one sandbox: a proxy, and the loopback ports that the operator opened. Gets the connections
// that programs in the sandbox make, and connects them only if the policy allows it.

import type { Server, Socket } from "node:net";
import { decideEgress, type EgressPolicy } from "@dari/network";
import { createAuthority, type Authority } from "./authority.ts";
import { createModelMeter } from "./models/model-meter.ts";
import { createProxy } from "./proxy.ts";
import { createTerminator } from "./terminator.ts";
import { createTraffic, type EgressOptions } from "./traffic.ts";
import { removeTrust, trustEnvironment, writeTrust } from "./trust.ts";

export interface Egress {
  /** Loopback ports to listen on inside the sandbox. */
  readonly ports: readonly number[];
  /** The certificates that the program must trust, if there are secrets. */
  readonly trust: Trust | undefined;
  /** The directory of `trust`. `close` removes the directory, unless it belongs to another egress. */
  readonly trustDir: string | undefined;
  /** Serves connections to `port` in the sandbox. */
  serve(port: number, server: Server): void;
  /** Ends a turn, after which another may follow: reports bytes and tokens so far, and counts from zero again. */
  settle(): void;
  /** Closes every connection. Idempotent. */
  close(): void;
}

export interface Trust {
  readonly authority: Authority;
  /** A directory that the program must be able to read. */
  readonly dir: string;
}

export const proxyPort = 3128;
/** The lowest port that a program without capabilities can listen on. */
const firstOpenPort = 1024;

/**
 * Returns the variables that name the proxy and the trusted certificates. The guest makes Node use the proxy.
 * `trustDir`: the path inside the sandbox.
 */
export function egressEnvironment(port = proxyPort, trustDir?: string): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  // Bypasses the proxy for the program's own servers, and for ports that the operator opened.
  const direct = "localhost,127.0.0.1,::1";
  const variables = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: direct };
  const lower = Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value] as const);
  return { ...variables, ...Object.fromEntries(lower), ...(trustDir === undefined ? {} : trustEnvironment(trustDir)) };
}

/**
 * Opens an egress, which listens nowhere until `serve` gets a server. `slotDir`: the sandbox's slot. `lent`: the
 * certificates of another egress with the same secrets, which must be open for longer. A program that was forked from a
 * template trusts the authority of the template's egress.
 */
export function openEgress(options: EgressOptions, slotDir: string, lent?: Trust): Egress {
  const traffic = createTraffic(options);
  const trust = lent ?? openTrust(options, slotDir);
  const { secrets = [], trusted } = options;
  const meter = createModelMeter(options.onModelRequest);
  const models = {
    meter,
    gate: () => options.modelGate?.(),
    waiting: { held: { count: 0 }, reading: Promise.resolve() },
  };
  const terminator = trust && createTerminator(traffic, secrets, trust.authority, trusted, models);
  const proxy = createProxy(traffic, terminator);
  const servers = new Set<Server>();
  let isClosed = false;

  async function forwardLoopback(client: Socket, port: number): Promise<void> {
    try {
      traffic.join(client, await traffic.open({ host: "127.0.0.1", port }));
    } catch {
      client.destroy();
    }
  }

  return {
    ports: [proxyPort, ...loopbackPorts(options.policy)],
    trust,
    trustDir: trust?.dir,
    serve(port, server) {
      if (isClosed) return void server.close();
      servers.add(server);
      server.on("error", () => {});
      // Limit connections here, because each takes memory before it sends a request.
      server.maxConnections = traffic.connectionsMax;
      // Keep a connection open after the client has finished sending, because the client may still receive.
      Object.assign(server, { allowHalfOpen: true });
      server.on("connection", (client: Socket) => {
        traffic.hold(client);
        if (port === proxyPort) proxy.emit("connection", client);
        else void forwardLoopback(client, port);
      });
    },
    settle() {
      meter.settle();
      traffic.settle();
    },
    close() {
      isClosed = true;
      meter.settle();
      for (const server of servers) server.close();
      traffic.close();
      if (lent === undefined && trust !== undefined) removeTrust(trust.dir);
    },
  };
}

/** Creates the authority and its certificate files. Returns undefined if there are no secrets. */
function openTrust({ secrets = [] }: EgressOptions, slotDir: string): Trust | undefined {
  if (secrets.length === 0) return undefined;
  const authority = createAuthority([...new Set(secrets.flatMap(({ hosts }) => hosts.map(({ name }) => name)))]);
  return { authority, dir: writeTrust(authority.certificate, slotDir) };
}

function loopbackPorts(policy: EgressPolicy): number[] {
  const ports = policy.rules.flatMap((rule) =>
    rule.kind === "endpoint" && rule.address === "127.0.0.1" ? [rule.port] : [],
  );
  const isOpen = (port: number): boolean => decideEgress(policy, "127.0.0.1", port).allowed;
  return [...new Set(ports)].filter((port) => port !== proxyPort && port >= firstOpenPort && isOpen(port));
}
