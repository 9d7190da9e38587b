// Terminates TLS of tunnels to hosts that a secret is for, so that real values can be inserted. Each tunnel has one
// connection to its host, whose certificate is verified as clients do. HTTP/1.1, including WebSockets.

import { once } from "node:events";
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { isIP, type Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import { connect as connectTls, TLSSocket } from "node:tls";
import { normalizeHost, UntrustedHostError } from "@dari/network";
import type { Authority } from "./authority.ts";
import { sendAnswer, relayResponse, requestHeaders, withoutHeaders } from "./relay.ts";
import { secretsForHost, insertSecrets, type EgressSecret } from "./substitute.ts";
import type { Target, Traffic } from "./traffic.ts";

export interface Terminator {
  /** Returns whether TLS to the target ends here. */
  isFor(target: Target): boolean;
  /** Opens a connection to a host that has proved its identity. @throws like `Traffic.open`; UntrustedHostError */
  open(target: Target): Promise<TLSSocket>;
  /** Serves the tunnel, which uses TLS from now on. `head`: what was already received from it. */
  take(client: Socket, head: Buffer, target: Target, upstream: TLSSocket): void;
}

interface Tunnel {
  readonly host: string;
  readonly agent: Agent;
  readonly secrets: readonly EgressSecret[];
  readonly upstream: TLSSocket;
  /** Requests without a complete response. */
  open: number;
}

/** A client that sends more requests without waiting for responses is disconnected, because each takes memory. */
const openRequestsMax = 4;
/** Maximum length of a request's headers after substitution. No server accepts more, so it is not sent. */
const headerCharsMax = 80 * 1024;
const handshakeWithinMs = 15_000;
const protocols = ["http/1.1"];

export function createTerminator(
  traffic: Traffic,
  secrets: readonly EgressSecret[],
  authority: Authority,
  trusted: readonly string[] | undefined,
): Terminator {
  const tunnels = new WeakMap<Duplex, Tunnel>();
  // A request can take as long as its turn, and the traffic closes idle connections. Upgrades other than WebSockets are
  // treated as ordinary requests.
  const options = { requestTimeout: 0, keepAliveTimeout: 0, shouldUpgradeCallback: isWebSocket };
  const server = createServer(options, (incoming, response) => {
    serve(traffic, tunnels.get(incoming.socket)!, incoming, response);
  });
  server.on("upgrade", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    upgrade(traffic, tunnels.get(client)!, incoming, client, head);
  });
  server.on("clientError", (_error, client) => client.destroy());
  const secretsOf = ({ host, port }: Target): EgressSecret[] => secretsForHost(secrets, normalizeHost(host), port);
  return {
    isFor: (target) => isIP(normalizeHost(target.host)) === 0 && secretsOf(target).length > 0,
    open: (target) => traffic.openSecured(target, (plain) => verified(plain, normalizeHost(target.host), trusted)),
    take(client, head, target, upstream) {
      if (client.destroyed) return void upstream.destroy();
      const name = normalizeHost(target.host);
      if (head.length > 0) client.unshift(head);
      const secureContext = authority.contextFor(name);
      const inner = new TLSSocket(client, { isServer: true, secureContext, ALPNProtocols: protocols });
      const host = target.port === 443 ? name : `${name}:${target.port}`;
      const agent = new OneConnection(upstream);
      const tunnel: Tunnel = { host, agent, secrets: secretsOf(target), upstream, open: 0 };
      tunnels.set(inner, tunnel);
      for (const socket of [inner, upstream]) {
        traffic.hold(socket);
        socket.setNoDelay(true);
        // TLS, HTTP and the joining of two sockets each add listeners.
        socket.setMaxListeners(32);
      }
      inner.once("close", () => {
        agent.destroy();
        upstream.destroy();
      });
      upstream.once("close", () => {
        if (tunnel.open === 0) inner.end();
      });
      server.emit("connection", inner);
    },
  };
}

/** Always returns the given connection while it is open. */
class OneConnection extends Agent {
  #socket: TLSSocket | undefined;

  constructor(socket: TLSSocket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(_options: object, done?: (error: Error | null, socket: Duplex) => void): undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    const isOver = socket === undefined || socket.destroyed;
    done?.(isOver ? new Error("the connection is over") : null, socket as Duplex);
  }
}

async function verified(plain: Socket, name: string, trusted: readonly string[] | undefined): Promise<TLSSocket> {
  const ca = trusted === undefined ? {} : { ca: [...trusted] };
  const to = { socket: plain, servername: name, host: name, ALPNProtocols: protocols };
  // Even if the worker's environment allows unauthorized ones.
  const secured = connectTls({ ...to, rejectUnauthorized: true, ...ca });
  secured.setTimeout(handshakeWithinMs, () => secured.destroy(new Error("its TLS did not begin in time")));
  try {
    await once(secured, "secureConnect");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UntrustedHostError(`its TLS cannot be trusted: ${code ?? message}`);
  }
  secured.setTimeout(0);
  return secured;
}

function serve(traffic: Traffic, tunnel: Tunnel, incoming: IncomingMessage, response: ServerResponse): void {
  // Node removes it from the request once that is over.
  const { socket } = incoming;
  if (tunnel.open >= openRequestsMax) return void socket.destroy();
  tunnel.open += 1;
  response.once("close", () => {
    tunnel.open -= 1;
    if (tunnel.upstream.destroyed) socket.end();
  });
  const refusal = refusalOf(incoming);
  if (refusal !== undefined) return sendAnswer(response, ...refusal);
  const headers = headersOf(tunnel, withoutHeaders(incoming.headers, requestHeaders));
  if (charsOf(headers) > headerCharsMax)
    return sendAnswer(response, 431, "the headers are too large with their values");
  try {
    // A broken connection closes the other one, as without a proxy, so clients notice it.
    const onBroken = (): void => void socket.destroy();
    relayResponse(traffic, incoming, response, { agent: tunnel.agent, path: incoming.url, headers }, onBroken);
  } catch {
    sendAnswer(response, 502, "the sandbox's proxy cannot send the value of a credential in a header");
  }
}

/** Returns undefined for a request that is forwarded. */
function refusalOf({ method, url = "" }: IncomingMessage): [status: number, text: string] | undefined {
  // A server's answer to TRACE contains the headers that it got.
  if (method === "TRACE") return [405, "TRACE is not carried on"];
  // An absolute URL names a host, and servers trust it more than the header.
  if (!url.startsWith("/") && !(method === "OPTIONS" && url === "*")) return [400, "expected a path, not a whole URL"];
  return undefined;
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/** The host is the verified one, whatever the program says: other hosts may have the same address. */
function headersOf({ host, secrets }: Tunnel, headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  return { ...insertSecrets(headers, secrets), host };
}

function charsOf(headers: IncomingMessage["headers"]): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
}

/**
 * Waits for the host's response before it reads from `client`. Disconnects a client that sends data or closes earlier.
 */
function upgrade(traffic: Traffic, tunnel: Tunnel, incoming: IncomingMessage, client: Socket, head: Buffer): void {
  const headers = headersOf(tunnel, withoutHeaders(incoming.headers, notUpgraded));
  const isRefused = refusalOf(incoming) !== undefined || charsOf(headers) > headerCharsMax;
  if (isRefused || head.length > 0 || tunnel.open >= openRequestsMax) return void client.destroy();
  tunnel.open += 1;
  const cut = (): void => void client.destroy();
  client.on("data", cut).on("end", cut);
  try {
    const sent = httpRequest({ agent: tunnel.agent, path: incoming.url, headers, setHost: false });
    sent.once("upgrade", (received, upstream, upstreamHead) => {
      client.off("data", cut).off("end", cut).pause();
      client.write(headOf(received, []));
      client.write(upstreamHead);
      traffic.join(client, upstream as Socket);
    });
    sent.once("response", (received) => {
      client.write(headOf(received, ["connection", "transfer-encoding"]));
      received.on("data", (chunk: Buffer) => traffic.count(chunk));
      pipeline(received, client, cut);
    });
    sent.on("error", cut);
    sent.end();
  } catch {
    client.destroy();
  }
}

/** Headers that are not forwarded with an upgrade, which has no body. */
const notUpgraded = [
  "proxy-connection",
  "proxy-authorization",
  "content-length",
  "transfer-encoding",
  "expect",
  "trailer",
];

function headOf(received: IncomingMessage, left: readonly string[]): string {
  const lines = [`HTTP/1.1 ${received.statusCode} ${received.statusMessage}`];
  for (let at = 0; at < received.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = received.rawHeaders.slice(at, at + 2);
    if (!left.includes(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  if (left.includes("connection")) lines.push("connection: close");
  return `${lines.join("\r\n")}\r\n\r\n`;
}
