// A minimal load balancer for several APIs: each call goes to the next active one, on its own connection, and is never
// sent twice. It counts the answers to clients.

import { createServer, request as send, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** How often clients got each status, and how many calls got no answer. */
  readonly answers: ReadonlyMap<string, number>;
  /** Number of calls without a complete answer. */
  readonly open: number;
  /** Sends new calls to the others. Open ones end where they are. */
  takeOut(backend: string): void;
  putBack(backend: string): void;
}

/**
 * Returns answers that no client should see: none at all, and statuses from 500, except 503, which says when to retry.
 */
export function failedAnswers({ answers }: Balancer): (readonly [what: string, times: number])[] {
  return [...answers].filter(([what]) => !/^[1-4]\d\d$/.test(what) && what !== "503");
}

/** Longer than a client keeps an idle connection, in milliseconds. */
const keepAliveMs = 120_000;

/** `backends`: addresses of the APIs, `http://host:port`. */
export async function startBalancer(backends: readonly string[]): Promise<Balancer> {
  const away = new Set<string>();
  const answers = new Map<string, number>();
  const open = new Set<ServerResponse>();
  const count = (what: string): void => void answers.set(what, (answers.get(what) ?? 0) + 1);
  let turn = 0;
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0 }, (request, response) => {
    open.add(response);
    response.once("close", () => open.delete(response));
    const ready = backends.filter((backend) => !away.has(backend));
    const backend = ready[turn++ % Math.max(1, ready.length)];
    if (backend !== undefined) return passOn(request, response, new URL(backend), count);
    count("no API in rotation");
    response.writeHead(502).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    get open() {
      return open.size;
    },
    takeOut: (backend) => void away.add(backend),
    putBack: (backend) => void away.delete(backend),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function passOn(request: IncomingMessage, response: ServerResponse, to: URL, count: (what: string) => void): void {
  const { method = "GET", url: path = "/" } = request;
  const headers = { ...request.headers, connection: "close" };
  const onward = send({ host: to.hostname, port: to.port, method, path, headers, agent: false });
  let isGone = false;
  onward.once("response", (reply) => {
    const { connection: _connection, "keep-alive": _keepAlive, ...kept } = reply.headers;
    response.writeHead(reply.statusCode ?? 502, kept);
    count(String(reply.statusCode));
    reply.pipe(response);
    reply.once("close", () => {
      if (reply.complete || isGone) return;
      count("broke off");
      response.destroy();
    });
  });
  onward.once("error", (error) => {
    if (isGone) return;
    if (response.headersSent) return void response.destroy();
    count(`no answer: ${(error as NodeJS.ErrnoException).code ?? error.message}`);
    response.writeHead(502).end();
  });
  request.pipe(onward);
  response.once("close", () => {
    isGone = !response.writableFinished;
    if (isGone) onward.destroy();
  });
}
