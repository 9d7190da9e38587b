// A meeting point of a running agent and its test: the agent calls an address and gets no answer before the test gives
// one.

import { createServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import { freePort } from "@dari/embedded";
import { waitUntil } from "@dari/testkit";

export interface Rendezvous extends AsyncDisposable {
  /** The address that an agent fetches to arrive at `point`. */
  urlOf(point: string): string;
  /** Returns how often agents have arrived there. */
  arrivals(point: string): number;
  /** Resolves once `times` agents have arrived, or one has arrived that many times. */
  arrived(point: string, times?: number): Promise<void>;
  /** Answers all agents that wait there, and those that arrive later. */
  open(point: string): void;
}

const arriveWithinMs = 60_000;
const port = await freePort();

/** Known before any worker starts: isolated agents can reach it only if it is allowed. */
export const rendezvousEndpoint = `127.0.0.1:${port}`;

export async function openRendezvous(): Promise<Rendezvous> {
  const waiting = new Map<string, ServerResponse[]>();
  const counts = new Map<string, number>();
  const opened = new Set<string>();
  const server = createServer((request, response) => {
    const point = (request.url ?? "/").slice(1);
    counts.set(point, (counts.get(point) ?? 0) + 1);
    if (opened.has(point)) response.end("go");
    else waiting.set(point, [...(waiting.get(point) ?? []), response]);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const arrivals = (point: string): number => counts.get(point) ?? 0;
  return {
    urlOf: (point) => `http://${rendezvousEndpoint}/${point}`,
    arrivals,
    async arrived(point, times = 1) {
      const what = `${times} arrival(s) at ${point}`;
      await waitUntil(() => arrivals(point) >= times, { what, timeoutMs: arriveWithinMs });
    },
    open(point) {
      opened.add(point);
      for (const response of waiting.get(point) ?? []) response.end("go");
      waiting.delete(point);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
