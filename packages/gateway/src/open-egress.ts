// The network access of one sandbox: a proxy, connections to the addresses of names, and the loopback ports that the
// operator opened. Gets the connections that programs in the sandbox make, and connects them only if the policy allows
// it.

import type { Socket as UdpSocket } from "node:dgram";
import { isIPv4, Server, type Socket } from "node:net";
import { decideEgress, type EgressPolicy } from "@dari/network";
import { createAuthority, type Authority } from "./secrets/create-authority.ts";
import { forward } from "./http/forward-connection.ts";
import { createDeclaredModels, type DeclaredModels } from "./models/declared-models.ts";
import { createModelMeter, type ModelMeter } from "./models/model-meter.ts";
import { serveNames } from "./names/serve-names.ts";
import { createNameTable, isNameAddress, type NameTable } from "./names/name-table.ts";
import { createProxy } from "./http/create-proxy.ts";
import type { EgressSecret } from "./secrets/substitute-secrets.ts";
import { createTerminator, type ModelRules } from "./http/terminate-tls.ts";
import { createTraffic, type EgressOptions } from "./traffic.ts";
import { removeTrust, trustEnvironment, writeTrust } from "./secrets/write-trust.ts";

/** A listening socket, or a UDP socket that gets queries. */
export type EgressServer = Server | UdpSocket;

export interface Egress {
  /** Loopback ports to listen on inside the sandbox. */
  readonly ports: readonly number[];
  /** Addresses that the operator opened, besides loopback. Programs can connect to them without the proxy as well. */
  readonly addresses: readonly string[];
  /** The certificates that the program must trust, if the proxy ends TLS of some hosts. */
  readonly trust: Trust | undefined;
  /** The directory of `trust`. `close` removes the directory, unless it belongs to another egress. */
  readonly trustDir: string | undefined;
  /** The names that the program has asked for. */
  readonly names: NameTable;
  /** Serves connections to `port` in the sandbox, or queries for names. */
  serve(port: number, server: EgressServer): void;
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
/** Gets the connections to the addresses of names; see transparent.h of @dari/native. */
export const transparentPort = 3129;
export const namePort = 53;
const noAddressLeft = "limit reached: the sandbox has used all its addresses for names";
/** Each takes part of a sandbox's start, and of a message of 512 bytes to start.c of @dari/native. */
const addressesMax = 16;
/** The lowest port that a program without capabilities can listen on. */
const firstOpenPort = 1024;

/**
 * Returns what the first program of a sandbox opens (enter.c and template.c of @dari/native). `isTransparent`: whether
 * programs can connect without the proxy. This is first, so that it is there once a later one is.
 */
export function listensOn(
  { ports, addresses }: Pick<Egress, "ports" | "addresses">,
  isTransparent: boolean,
): (number | string)[] {
  if (!isTransparent) return [...ports];
  return [["transparent", ...addresses].join("/"), ...ports.filter((port) => port !== transparentPort)];
}

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
 * Opens an egress, which listens nowhere until `serve` gets a server. `template`: the egress of the template that the
 * program was forked from, which must be open for longer. The program trusts the authority of that egress, and knows
 * the addresses that it gave.
 */
export function openEgress(
  options: EgressOptions,
  slotDir: string,
  template?: Pick<Egress, "trust" | "names">,
): Egress {
  const traffic = createTraffic(options);
  const { secrets = [], trusted } = options;
  const declared = createDeclaredModels(options.models);
  const trust = template === undefined ? openTrust(secrets, declared, slotDir) : template.trust;
  const names = createNameTable(template?.names);
  const meter = createModelMeter(options.onModelRequest, declared);
  const identity = { authority: trust?.authority, trusted };
  const terminator = createTerminator(traffic, secrets, identity, modelRules(options, meter, declared));
  const proxy = createProxy(traffic, terminator);
  const servers = new Set<EgressServer>();
  let isClosed = false;

  /** Connects a client to what it named: the kernel shows that as our address and port. `port`: the server's. */
  function connect(port: number, client: Socket): void {
    const { localAddress: address = "127.0.0.1", localPort = port } = client;
    const name = names.nameOf(address);
    if (name !== undefined || !isNameAddress(address)) {
      return void forward(traffic, terminator, client, { host: name ?? address, port: localPort });
    }
    traffic.refuse({ host: address, port: localPort }, "no name has this address; resolve the name again");
    client.resetAndDestroy();
  }

  function accept(port: number, server: Server): void {
    // Limit connections here, because each takes memory before it sends a request. `traffic` refuses those to names
    // earlier, which is logged.
    server.maxConnections = traffic.connectionsMax * (port === transparentPort ? 2 : 1);
    // Keep a connection open after the client has finished sending, because the client may still receive. Read from a
    // client only once its destination is connected; the proxy must read to learn it.
    Object.assign(server, { allowHalfOpen: true, pauseOnConnect: port !== proxyPort });
    server.on("connection", (client: Socket) => {
      traffic.hold(client);
      if (port === proxyPort) proxy.emit("connection", client);
      else connect(port, client);
    });
  }

  return {
    ports: [proxyPort, ...loopbackPorts(options.policy)],
    addresses: openAddresses(options.policy),
    trust,
    trustDir: trust?.dir,
    names,
    serve(port, server) {
      if (isClosed) return void server.close();
      servers.add(server);
      server.on("error", () => {});
      if (server instanceof Server) accept(port, server);
      else serveNames(server, names, (host) => traffic.refuse({ host, port }, noAddressLeft));
    },
    settle() {
      meter.settle();
      traffic.settle();
    },
    close() {
      isClosed = true;
      meter.settle();
      for (const server of servers) server.close();
      servers.clear();
      traffic.close();
      if (template === undefined && trust !== undefined) removeTrust(trust.dir);
    },
  };
}

function modelRules(options: EgressOptions, meter: ModelMeter, declared: DeclaredModels): ModelRules {
  return {
    meter,
    declared,
    gate: () => options.modelGate?.(),
    answerRecorder: () => options.findAnswerRecorder?.(),
    waiting: { held: { count: 0 }, reading: Promise.resolve() },
  };
}

/** Creates the authority and its certificate files. Returns undefined if no TLS ends here. */
function openTrust(secrets: readonly EgressSecret[], declared: DeclaredModels, slotDir: string): Trust | undefined {
  const names = [...secrets.flatMap(({ hosts }) => hosts.map(({ name }) => name)), ...declared.secureNames];
  if (names.length === 0) return undefined;
  const authority = createAuthority([...new Set(names)]);
  return { authority, dir: writeTrust(authority.certificate, slotDir) };
}

/** Returns IPv4 addresses of endpoints. More than the maximum are reached through the proxy only. */
function openAddresses(policy: EgressPolicy): string[] {
  const addresses = policy.rules.flatMap((rule) =>
    rule.kind === "endpoint" && isIPv4(rule.address) && !/^(0|127)\./.test(rule.address) && isOpen(policy, rule)
      ? [rule.address]
      : [],
  );
  return [...new Set(addresses)].slice(0, addressesMax);
}

function isOpen(policy: EgressPolicy, { address, port }: { address: string; port: number }): boolean {
  return decideEgress(policy, address, port).allowed;
}

function loopbackPorts(policy: EgressPolicy): number[] {
  const ports = policy.rules.flatMap((rule) =>
    rule.kind === "endpoint" && rule.address === "127.0.0.1" ? [rule.port] : [],
  );
  const address = "127.0.0.1";
  return [...new Set(ports)].filter(
    (port) => port !== proxyPort && port >= firstOpenPort && isOpen(policy, { address, port }),
  );
}
