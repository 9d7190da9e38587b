// Requests to models through the proxy: counted from what the host answers, while every byte passes unchanged.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import type { Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { parseEgressHost, Redacted } from "@dari/domain";
import { listening, waitUntil } from "@dari/testkit";
import { createAuthority } from "../src/secrets/create-authority.ts";
import type { ModelRequest, ModelResult } from "../src/index.ts";
import { answerTo, openRawProxy, written, type RawProxy } from "./raw-proxy.ts";
import { answerExamples } from "./answer-examples.ts";

/** Known hosts of models, which are this machine here. */
const [openai, anthropic] = ["api.openai.com", "api.anthropic.com"];
const authority = createAuthority([openai, anthropic]);
const placeholder = "dari_key";
const key = `authorization: Bearer ${placeholder}`;

const { lookup } = dns;
let host: ReturnType<typeof createTlsServer>;
let proxy: RawProxy;
let port: number;
/** What the host answers to the first data of a connection. */
let reply: (socket: TLSSocket) => void;
let saw: string;
let requests: ModelRequest[];

beforeAll(async () => {
  dns.lookup = (() => Promise.resolve([{ address: "127.0.0.1", family: 4 }])) as unknown as typeof lookup;
  syncBuiltinESMExports();
  host = createTlsServer({ SNICallback: (name, done) => done(null, authority.contextFor(name)) }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => (saw += chunk.toString("latin1")));
    socket.once("data", () => reply(socket));
  });
  port = await listening(host);
});
beforeEach(async () => {
  [saw, requests] = ["", []];
  proxy = await openRawProxy({
    policy: { mode: "off", rules: [openai, anthropic].map((name) => ({ kind: "service", name, port }) as const) },
    secrets: [{ placeholder, value: new Redacted("sk-1"), hosts: [openai, anthropic].map((one) => hostOf(one)) }],
    trusted: [authority.certificate],
    onModelRequest: (request) => void requests.push(request),
  });
});
afterEach(() => proxy.close());
afterAll(() => {
  dns.lookup = lookup;
  syncBuiltinESMExports();
  host.close();
});

const hostOf = (name: string) => parseEgressHost(`${name}:${port}`)!;
const post = (path = "/v1/chat/completions", headers: string[] = []) =>
  written(`POST ${path}`, [key, "content-length: 2", ...headers], "{}");
const head = (headers: string[], status = "200 OK") => `HTTP/1.1 ${status}\r\n${headers.join("\r\n")}\r\n\r\n`;
const chunked = (pieces: string[]) =>
  pieces.map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`).join("");

async function ask(sent = post(), name = openai): Promise<string> {
  return answerTo(await proxy.tunnel(name, port), sent);
}

async function only(): Promise<ModelResult> {
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({ host: `${openai}:${port}`, format: "openai-chat" });
  return requests[0]!.result;
}

const usage = { prompt_tokens: 3, completion_tokens: 4 };
const body = JSON.stringify({ model: "gpt-5", choices: [{ finish_reason: "stop" }], usage });
const json = "content-type: application/json";
const length = `content-length: ${Buffer.byteLength(body)}`;
const counted = { model: "gpt-5", input: 3, output: 4, finishReason: "stop", isComplete: true, unread: null };

test.each(answerExamples.filter(({ format }) => format !== "gemini"))("$title passes as it is", async (example) => {
  const { format, contentType, body: text, says } = example;
  const paths = { "openai-chat": "/v1/chat/completions", "openai-responses": "/v1/responses" } as const;
  const isAnthropic = format === "anthropic-messages";
  const path = isAnthropic ? "/v1/messages?beta=true" : paths[format as keyof typeof paths];
  const isCut = says.isComplete === false;
  reply = (socket) => {
    socket.write(head([`content-type: ${contentType}`, "transfer-encoding: chunked"]));
    for (const piece of text.match(/[^]{1,40}/g)!) socket.write(chunked([piece]));
    socket.end(isCut ? "" : "0\r\n\r\n");
  };
  const answer = await ask(post(path), isAnthropic ? anthropic : openai);
  expect(answer.replace(/\r\n[0-9a-f]+\r\n|^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/gm, "")).toContain(says.model ?? "Rate limit");
  expect(saw).toContain("authorization: Bearer sk-1");
  const [request] = requests;
  expect(request!.format).toBe(format);
  expect(await request!.result).toMatchObject({ ...says, status: 200 });
});

describe("what hosts and agents send", () => {
  test("a compressed answer passes compressed", async () => {
    const packed = gzipSync(body);
    reply = (socket) => {
      socket.write(head([json, "content-encoding: gzip", `content-length: ${packed.length}`]));
      socket.end(packed);
    };
    expect((await ask()).endsWith(packed.toString("latin1"))).toBe(true);
    expect(await only()).toMatchObject(counted);
  });

  test("an encoding that is not known passes unread", async () => {
    reply = (socket) => socket.end(head([json, "content-encoding: x-new", length]) + body);
    expect((await ask()).endsWith(body)).toBe(true);
    expect(await only()).toMatchObject({ unread: "encoding", input: null, isComplete: false });
  });

  test("interim answers and trailers are not the answer", async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nx: {"usage":{"prompt_tokens":9}}\r\n\r\n';
    const trailer = '0\r\nx-usage: {"usage":{"prompt_tokens":9}}\r\n\r\n';
    const of = [json, "transfer-encoding: chunked", "trailer: x-usage"];
    reply = (socket) => socket.end(interim + head(of) + chunked([body]) + trailer);
    expect(await ask()).toContain(body);
    expect(await only()).toMatchObject({ ...counted, status: 200 });
  });

  test.each<[title: string, sent: () => string, reply: string, result: object]>([
    ["an error", post, head([json, "content-length: 2"], "429 Too Many Requests") + "{}", { status: 429, input: null }],
    ["an empty answer", post, head(["content-length: 0"], "204 No Content"), { status: 204, isComplete: true }],
    ["no answer", post, "", { status: null, isComplete: false }],
    ["a cut document", post, head([json, "content-length: 999"]) + body, { status: 200, input: 3, isComplete: false }],
    ["an upgrade that was not asked for", post, head(["connection: upgrade", "upgrade: x"], "101 X"), { status: null }],
  ])("%s is one request", async (_title, sent, said, result) => {
    reply = (socket) => void socket.end(said);
    await ask(sent());
    expect(await only()).toMatchObject(result);
  });

  test.each<[title: string, sent: string]>([
    ["another path", post("/v1/embeddings")],
    ["another method", written("GET /v1/chat/completions", [key])],
    ["a request that is refused", written(`POST https://${openai}/v1/chat/completions`, [key])],
    ["a request with two lengths", post(undefined, ["transfer-encoding: chunked"])],
  ])("%s is none", async (_title, sent) => {
    reply = (socket) => socket.end(head([json, length]) + body);
    await ask(sent);
    expect(requests).toEqual([]);
  });

  test("a client that leaves is counted by what came", async () => {
    reply = (socket) => socket.write(head(["content-type: text/event-stream"]) + `data: ${body}\n\ndata: {`);
    const client = await proxy.tunnel(openai, port);
    client.write(post());
    await once(client, "data");
    await waitUntil(() => requests.length === 1, { what: "the request" });
    client.destroy();
    expect(await only()).toMatchObject({ ...counted, isComplete: false, status: 200 });
  });
});

test("an answer that outlasts its turn is counted in both, each part once", async () => {
  let socket: TLSSocket | undefined;
  reply = (opened) => void (socket = opened);
  const client = await proxy.tunnel(anthropic, port);
  client.write(post("/v1/messages"));
  await waitUntil(() => socket !== undefined, { what: "the host's connection" });
  const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
  const start = { type: "message_start", message: { model: "claude", usage: { input_tokens: 10, output_tokens: 1 } } };
  socket!.write(head(["content-type: text/event-stream", "connection: close"]) + event(start));
  await once(client, "data");
  await waitUntil(() => requests.length === 1, { what: "the request" });
  proxy.settle();
  expect(await requests[0]!.result).toMatchObject({ input: 10, output: 1, isComplete: false });
  // Nothing has arrived since.
  proxy.settle();
  expect(requests).toHaveLength(1);
  socket!.end(event({ type: "message_delta", usage: { output_tokens: 30 } }) + event({ type: "message_stop" }));
  await waitUntil(() => requests.length === 2, { what: "the rest of the request" });
  expect(await requests[1]!.result).toMatchObject({ model: "claude", input: 0, output: 29, isComplete: true });
  (client as Socket).destroy();
});

test("pipelined requests whose client leaves are over, too", async () => {
  const told = Promise.withResolvers<void>();
  reply = () => told.resolve();
  const client = await proxy.tunnel(openai, port);
  client.on("error", () => {});
  client.write(
    written("POST /v1/chat/completions", [key, "content-length: 2", "connection: keep-alive"], "{}").repeat(4),
  );
  await told.promise;
  await waitUntil(() => requests.length === 4, { what: "the requests" });
  client.destroy();
  const results = await Promise.all(requests.map(({ result }) => result));
  expect(results.map(({ status, isComplete }) => [status, isComplete])).toEqual(Array(4).fill([null, false]));
});

test("a sandbox that ends reports what was read", async () => {
  reply = (socket) => socket.write(head(["content-type: text/event-stream"]) + `data: ${body}\n\n`);
  const client = await proxy.tunnel(openai, port);
  client.on("error", () => {});
  client.write(post());
  await once(client, "data");
  await waitUntil(() => requests.length === 1, { what: "the request" });
  proxy.close();
  expect(await only()).toMatchObject({ input: 3, output: 4, isComplete: false });
});
