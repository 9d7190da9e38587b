// Carries one HTTP request on and its answer back, both as streams.

import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";
import type { Traffic } from "./traffic.ts";

/** Of a connection and not of what it carries. */
export const requestHeaders = ["proxy-connection", "proxy-authorization", "connection", "keep-alive", "te", "upgrade"];
export const responseHeaders = ["connection", "keep-alive", "proxy-authenticate", "transfer-encoding", "upgrade"];

/**
 * `onBroken`: nothing more comes of it; what has been answered by then stays.
 * @throws for headers that cannot be sent
 */
export function relay(
  traffic: Traffic,
  incoming: IncomingMessage,
  response: ServerResponse,
  options: RequestOptions,
  onBroken: () => void,
): ClientRequest {
  const sent = httpRequest({ ...options, method: incoming.method, setHost: false });
  incoming.on("data", (chunk: Buffer) => traffic.count(chunk));
  sent.once("response", (received) => {
    response.writeHead(received.statusCode ?? 502, without(received.headers, responseHeaders));
    // A stream of events may have nothing to say for long.
    response.flushHeaders();
    received.on("data", (chunk: Buffer) => traffic.count(chunk));
    pipeline(received, response, (error) => {
      if (error instanceof Error) onBroken();
    });
  });
  sent.once("error", onBroken);
  pipeline(incoming, sent, () => {});
  return sent;
}

export function without<T extends object>(headers: T, names: readonly string[]): T {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name))) as T;
}

export function answer(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" }).end(`${text}\n`);
}
