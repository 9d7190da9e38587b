// Tunnels whose TLS ends here, so that real values can be put in: those to hosts that a secret is for. Each has one
// connection to its host, whose certificate is verified as clients do; HTTP/1.1, WebSockets included.

import { once } from "node:events";
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, TLSSocket } from "node:tls";
import type { Authority } from "./authority.ts";
import { normalHost } from "./policy.ts";
import { answer, relay, requestHeaders, without } from "./relay.ts";
import { secretsFor, substitute, type EgressSecret } from "./substitute.ts";
import type { Target, Traffic } from "./traffic.ts";

export interface Terminator {
  /** Whether TLS to it ends here. */
  isFor(target: Target): boolean;
  /** A connection whose other end has proved that it is the host. @throws like `Traffic.open`; UntrustedHostError */
  open(target: Target): Promise<TLSSocket>;
  /** Serves the tunnel, which from now on is spoken to in TLS. `head`: what came of it already. */
  take(client: Socket, head: Buffer, target: Target, upstream: TLSSocket): void;
}

/** The message says what is wrong with the host's certificate. */
export class UntrustedHostError extends Error {
  override readonly name = "UntrustedHostError";
}

interface Tunnel {
  readonly host: string;
  readonly agent: Agent;
  readonly secrets: readonly EgressSecret[];
  readonly upstream: TLSSocket;
  isBusy: boolean;
}

const handshakeWithinMs = 15_000;
const protocols = ["http/1.1"];

export function createTerminator(
  traffic: Traffic,
  secrets: readonly EgressSecret[],
  authority: Authority,
  trusted: readonly string[] | undefined,
): Terminator {
  const tunnels = new WeakMap<Duplex, Tunnel>();
  // A request may take as long as its turn; whoever is idle is noticed by the traffic.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (incoming, response) => {
    serve(traffic, tunnels.get(incoming.socket)!, incoming, response);
  });
  server.on("upgrade", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    upgrade(traffic, tunnels.get(client)!, incoming, client, head);
  });
  server.on("clientError", (_error, client) => client.destroy());
  const secretsOf = ({ host, port }: Target): EgressSecret[] => secretsFor(secrets, normalHost(host), port);
  return {
    isFor: (target) => isIP(normalHost(target.host)) === 0 && secretsOf(target).length > 0,
    open: (target) => traffic.openSecured(target, (plain) => verified(plain, normalHost(target.host), trusted)),
    take(client, head, target, upstream) {
      if (client.destroyed) return void upstream.destroy();
      const name = normalHost(target.host);
      if (head.length > 0) client.unshift(head);
      const secureContext = authority.contextFor(name);
      const inner = new TLSSocket(client, { isServer: true, secureContext, ALPNProtocols: protocols });
      const host = target.port === 443 ? name : `${name}:${target.port}`;
      const agent = new OneConnection(upstream);
      const tunnel: Tunnel = { host, agent, secrets: secretsOf(target), upstream, isBusy: false };
      tunnels.set(inner, tunnel);
      for (const socket of [inner, upstream]) {
        traffic.hold(socket);
        socket.setNoDelay(true);
        // TLS, HTTP and what joins two sockets each look at it.
        socket.setMaxListeners(32);
      }
      inner.once("close", () => {
        agent.destroy();
        upstream.destroy();
      });
      upstream.once("close", () => {
        if (!tunnel.isBusy) inner.end();
      });
      server.emit("connection", inner);
    },
  };
}

/** Hands out the connection that it was given, again and again while it lives. */
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
  const secured = connectTls({ socket: plain, servername: name, host: name, ALPNProtocols: protocols, ...ca });
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
  // What a server answers to TRACE are the headers that it got.
  if (incoming.method === "TRACE") return answer(response, 405, "TRACE is not carried on");
  tunnel.isBusy = true;
  response.once("close", () => {
    tunnel.isBusy = false;
    if (tunnel.upstream.destroyed) incoming.socket.end();
  });
  const headers = headersOf(tunnel, without(incoming.headers, requestHeaders));
  try {
    // As between the program and the host: a broken connection ends the other, and clients know what to do.
    const onBroken = (): void => void incoming.socket.destroy();
    relay(traffic, incoming, response, { agent: tunnel.agent, path: incoming.url, headers }, onBroken);
  } catch {
    answer(response, 502, "the sandbox's proxy cannot send the value of a credential in a header");
  }
}

/** The host is the one that was verified, whatever the program says: others may stand behind the same address. */
function headersOf({ host, secrets }: Tunnel, headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  return { ...substitute(headers, secrets), host };
}

function upgrade(traffic: Traffic, tunnel: Tunnel, incoming: IncomingMessage, client: Socket, head: Buffer): void {
  tunnel.isBusy = true;
  const kept = without(incoming.headers, ["proxy-connection", "proxy-authorization"]);
  try {
    const sent = httpRequest({
      agent: tunnel.agent,
      method: incoming.method,
      path: incoming.url,
      headers: headersOf(tunnel, kept),
      setHost: false,
    });
    sent.once("upgrade", (received, upstream, upstreamHead) => {
      client.write(headOf(received, []));
      client.write(upstreamHead);
      upstream.write(head);
      traffic.join(client, upstream as Socket);
    });
    sent.once("response", (received) => {
      client.write(headOf(received, ["connection", "transfer-encoding"]));
      received.on("data", (chunk: Buffer) => traffic.count(chunk));
      received.pipe(client);
    });
    sent.once("error", () => client.destroy());
    sent.end();
  } catch {
    client.destroy();
  }
}

function headOf(received: IncomingMessage, left: readonly string[]): string {
  const lines = [`HTTP/1.1 ${received.statusCode} ${received.statusMessage}`];
  for (let at = 0; at < received.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = received.rawHeaders.slice(at, at + 2);
    if (!left.includes(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  if (left.includes("connection")) lines.push("connection: close");
  return `${lines.join("\r\n")}\r\n\r\n`;
}
