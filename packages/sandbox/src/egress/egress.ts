// The way out of one sandbox: a proxy, and the loopback ports that the operator opened. It is given connections that
// were made inside the sandbox; it opens none of its own but to what the policy allows.

import type { Server, Socket } from "node:net";
import { decide, type EgressPolicy } from "@dari/network";
import { createAuthority, type Authority } from "./authority.ts";
import { createProxy } from "./proxy.ts";
import { createTerminator } from "./terminator.ts";
import { createTraffic, type EgressOptions } from "./traffic.ts";
import { removeTrust, trustEnvironment, writeTrust } from "./trust.ts";

export interface Egress {
  /** Ports of the sandbox's loopback to listen on. */
  readonly ports: readonly number[];
  /** Where there are secrets: whom the program must believe. */
  readonly trust: Trust | undefined;
  /** The directory of `trust`. `close` removes it, unless it was lent. */
  readonly trustDir: string | undefined;
  /** Serves what is connected to `port` there. */
  serve(port: number, server: Server): void;
  /** A turn is over, and another may follow: what was carried until now is told of, and counts no more. */
  settle(): void;
  /** Ends every connection. Idempotent. */
  close(): void;
}

export interface Trust {
  readonly authority: Authority;
  /** A directory that the program must be able to read. */
  readonly dir: string;
}

export const proxyPort = 3128;
/** Lower ones cannot be listened on without a capability. */
const firstOpenPort = 1024;

/**
 * The variables by which programs find the proxy, and whom they believe. That Node looks at the former is for the
 * program to see to. `trustDir`: as the program sees it.
 */
export function egressEnvironment(port = proxyPort, trustDir?: string): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  // Servers of the program's own are reached directly, and so is what the operator opened.
  const direct = "localhost,127.0.0.1,::1";
  const variables = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: direct };
  const lower = Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value] as const);
  return { ...variables, ...Object.fromEntries(lower), ...(trustDir === undefined ? {} : trustEnvironment(trustDir)) };
}

/**
 * Nothing is listened on until `serve` is given a server. `slotDir`: of the sandbox. `lent`: of another egress with the
 * same secrets, which is open for longer: a program that was started there believes that one's authority.
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
      // An accepted connection costs memory before it is a request.
      server.maxConnections = traffic.connectionsMax;
      // A client that has said all may still listen.
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

/** There is none without secrets. */
function openTrust({ secrets = [] }: EgressOptions, slotDir: string): Trust | undefined {
  if (secrets.length === 0) return undefined;
  const authority = createAuthority([...new Set(secrets.flatMap(({ hosts }) => hosts.map(({ name }) => name)))]);
  return { authority, dir: writeTrust(authority.certificate, slotDir) };
}

function loopbackPorts(policy: EgressPolicy): number[] {
  const ports = policy.rules.flatMap((rule) =>
    rule.kind === "endpoint" && rule.address === "127.0.0.1" ? [rule.port] : [],
  );
  const isOpen = (port: number): boolean => decide(policy, "127.0.0.1", port).allowed;
  return [...new Set(ports)].filter((port) => port !== proxyPort && port >= firstOpenPort && isOpen(port));
}
