// A local replacement for a model provider: real HTTP in the provider's wire format, scripted answers, every request
// recorded. Each API is a row of `routes`.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as textOf } from "node:stream/consumers";
import type { ModelReply, ModelRequest, ModelScript, AnsweredReply } from "./reply.ts";

export interface ModelServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without a path. */
  readonly url: string;
  readonly port: number;
  /** All requests that arrived at an API, in order. */
  readonly requests: readonly ModelRequest[];
  /** Replaces the script for later requests. */
  play(script: ModelScript): void;
}

/** How one API encodes a reply. */
export interface ModelRoute {
  /** The body of a script's error, or of the error for a wrong request. */
  errorBody(error: { type: string; message: string }): unknown;
  whole(said: AnsweredReply, request: ModelRequest): Promise<unknown>;
  /** Server-sent events, each `[name, data]`; without a name there is no `event:` line. */
  stream(said: AnsweredReply, request: ModelRequest): AsyncGenerator<readonly [string | undefined, unknown], void>;
}

const requestBytesMax = 64 * 1024 * 1024;

/** Listens on a free loopback port. Requests to paths that `routes` does not have are answered with 404. */
export async function startModelServer(
  routes: Readonly<Record<string, ModelRoute>>,
  script: ModelScript,
): Promise<ModelServer> {
  const requests: ModelRequest[] = [];
  let playing = script;
  const server = createServer((incoming, response) => {
    const [path = "/"] = (incoming.url ?? "/").split("?");
    const route = incoming.method === "POST" ? routes[path] : undefined;
    if (route === undefined) return void response.writeHead(404).end("{}");
    void answer(incoming, response, { path, route, requests, script: (request) => playing(request) }).catch(
      // The client went away, or the script threw; in that case the client sees a broken connection.
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    play: (next) => (playing = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answering {
  readonly path: string;
  readonly route: ModelRoute;
  readonly requests: ModelRequest[];
  readonly script: ModelScript;
}

async function answer(incoming: IncomingMessage, response: ServerResponse, o: Answering): Promise<void> {
  const length = Number(incoming.headers["content-length"] ?? 0);
  if (length > requestBytesMax) return void response.writeHead(413).end("{}");
  const text = await textOf(incoming);
  const body = JSON.parse(text) as Record<string, unknown>;
  const request: ModelRequest = { path: o.path, headers: incoming.headers, body, text };
  o.requests.push(request);
  const reply: ModelReply = await o.script(request);
  if ("error" in reply) {
    const { status, ...error } = reply.error;
    return sendJson(response, status, o.route.errorBody(error));
  }
  if (body["stream"] !== true) return sendJson(response, 200, await o.route.whole(reply, request));
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  for await (const [name, data] of o.route.stream(reply, request)) {
    const line = typeof data === "string" ? data : JSON.stringify(data);
    response.write(`${name === undefined ? "" : `event: ${name}\n`}data: ${line}\n\n`);
  }
  response.end();
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  // SDKs retry by themselves after such an answer; scripts define what comes then.
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
