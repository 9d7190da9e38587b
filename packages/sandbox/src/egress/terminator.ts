// Terminates the TLS of tunnels to hosts that a secret is for, so that the proxy can insert values. Each tunnel has one
// connection to its host, whose certificate is verified. Supports HTTP/1.1, including WebSockets.

import { once } from "node:events";
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { isIP, type Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import { connect as connectTls, TLSSocket } from "node:tls";
import { normalizeHost, UntrustedHostError } from "@dari/network";
import type { Authority } from "./authority.ts";
import { isModelHost, type ModelCall } from "./models/known-models.ts";
import { passGate, type AdmittedRequest, type ModelGate, type WaitingRequests } from "./models/model-gate.ts";
import type { ModelExchange, ModelMeter } from "./models/model-meter.ts";
import type { AnswerJournal } from "./models/answer-journal.ts";
import { passJournal, type JournalledRequest } from "./models/use-journal.ts";
import { sendAnswer, relayResponse, requestHeaders, withoutHeaders } from "./relay.ts";
import { insertSecrets, nameSecrets, secretsForHost, type EgressSecret } from "./substitute.ts";
import type { Target, Traffic } from "./traffic.ts";

export interface Terminator {
  /** Returns whether TLS to the target ends here. */
  isFor(target: Target): boolean;
  /** Opens a connection and verifies the host's certificate. @throws like `Traffic.open`; UntrustedHostError */
  open(target: Target): Promise<TLSSocket>;
  /** Serves the tunnel, which uses TLS from now on. `head`: what was already received from it. */
  serveTunnel(client: Socket, head: Buffer, target: Target, upstream: TLSSocket): void;
}

/** How requests to models are treated. */
export interface ModelRules {
  readonly meter: ModelMeter;
  gate(): ModelGate | undefined;
  journal(): AnswerJournal | undefined;
  readonly waiting: WaitingRequests;
}

interface Tunnel {
  readonly host: string;
  readonly agent: Agent;
  readonly secrets: readonly EgressSecret[];
  readonly upstream: TLSSocket;
  readonly models: ModelRules;
  readonly exchanges: Set<ModelExchange>;
  /** Number of requests without a complete response. */
  open: number;
}

/** Maximum number of requests without a response. A client that sends more is disconnected: each takes memory. */
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
  models: ModelRules,
): Terminator {
  const tunnels = new WeakMap<Duplex, Tunnel>();
  // No time limits here: a request can take as long as its turn, and `Traffic` closes idle connections. Upgrades other
  // than WebSockets are treated as ordinary requests.
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
    serveTunnel(client, head, target, upstream) {
      if (client.destroyed) return void upstream.destroy();
      const name = normalizeHost(target.host);
      if (head.length > 0) client.unshift(head);
      const secureContext = authority.contextFor(name);
      const inner = new TLSSocket(client, { isServer: true, secureContext, ALPNProtocols: protocols });
      const host = target.port === 443 ? name : `${name}:${target.port}`;
      const agent = new OneConnection(upstream);
      const tunnel: Tunnel = {
        host,
        agent,
        secrets: secretsOf(target),
        upstream,
        models,
        exchanges: new Set(),
        open: 0,
      };
      tunnels.set(inner, tunnel);
      for (const socket of [inner, upstream]) {
        traffic.hold(socket);
        socket.setNoDelay(true);
        // TLS, HTTP and the joining of two sockets each add listeners.
        socket.setMaxListeners(32);
      }
      inner.once("close", () => {
        // Responses of pipelined requests that never got the connection do not report its end.
        for (const exchange of tunnel.exchanges) exchange.ended();
        tunnel.exchanges.clear();
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

/** An agent with one connection, which it uses for all requests. */
class OneConnection extends Agent {
  #socket: TLSSocket | undefined;

  constructor(socket: TLSSocket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(_options: object, done?: (error: Error | null, socket: Duplex) => void): undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    const isClosed = socket === undefined || socket.destroyed;
    done?.(isClosed ? new Error("the connection is closed") : null, socket as Duplex);
  }
}

async function verified(plain: Socket, name: string, trusted: readonly string[] | undefined): Promise<TLSSocket> {
  const ca = trusted === undefined ? {} : { ca: [...trusted] };
  const to = { socket: plain, servername: name, host: name, ALPNProtocols: protocols };
  // Verify the certificate even if the worker's environment disables that (NODE_TLS_REJECT_UNAUTHORIZED).
  const secured = connectTls({ ...to, rejectUnauthorized: true, ...ca });
  secured.setTimeout(handshakeWithinMs, () =>
    secured.destroy(new Error(`TLS took longer than ${handshakeWithinMs} ms`)),
  );
  try {
    await once(secured, "secureConnect");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UntrustedHostError(`its TLS connection cannot be trusted: ${code ?? message}`);
  }
  secured.setTimeout(0);
  return secured;
}

function serve(traffic: Traffic, tunnel: Tunnel, incoming: IncomingMessage, response: ServerResponse): void {
  // Read the socket now: Node removes it from the request once the request has ended.
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
    return sendAnswer(response, 431, `the headers with their values exceed ${headerCharsMax} characters`);
  const call = tunnel.models.meter.find(tunnel.host, incoming);
  const gate = call && tunnel.models.gate();
  const journal = call && tunnel.models.journal();
  const request = { traffic, tunnel, socket, incoming, response, headers, call };
  if (call === undefined || (gate === undefined && journal === undefined)) forward(request);
  else void forwardLater(request, call, { gate, journal });
}

interface Forwarded {
  readonly traffic: Traffic;
  readonly tunnel: Tunnel;
  /** The client's connection. */
  readonly socket: Socket;
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: IncomingMessage["headers"];
  /** Undefined: the request is not metered. */
  readonly call: ModelCall | undefined;
}

/** What a request goes out with, if it did not go out at once. */
interface Prepared extends Omit<AdmittedRequest, "report"> {
  readonly report?: AdmittedRequest["report"];
  readonly journalled?: JournalledRequest | undefined;
}

function forward(request: Forwarded, prepared?: Prepared): void {
  const { traffic, tunnel, socket, incoming, response, headers, call } = request;
  try {
    // If one connection breaks, close the other one, so that clients notice it as they would without a proxy.
    const onBroken = (): void => void socket.destroy();
    const options = { agent: tunnel.agent, path: incoming.url, headers };
    const exchange = call && meterRequest(tunnel, call, response, prepared?.report);
    const record = exchange && prepared?.journalled?.record(exchange);
    const onAnswer = (received: IncomingMessage): void => {
      exchange?.answered(received);
      record?.(received);
    };
    const sent = relayResponse(traffic, incoming, response, options, onBroken, onAnswer, prepared?.body);
    // A request that waits for the connection keeps its body.
    if (prepared !== undefined) sent.once("finish", prepared.release);
  } catch {
    sendAnswer(response, 502, "the sandbox's proxy cannot send the value of a credential in a header");
  }
}

/** Forwards a request once the gate admits it, unless the journal has its answer. */
async function forwardLater(
  request: Forwarded,
  call: ModelCall,
  { gate, journal }: { readonly gate: ModelGate | undefined; readonly journal: AnswerJournal | undefined },
): Promise<void> {
  const { tunnel, socket, incoming, response } = request;
  const { host, upstream, models, secrets } = tunnel;
  const over = new AbortController();
  const end = (): void => over.abort();
  // A response that waits for earlier ones of its connection does not report the end of the connection.
  response.once("close", end);
  socket.once("close", end);
  // Without its connection to the host, the client must connect again.
  const lose = (): void => void socket.destroy();
  for (const name of ["end", "close"]) upstream.once(name, lose);
  if (upstream.destroyed) lose();
  // Its end is noticed only while it is read, and no other request reads it.
  if (tunnel.open === 1) upstream.resume();
  const waiting = { host, call, incoming, response, waiting: models.waiting, signal: over.signal };
  const asked = { ...waiting, headers: nameSecrets(incoming.headers, secrets) };
  const unwatch = (): void => {
    for (const name of ["end", "close"]) upstream.off(name, lose);
  };
  const begin = (): ModelExchange => {
    // A recorded answer does not need the host, which may close the connection while the client reads.
    unwatch();
    return meterRequest(tunnel, call, response);
  };
  const journalled = journal && (await passJournal(journal, asked, begin));
  const isServed = journal !== undefined && journalled === undefined;
  const { holding } = journalled ?? {};
  const admitted = isServed ? undefined : gate === undefined ? holding : await passGate(gate, { ...waiting, holding });
  unwatch();
  if (admitted === undefined || over.signal.aborted) return journalled?.cancel();
  forward(request, { ...admitted, journalled });
}

function meterRequest(
  tunnel: Tunnel,
  call: ModelCall,
  response: ServerResponse,
  report?: AdmittedRequest["report"],
): ModelExchange {
  const exchange = tunnel.models.meter.begin(tunnel.host, call, report);
  tunnel.exchanges.add(exchange);
  response.once("close", () => {
    tunnel.exchanges.delete(exchange);
    exchange.ended();
  });
  return exchange;
}

/** Returns why a request is refused, or undefined if it is forwarded. */
function refusalOf({ method, url = "" }: IncomingMessage): [status: number, text: string] | undefined {
  // A server's response to TRACE repeats the request's headers, and so the values.
  if (method === "TRACE") return [405, "the sandbox's proxy does not forward TRACE"];
  // An absolute URL contains a host, which servers prefer to the header `Host`.
  if (!url.startsWith("/") && !(method === "OPTIONS" && url === "*")) return [400, "expected a path, not a whole URL"];
  return undefined;
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/** Returns the headers with values. The host is always the verified one, because other hosts may have its address. */
function headersOf({ host, secrets }: Tunnel, headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  return { ...insertSecrets(headers, secrets), host };
}

function charsOf(headers: IncomingMessage["headers"]): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
}

/**
 * Forwards an upgrade to a WebSocket. Waits for the host's response before it reads from `client`. Disconnects a client
 * that sends data or closes earlier.
 */
function upgrade(traffic: Traffic, tunnel: Tunnel, incoming: IncomingMessage, client: Socket, head: Buffer): void {
  const headers = headersOf(tunnel, withoutHeaders(incoming.headers, notUpgraded));
  // What a model does over a WebSocket is not metered, so no limit would count it.
  const isLimited = isModelHost(tunnel.host) && tunnel.models.gate() !== undefined;
  const isRefused = isLimited || refusalOf(incoming) !== undefined || charsOf(headers) > headerCharsMax;
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
