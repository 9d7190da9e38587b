// Bodies of requests are held whole within a number of bytes, and nothing of a larger one is lost.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { waitUntil } from "@dari/testkit";
import { holdRequest, type HeldBytes, type HeldRequest } from "./held-request.ts";

let server: Server;
let serve: (incoming: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((incoming, response) => serve(incoming, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => void server.close());

const bytesMax = 100_000;

function open(headers: Record<string, string | number>) {
  const { port } = server.address() as AddressInfo;
  return request({ port, host: "127.0.0.1", method: "POST", headers }).on("error", () => {});
}

/** Holds the next request. Returns also what a reader of the request gets after that. */
async function hold(headers: Record<string, string | number>, body: Buffer, held?: HeldBytes) {
  const result = Promise.withResolvers<{ request: HeldRequest; rest: Buffer }>();
  serve = (incoming, response) => {
    void holdRequest(incoming, { bytesMax, ...(held && { held }) }).then(async (holding) => {
      const rest = holding.body === undefined ? await buffer(incoming) : Buffer.alloc(0);
      response.end();
      result.resolve({ request: holding, rest });
    }, result.reject);
  };
  const sent = open(headers);
  if (headers["expect"] !== undefined) await once(sent, "continue");
  sent.end(body);
  const holding = await result.promise;
  sent.destroy();
  return holding;
}

const chunked = { "transfer-encoding": "chunked" };

test.each<[title: string, headers: Record<string, string | number>]>([
  ["a length", { "content-length": 70_000 }],
  ["chunks", chunked],
  ["an expectation", { "content-length": 70_000, expect: "100-continue" }],
])("a body with %s is whole", async (_title, headers) => {
  const body = Buffer.alloc(70_000, "abc");
  const { request: held } = await hold(headers, body);
  expect(held.body?.equals(body)).toBe(true);
});

test("a request without a body has an empty one", async () => {
  expect((await hold({ "content-length": 0 }, Buffer.alloc(0))).request.body).toEqual(Buffer.alloc(0));
});

test.each<[title: string, headers: Record<string, string | number>]>([
  ["a length", { "content-length": 1_000_000 }],
  ["chunks", chunked],
])("nothing of a larger body with %s is lost", async (_title, headers) => {
  const held = { count: 0 };
  const body = Buffer.alloc(1_000_000, "0123456789");
  const { request: holding, rest } = await hold(headers, body, held);
  expect(holding.body).toBeUndefined();
  expect(rest.equals(body)).toBe(true);
  holding.release();
  expect(held.count).toBe(0);
});

test("a body in pieces of one byte takes no more memory than its bytes", async () => {
  const result = Promise.withResolvers<HeldRequest>();
  serve = (incoming) => void holdRequest(incoming, { bytesMax }).then(result.resolve, result.reject);
  const sent = open(chunked);
  const connected = once(sent, "socket") as Promise<[Socket]>;
  sent.write("x");
  const [socket] = await connected;
  if (socket.connecting) await once(socket, "connect");
  socket.write(`1\r\ny\r\n`.repeat(50_000));
  sent.end();
  const { body } = await result.promise;
  expect(body!.toString()).toBe(`x${"y".repeat(50_000)}`);
  expect(body!.buffer.byteLength).toBeLessThan(2 * 50_001 + 64 * 1024);
  sent.destroy();
});

test("requests share what can be held, and give it back once", async () => {
  const held = { count: 0 };
  const body = Buffer.alloc(60_000);
  const { request: first } = await hold(chunked, body, held);
  expect(held.count).toBeGreaterThanOrEqual(60_000);
  const { request: second, rest } = await hold(chunked, body, held);
  expect([second.body, rest.length]).toEqual([undefined, 60_000]);
  first.release();
  first.release();
  second.release();
  expect(held.count).toBe(0);
});

test("a client that leaves holds nothing", async () => {
  const held = { count: 0 };
  const result = Promise.withResolvers<unknown>();
  serve = (incoming) => void holdRequest(incoming, { bytesMax, held }).then(result.resolve, result.reject);
  const sent = open({ "content-length": 50_000 });
  sent.write(Buffer.alloc(10_000));
  await waitUntil(() => held.count >= 10_000, { what: "the first part" });
  sent.destroy();
  await expect(result.promise).rejects.toThrow("the client left");
  expect(held.count).toBe(0);
});
