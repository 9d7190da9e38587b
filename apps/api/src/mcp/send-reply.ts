// The protocol library's requests and responses, which are those of fetch, on Express.

import type { Request } from "express";
import { waitForReader, type SendOptions } from "../http/sse.ts";

/** The protocol's own headers. The library needs no others, and gets no key. */
const protocolHeader = /^mcp-[a-z0-9-]+$/;

/** Returns the request without its body, which is parsed already. */
export function toWebRequest(request: Request, signal: AbortSignal): globalThis.Request {
  // Bodies are JSON, and every client of the protocol reads both kinds of replies.
  const headers = new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
  for (const [name, value] of Object.entries(request.headers)) {
    if (protocolHeader.test(name) && typeof value === "string") headers.set(name, value);
  }
  return new globalThis.Request(`http://localhost${request.path}`, { method: "POST", headers, signal });
}

/** Sends the library's response. A reader that accepts nothing, or makes too many bytes wait, is disconnected. */
export async function sendReply(
  reply: globalThis.Response,
  { response, settings, hold }: Pick<SendOptions, "response" | "settings" | "hold">,
): Promise<void> {
  response.status(reply.status);
  const type = reply.headers.get("content-type");
  if (type !== null) response.setHeader("content-type", type);
  if (reply.body === null) return void response.end();
  if (type !== "text/event-stream") return void response.end(await reply.text());
  response.set({ "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" });
  response.setTimeout(settings.stalledMs, () => response.destroy());
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  for await (const piece of reply.body) {
    if (response.destroyed) break;
    if (!response.write(piece)) await waitForReader({ response, hold });
  }
  response.end();
}
