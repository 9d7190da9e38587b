// Forwards one HTTP request and its response, both as streams.

import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";
import type { Traffic } from "./traffic.ts";

/** Headers of a connection, which are not forwarded. `Expect` is answered here, and trailers are dropped. */
const connectionHeaders = ["connection", "keep-alive", "upgrade", "trailer"];
export const requestHeaders = [...connectionHeaders, "proxy-connection", "proxy-authorization", "te", "expect"];
export const responseHeaders = [...connectionHeaders, "proxy-authenticate", "transfer-encoding"];

/**
 * `onBroken` is called if the exchange breaks; what was already sent of the response stays.
 * @throws for headers that cannot be sent
 */
export function relayResponse(
  traffic: Traffic,
  incoming: IncomingMessage,
  response: ServerResponse,
  options: RequestOptions,
  onBroken: () => void,
): ClientRequest {
  const sent = httpRequest({ ...options, method: incoming.method, setHost: false });
  let isAnswered = false;
  sent.once("response", (received) => {
    isAnswered = true;
    try {
      response.writeHead(received.statusCode ?? 502, withoutHeaders(received.headers, responseHeaders));
      // A stream of events can be silent for a long time.
      response.flushHeaders();
    } catch {
      // Node reads responses that it cannot write: a status of 000.
      received.destroy();
      return onBroken();
    }
    received.on("data", (chunk: Buffer) => traffic.count(chunk));
    pipeline(received, response, (error) => {
      if (error instanceof Error) onBroken();
    });
  });
  sent.once("upgrade", (_received, socket) => {
    isAnswered = true;
    socket.destroy();
    onBroken();
  });
  // After the response has begun, its own events report errors.
  sent.on("error", () => {
    if (!isAnswered) onBroken();
    isAnswered = true;
  });
  carryBody(traffic, incoming, sent);
  return sent;
}

/**
 * A host can respond before it has read the body, and close its side: forward its response, and drop the rest of the
 * body.
 */
function carryBody(traffic: Traffic, incoming: IncomingMessage, sent: ClientRequest): void {
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
