// Forwards one HTTP request and its response, both as streams.

import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";
import type { Traffic } from "../traffic.ts";

/** Headers that apply to one connection only, and are not forwarded. The proxy answers `Expect`, and drops trailers. */
const connectionHeaders = ["connection", "keep-alive", "upgrade", "trailer"];
export const requestHeaders = [...connectionHeaders, "proxy-connection", "proxy-authorization", "te", "expect"];
export const responseHeaders = [...connectionHeaders, "proxy-authenticate", "transfer-encoding"];

/**
 * Forwards one request and its response. `onBroken`: called if the exchange breaks, possibly after a part of the
 * response was sent. `onAnswer`: called once the response is being forwarded. `body`: the body of the request, if it
 * has been read.
 * @throws for headers that cannot be sent
 */
export function relayResponse(
  traffic: Traffic,
  incoming: IncomingMessage,
  response: ServerResponse,
  options: RequestOptions,
  onBroken: () => void,
  onAnswer?: (received: IncomingMessage) => void,
  body?: Buffer,
): ClientRequest {
  const sent = httpRequest({ ...options, method: incoming.method, setHost: false });
  let isAnswered = false;
  sent.once("response", (received) => {
    isAnswered = true;
    try {
      response.writeHead(received.statusCode ?? 502, withoutHeaders(received.headers, responseHeaders));
      // Send the headers now: a stream of events can be silent for a long time.
      response.flushHeaders();
    } catch {
      // Node accepts responses that it cannot write itself, such as the status 000.
      received.destroy();
      return onBroken();
    }
    received.on("data", (chunk: Buffer) => traffic.count(chunk));
    pipeline(received, response, (error) => {
      if (error instanceof Error) onBroken();
    });
    onAnswer?.(received);
  });
  sent.once("upgrade", (_received, socket) => {
    isAnswered = true;
    socket.destroy();
    onBroken();
  });
  // Once the response has begun, the events of the response report errors.
  sent.on("error", () => {
    if (!isAnswered) onBroken();
    isAnswered = true;
  });
  if (body === undefined) {
    forwardBody(traffic, incoming, sent);
  } else {
    traffic.count(body);
    sent.end(body);
  }
  return sent;
}

/**
 * Forwards the body of a request. If the host responds before it has read the body, and closes its side, drops the rest
 * of the body.
 */
function forwardBody(traffic: Traffic, incoming: IncomingMessage, sent: ClientRequest): void {
  incoming.on("data", (chunk: Buffer) => traffic.count(chunk));
  incoming.pipe(sent);
  incoming.once("close", () => {
    if (!incoming.complete) sent.destroy();
  });
  sent.once("close", () => {
    incoming.unpipe(sent);
    incoming.resume();
  });
}

export function withoutHeaders<T extends object>(headers: T, names: readonly string[]): T {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name))) as T;
}

export function sendAnswer(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" }).end(`${text}\n`);
}
