// The network access of one sandbox: a proxy, and the loopback ports that the operator opened. It gets connections that
// were made inside the sandbox, and opens only those that the policy allows.

import type { Server, Socket } from "node:net";
import { decideEgress, type EgressPolicy } from "@dari/network";
import { createAuthority, type Authority } from "./authority.ts";
import { createProxy } from "./proxy.ts";
import { createTerminator } from "./terminator.ts";
import { createTraffic, type EgressOptions } from "./traffic.ts";
import { removeTrust, trustEnvironment, writeTrust } from "./trust.ts";

export interface Egress {
  /** Loopback ports to listen on inside the sandbox. */
  readonly ports: readonly number[];
  /** The certificates that the program must trust, if there are secrets. */
  readonly trust: Trust | undefined;
  /** The directory of `trust`. `close` removes it, unless it belongs to another egress. */
  readonly trustDir: string | undefined;
  /** Serves connections to `port` in the sandbox. */
  serve(port: number, server: Server): void;
  /** Ends a turn, which another may follow: reports what was transferred so far, and counts from zero. */
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
/** Lower ports need a capability. */
const firstOpenPort = 1024;

/**
 * Returns the variables that name the proxy and the trusted certificates. The guest makes Node use the former.
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
 * Listens on nothing until `serve` gets a server. `slotDir`: of the sandbox. `lent`: certificates of another egress
 * with the same secrets that is open for longer: a program that was started there trusts that one's authority.
 */
export function openEgress(options: EgressOptions, slotDir: string, lent?: Trust): Egress {
  const traffic = createTraffic(options);
  const trust = lent ?? openTrust(options, slotDir);
  const { secrets = [], trusted } = options;
  const terminator = trust === undefined ? undefined : createTerminator(traffic, secrets, trust.authority, trusted);
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
      // An accepted connection costs memory before it becomes a request.
      server.maxConnections = traffic.connectionsMax;
      // A client that has finished sending may still receive.
      Object.assign(server, { allowHalfOpen: true });
      server.on("connection", (client: Socket) => {
        traffic.hold(client);
        if (port === proxyPort) proxy.emit("connection", client);
        else void forwardLoopback(client, port);
      });
    },
    settle: () => traffic.settle(),
    close() {
      isClosed = true;
      for (const server of servers) server.close();
      traffic.close();
      if (lent === undefined && trust !== undefined) removeTrust(trust.dir);
    },
  };
}

/** Undefined without secrets. */
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
