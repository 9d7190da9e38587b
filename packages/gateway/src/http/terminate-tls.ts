// Terminates the TLS of tunnels to hosts that a secret is for, so that the proxy can insert values, and to hosts of
// models that dari.yml names, so that it can meter them. Each tunnel has one connection to its host, whose certificate
// is verified. Hosts of models can also speak plain HTTP. Supports HTTP/1.1, including WebSockets.

import {
  createServer,
  request as httpRequest,
  type Agent,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { isIP, type Socket } from "node:net";
import { pipeline, type Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { ModelScheme } from "@dari/domain";
import { normalizeHost } from "@dari/network";
import type { Authority } from "../secrets/create-authority.ts";
import type { DeclaredModels } from "../models/declared-models.ts";
import { isModelHost, type ModelCall } from "../models/known-models.ts";
import { passGate, type AdmittedRequest, type ModelGate, type WaitingRequests } from "../models/model-gate.ts";
import { splitHost, type ModelExchange, type ModelMeter } from "../models/model-meter.ts";
import type { AnswerRecorder } from "../models/answer-recorder.ts";
import { giveBackOrRecord, type UnrecordedRequest } from "../models/record-answer.ts";
import { sendAnswer, relayResponse, requestHeaders, withoutHeaders } from "./relay-response.ts";
import { insertSecrets, nameSecrets, secretsForHost, type EgressSecret } from "../secrets/substitute-secrets.ts";
import type { Target, Traffic } from "../traffic.ts";
import { alpn, closeTogether, OneConnection, verify } from "./connect-upstream.ts";

export interface Terminator {
  /** Returns whether connections to the target are read here. */
  isFor(target: Target): boolean;
  /** Returns how dari.yml reaches the target, if it names it as a host of models. */
  schemeOf(target: Target): ModelScheme | undefined;
  /**
   * Opens a connection, and verifies the host's certificate unless the target speaks plain HTTP.
   * @throws like `Traffic.open`; UntrustedHostError
   */
  open(target: Target): Promise<Socket>;
  /** Serves the tunnel, which uses TLS from now on, or plain HTTP. `head`: what was already received from it. */
  serveTunnel(client: Socket, head: Buffer, target: Target, upstream: Socket): void;
  /** Serves one request in plain HTTP. `path`: of its URL. The client's connection can have others, to other hosts. */
  serveRequest(request: ProxiedRequest, target: Target, path: string, upstream: Socket): void;
}

export interface ProxiedRequest {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
}

/** How requests to models are treated. */
export interface ModelRules {
  readonly meter: ModelMeter;
  readonly declared: DeclaredModels;
  gate(): ModelGate | undefined;
  answerRecorder(): AnswerRecorder | undefined;
  readonly waiting: WaitingRequests;
}

interface Tunnel {
  /** With its port, if that is not 443. */
  readonly host: string;
  readonly hostHeader: string;
  readonly agent: Agent;
  readonly secrets: readonly EgressSecret[];
  /** Values of secrets are not inserted into plain HTTP. */
  readonly isPlain: boolean;
  /** Whether the client's connection is for this host only, so that both connections end together. */
  readonly ownsClient: boolean;
  readonly upstream: Socket;
  readonly models: ModelRules;
  readonly exchanges: Set<ModelExchange>;
  /** Number of requests without a complete response. */
  open: number;
}

/** Maximum number of requests without a response. A client that sends more is disconnected: each takes memory. */
const openRequestsMax = 4;
/** Maximum length of a request's headers after substitution. No server accepts more, so it is not sent. */
const headerCharsMax = 80 * 1024;

export function createTerminator(
  traffic: Traffic,
  secrets: readonly EgressSecret[],
  {
    authority,
    trusted,
  }: { readonly authority: Authority | undefined; readonly trusted: readonly string[] | undefined },
  models: ModelRules,
): Terminator {
  const tunnels = new WeakMap<Duplex, Tunnel>();
  // Most sandboxes need none.
  let server: Server | undefined;
  const { schemeOf } = models.declared;
  const secretsOf = ({ host, port }: Target): EgressSecret[] =>
    isIP(normalizeHost(host)) === 0 ? secretsForHost(secrets, normalizeHost(host), port) : [];

  function createTunnel(target: Target, upstream: Socket, { ownsClient }: Pick<Tunnel, "ownsClient">): Tunnel {
    const name = normalizeHost(target.host);
    const host = target.port === 443 ? name : `${name}:${target.port}`;
    const isPlain = schemeOf(target) === "http";
    const hostHeader = isPlain ? new URL(`http://${name}:${target.port}`).host : host;
    const agent = new OneConnection(upstream);
    const own = { agent, upstream, isPlain, ownsClient, models, exchanges: new Set<ModelExchange>(), open: 0 };
    return { host, hostHeader, secrets: secretsOf(target), ...own };
  }
  function secure(client: Socket, { host }: Target): TLSSocket {
    const secureContext = authority!.contextFor(normalizeHost(host));
    return new TLSSocket(client, { isServer: true, secureContext, ALPNProtocols: alpn });
  }

  return {
    isFor: (target) => schemeOf(target) !== undefined || secretsOf(target).length > 0,
    schemeOf,
    open: (target) =>
      schemeOf(target) === "http"
        ? traffic.openSecured(target, closeTogether)
        : traffic.openSecured(target, (plain) => verify(plain, normalizeHost(target.host), trusted)),
    serveTunnel(client, head, target, upstream) {
      if (client.destroyed) return void upstream.destroy();
      const tunnel = createTunnel(target, upstream, { ownsClient: true });
      if (head.length > 0) client.unshift(head);
      const inner = tunnel.isPlain ? client : secure(client, target);
      tunnels.set(inner, tunnel);
      for (const socket of [inner, upstream]) {
        traffic.hold(socket);
        socket.setNoDelay(true);
        // TLS, HTTP and the joining of two sockets each add listeners.
        socket.setMaxListeners(32);
      }
      inner.once("close", () => endTunnel(tunnel));
      upstream.once("close", () => {
        if (tunnel.open === 0) inner.end();
      });
      server ??= createTunnelServer(traffic, tunnels);
      server.emit("connection", inner);
      // A client that used no proxy is paused.
      if (tunnel.isPlain) client.resume();
    },
    serveRequest({ incoming, response }, target, path, upstream) {
      const tunnel = createTunnel(target, upstream, { ownsClient: false });
      // Read the socket now: Node removes it from the request once the request has ended.
      const { socket } = incoming;
      upstream.setNoDelay(true);
      incoming.url = path;
      serve(traffic, tunnel, incoming, response);
      endAfter(response, socket, () => endTunnel(tunnel));
    },
  };
}

function createTunnelServer(traffic: Traffic, tunnels: WeakMap<Duplex, Tunnel>): Server {
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
  return server;
}

function endTunnel({ exchanges, agent, upstream }: Tunnel): void {
  // Responses of pipelined requests that never got the connection do not report its end.
  for (const exchange of exchanges) exchange.ended();
  exchanges.clear();
  agent.destroy();
  upstream.destroy();
}

/** Calls back once, after the response or the end of its client's connection. */
function endAfter(response: ServerResponse, socket: Socket, end: () => void): void {
  // Requests that wait for their turn on the connection each add a listener.
  socket.setMaxListeners(0);
  const over = (): void => {
    response.off("close", over);
    socket.off("close", over);
    end();
  };
  response.once("close", over);
  socket.once("close", over);
  if (socket.destroyed) over();
}

function serve(traffic: Traffic, tunnel: Tunnel, incoming: IncomingMessage, response: ServerResponse): void {
  // Read the socket now: Node removes it from the request once the request has ended.
  const { socket } = incoming;
  if (tunnel.open >= openRequestsMax) return void socket.destroy();
  tunnel.open += 1;
  response.once("close", () => {
    tunnel.open -= 1;
    if (tunnel.ownsClient && tunnel.upstream.destroyed) socket.end();
  });
  const refusal = refusalOf(incoming);
  if (refusal !== undefined) return sendAnswer(response, ...refusal);
  const headers = headersOf(tunnel, withoutHeaders(incoming.headers, requestHeaders));
  if (charsOf(headers) > headerCharsMax)
    return sendAnswer(response, 431, `the headers with their values exceed ${headerCharsMax} characters`);
  const call = tunnel.models.meter.find(tunnel.host, incoming);
  const gate = call && tunnel.models.gate();
  const recorder = call && tunnel.models.answerRecorder();
  const request = { traffic, tunnel, socket, incoming, response, headers, call };
  if (call === undefined || (gate === undefined && recorder === undefined)) forward(request);
  else void forwardLater(request, call, { gate, recorder });
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
  readonly unrecorded?: UnrecordedRequest | undefined;
}

function forward(request: Forwarded, prepared?: Prepared): void {
  const { traffic, tunnel, socket, incoming, response, headers, call } = request;
  try {
    // If one connection breaks, close the other one, so that clients notice it as they would without a proxy.
    const onBroken = (): void => void socket.destroy();
    const options = { agent: tunnel.agent, path: incoming.url, headers };
    const exchange = call && meterRequest(tunnel, call, response, prepared?.report);
    const record = exchange && prepared?.unrecorded?.record(exchange);
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

/** Forwards a request once the gate admits it, unless its answer is recorded. */
async function forwardLater(
  request: Forwarded,
  call: ModelCall,
  { gate, recorder }: { readonly gate: ModelGate | undefined; readonly recorder: AnswerRecorder | undefined },
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
  const unrecorded = recorder && (await giveBackOrRecord(recorder, asked, begin));
  const isServed = recorder !== undefined && unrecorded === undefined;
  const { holding } = unrecorded ?? {};
  const admitted = isServed ? undefined : gate === undefined ? holding : await passGate(gate, { ...waiting, holding });
  unwatch();
  if (admitted === undefined || over.signal.aborted) return unrecorded?.cancel();
  forward(request, { ...admitted, unrecorded });
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

/** Returns whether some requests to the host are metered. */
function asksModels({ host, models }: Tunnel): boolean {
  const { name, port } = splitHost(host);
  return isModelHost(name) || models.declared.schemeOf({ host: name, port }) !== undefined;
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/** Returns the headers with values. The host is always the verified one, because other hosts may have its address. */
function headersOf(tunnel: Tunnel, headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  const { hostHeader, secrets, isPlain } = tunnel;
  return { ...(isPlain ? headers : insertSecrets(headers, secrets)), host: hostHeader };
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
  const isLimited = asksModels(tunnel) && tunnel.models.gate() !== undefined;
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
