// The HTTP proxy: CONNECT for tunnels, absolute URLs for plain HTTP. The proxy listens nowhere: connections are passed
// to it as `connection` events.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { EgressRefusedError, publicReason } from "@dari/network";
import { sendAnswer, relayResponse, requestHeaders, withoutHeaders } from "./relay-response.ts";
import type { Terminator } from "./terminate-tls.ts";
import type { Target, Traffic } from "../traffic.ts";

/** Creates the proxy. `terminator`: handles the connections that the proxy reads. */
export function createProxy(traffic: Traffic, terminator: Terminator): Server {
  const proxy = createServer((incoming, response) => void forward(traffic, terminator, incoming, response));
  proxy.on("connect", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    const target = parseAuthority(incoming.url ?? "");
    if (target === undefined) refuseTunnel(client, 400, "expected CONNECT host:port");
    else void tunnel(traffic, terminator, client, head, target);
  });
  proxy.on("clientError", (_error, client) => client.destroy());
  return proxy;
}

async function tunnel(
  traffic: Traffic,
  terminator: Terminator,
  client: Socket,
  head: Buffer,
  target: Target,
): Promise<void> {
  const established = "HTTP/1.1 200 Connection established\r\n\r\n";
  try {
    if (terminator.isFor(target)) {
      const verified = await terminator.open(target);
      client.write(established);
      return terminator.serveTunnel(client, head, target, verified);
    }
    const upstream = await traffic.open(target);
    client.write(established);
    if (head.length > 0) upstream.write(head);
    traffic.join(client, upstream);
  } catch (error) {
    refuseTunnel(client, statusOf(error), describeRefusal(target, error));
  }
}

async function forward(
  traffic: Traffic,
  terminator: Terminator,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.canParse(incoming.url ?? "") ? new URL(incoming.url!) : undefined;
  if (url?.protocol !== "http:") return sendAnswer(response, 400, "this is a proxy: expected a URL of http://");
  const target = { host: url.hostname, port: Number(url.port || 80) };
  const path = `${url.pathname}${url.search}`;
  const scheme = terminator.schemeOf(target);
  if (scheme === "https") {
    // Here, the requests to it would not be read.
    traffic.refuse(target, needsHttps);
    return sendAnswer(response, 403, describeRefusal(target, new EgressRefusedError(needsHttps)));
  }
  let upstream: Socket | undefined;
  try {
    const opened = (upstream = scheme === "http" ? await terminator.open(target) : await traffic.open(target));
    if (response.destroyed) return void opened.destroy();
    if (scheme === "http") return terminator.serveRequest({ incoming, response }, target, path, opened);
    const options = {
      createConnection: () => opened,
      path,
      // Send the host that the policy allowed, whatever the program's header contains.
      headers: { ...withoutHeaders(incoming.headers, requestHeaders), host: url.host },
    };
    response.once("close", () => opened.destroy());
    relayResponse(traffic, incoming, response, options, () =>
      sendAnswer(response, 502, `${target.host}: the connection broke`),
    );
  } catch (error) {
    upstream?.destroy();
    sendAnswer(response, statusOf(error), describeRefusal(target, error));
  }
}

const needsHttps = "dari.yml names this host under `models` for HTTPS; use https://, or set `scheme: http` there";

function parseAuthority(authority: string): Target | undefined {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[^:[\]]+):(\d{1,5})$/i.exec(authority) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { host, port: Number(port) };
}

function statusOf(error: unknown): number {
  return error instanceof EgressRefusedError ? 403 : 502;
}

/** Returns the text for the tenant. For a refusal, it says whose rule refused the connection. */
function describeRefusal({ host, port }: Target, error: unknown): string {
  return `the sandbox's proxy did not connect to ${host}:${port}: ${publicReason(error)}`;
}

const reasons: Readonly<Record<number, string>> = { 400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway" };

function refuseTunnel(client: Duplex, status: number, text: string): void {
  const body = `${text}\n`;
  const head = [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  client.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
