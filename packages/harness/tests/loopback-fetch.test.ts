// The fetch for a server inside the sandbox: a turn can be silent for longer than Node's own fetch waits.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

/** Where every copy of undici, including Node's own, looks for fetch's dispatcher. */
const dispatcher = Symbol.for("undici.globalDispatcher.1");
type Globals = Record<symbol, { constructor: new (limits: object) => object }>;

const module = new URL("../guest/node/sdk/loopback-fetch.mjs", import.meta.url).href;
const { fetchLoopback } = (await import(module)) as { fetchLoopback: typeof fetch };

let server: Server;
let url: string;
let released = Promise.withResolvers<void>();

beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      const [body] = await Promise.all([request.toArray(), released.promise]);
      if (request.url === "/empty") return response.writeHead(204).end();
      response.writeHead(201, { "content-type": "application/json", "set-cookie": ["a=1", "b=2"] });
      response.end(JSON.stringify({ method: request.method, body: Buffer.concat(body as Buffer[]).toString() }));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Creates the global dispatcher.
  await fetch("data:,");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("waits for an answer for longer than the limits of Node's fetch", async () => {
  const globals = globalThis as unknown as Globals;
  const before = globals[dispatcher]!;
  const limited = new before.constructor({ headersTimeout: 20, bodyTimeout: 20 });
  (globalThis as Record<symbol, unknown>)[dispatcher] = limited;
  try {
    const answer = fetchLoopback(new Request(`${url}/turn`, { method: "POST", body: "prompt" }));
    // Node's fetch, sent after the tested one, has failed by now.
    await expect(fetch(`${url}/turn`)).rejects.toMatchObject({ cause: { code: "UND_ERR_HEADERS_TIMEOUT" } });
    released.resolve();
    const response = await answer;
    expect(response.status).toBe(201);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.json()).toEqual({ method: "POST", body: "prompt" });
  } finally {
    (globalThis as Record<symbol, unknown>)[dispatcher] = before;
  }
});

test("an answer without a body has none, and an aborted request rejects", async () => {
  released.resolve();
  const response = await fetchLoopback(`${url}/empty`);
  expect([response.status, response.body]).toEqual([204, null]);
  released = Promise.withResolvers();
  const controller = new AbortController();
  const waiting = fetchLoopback(`${url}/turn`, { signal: controller.signal });
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
});
