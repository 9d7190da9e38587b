// Requests to models that must be admitted before they go out: what the gate learns of them, and what it refuses.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { parseEgressHost, Redacted } from "@dari/domain";
import { listening, waitUntil } from "@dari/testkit";
import { createAuthority } from "../src/secrets/create-authority.ts";
import type { ModelAdmission, ModelRequest, RequestToAdmit } from "../src/index.ts";
import { answerTo, openRawProxy, written, type RawProxy } from "./raw-proxy.ts";

const [openai, anthropic, gemini] = ["api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"];
const names = [openai, anthropic, gemini];
const authority = createAuthority(names);
const key = "authorization: Bearer dari_key";
const { lookup } = dns;
let host: ReturnType<typeof createTlsServer>;
let proxy: RawProxy;
let port: number;
let sockets: TLSSocket[];
let saw: string;
/** What passed the gate, and what did not have to. */
let [admitted, ungated]: [ModelRequest[], ModelRequest[]] = [[], []];
let asked: RequestToAdmit[];
let readsBody: boolean;
let decide: (signal: AbortSignal) => Promise<ModelAdmission>;

const admit: ModelAdmission = { isAdmitted: true, report: (request) => void admitted.push(request) };

beforeAll(async () => {
  dns.lookup = (() => Promise.resolve([{ address: "127.0.0.1", family: 4 }])) as unknown as typeof lookup;
  syncBuiltinESMExports();
  host = createTlsServer({ SNICallback: (name, done) => done(null, authority.contextFor(name)) }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      saw += chunk.toString("latin1");
      if (saw.endsWith("}") || saw.endsWith("0\r\n\r\n")) socket.end(answer);
    });
  });
  port = await listening(host);
});
beforeEach(async () => {
  [saw, admitted, ungated, asked, sockets, readsBody] = ["", [], [], [], [], true];
  decide = () => Promise.resolve(admit);
  proxy = await openRawProxy({
    policy: { mode: "off", rules: names.map((name) => ({ kind: "service", name, port }) as const) },
    secrets: [
      {
        placeholder: "dari_key",
        value: new Redacted("sk-1"),
        hosts: names.map((name) => parseEgressHost(`${name}:${port}`)!),
      },
    ],
    trusted: [authority.certificate],
    onModelRequest: (request) => void ungated.push(request),
    modelGate: () => ({
      readsBody,
      admit(request, signal) {
        asked.push(request);
        return decide(signal);
      },
    }),
  });
});
afterEach(() => proxy.close());
afterAll(() => {
  dns.lookup = lookup;
  syncBuiltinESMExports();
  host.close();
});

const usage = '{"usage":{"prompt_tokens":3,"completion_tokens":4}}';
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${usage.length}\r\n\r\n${usage}`;
const chat = "/v1/chat/completions";
const body = '{"model": "gpt-5", "max_tokens": 100}';
const json = "content-type: application/json";
const withLength = (text: string) => [key, json, `content-length: ${text.length}`];
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

async function ask(headers: string[], sent: string, name = openai, path = chat): Promise<string> {
  return answerTo(await proxy.tunnel(name, port), written(`POST ${path}`, headers, sent));
}

test.each<[title: string, headers: string[], sent: string]>([
  ["a length", withLength(body), body],
  ["chunks", [key, json, "transfer-encoding: chunked"], chunked(body)],
])("a request with %s goes out whole once it is admitted", async (_title, headers, sent) => {
  decide = () => {
    expect(saw).toBe("");
    return Promise.resolve(admit);
  };
  expect(await ask(headers, sent)).toContain(usage);
  expect(saw).toContain("authorization: Bearer sk-1");
  expect(saw.endsWith(sent)).toBe(true);
  const inputMax = body.length + 1_000;
  const worst = { tokensMax: inputMax + 100, inputMax, model: "gpt-5" };
  expect(asked).toEqual([{ host: `${openai}:${port}`, format: "openai-chat", ...worst }]);
  expect(ungated).toEqual([]);
  expect(await admitted[0]!.result).toMatchObject({ input: 3, output: 4, status: 200, isComplete: true });
});

test("counts that the request can hide do not replace what it has reserved", async () => {
  const mask = "?alt=sse&%66ields=usageMetadata.promptTokenCount";
  await ask(withLength(body), body, gemini, `/v1beta/models/g:generateContent${mask}`);
  expect(await admitted[0]!.result).toMatchObject({ status: 200, isComplete: false });
  await ask([...withLength(body), "x-goog-fieldmask: candidates"], body, gemini, "/v1beta/models/g:generateContent");
  expect(await admitted[1]!.result).toMatchObject({ status: 200, isComplete: false });
  await ask(withLength(body), body, gemini, "/v1beta/openai/chat/completions?$httpHeaders=x");
  expect(await admitted[2]!.result).toMatchObject({ status: 200, isComplete: false });
  expect(asked.map(({ tokensMax }) => tokensMax)).toEqual([null, null, null]);
  await ask(withLength(body), body, gemini, "/v1beta/openai/chat/completions?alt=sse&key=1");
  expect(await admitted[3]!.result).toMatchObject({ status: 200, isComplete: true });
});

test("a gate that does not need bodies gets none", async () => {
  readsBody = false;
  expect(await ask(withLength(body), body)).toContain(usage);
  expect(asked).toMatchObject([{ tokensMax: null }]);
});

test("a body that is too large to be held goes out as a stream", async () => {
  const large = `{"max_tokens": 100, "x": "${"y".repeat(9 * 1024 ** 2)}"}`;
  expect(await ask([key, "transfer-encoding: chunked"], chunked(large))).toContain(usage);
  expect(asked).toMatchObject([{ tokensMax: null, model: null }]);
  expect(saw.length).toBeGreaterThan(large.length);
});

test.each<[format: string, name: string, path: string, error: object]>([
  ["openai-chat", openai, chat, { error: { type: "insufficient_quota", code: "insufficient_quota", message: "why" } }],
  ["anthropic-messages", anthropic, "/v1/messages", { type: "error", error: { message: "why" } }],
  ["gemini", gemini, "/v1beta/models/g:generateContent", { error: { status: "RESOURCE_EXHAUSTED", message: "why" } }],
])(
  "a request of %s that is refused gets the provider's error, and does not go out",
  async (format, name, path, error) => {
    let refusals = 0;
    decide = () =>
      Promise.resolve({ isAdmitted: false, isTemporary: false, reason: "why", onRefused: () => void (refusals += 1) });
    const got = await ask(withLength(body), body, name, path);
    expect(got).toMatch(/^HTTP\/1\.1 429 /);
    expect(got).toContain("x-should-retry: false");
    expect(JSON.parse(got.slice(got.indexOf("{"), got.lastIndexOf("}") + 1))).toMatchObject(error);
    await waitUntil(() => refusals === 1, { what: "the report of the refusal" });
    expect([saw, asked[0]?.format, admitted, ungated]).toEqual(["", format, [], []]);
  },
);

test("what can be tried again gets another status", async () => {
  decide = () => Promise.resolve({ isAdmitted: false, isTemporary: true, reason: "why" });
  const got = await ask(withLength(body), body);
  expect(got).toMatch(/^HTTP\/1\.1 503 /);
  expect(got).not.toContain("x-should-retry");
});

test("a WebSocket to a model is refused", async () => {
  const upgrade = [
    key,
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-key: x",
    "sec-websocket-version: 13",
  ];
  expect(await answerTo(await proxy.tunnel(openai, port), written("GET /v1/realtime", upgrade))).toBe("");
  expect(saw).toBe("");
});

test("what the client still sends of a refused request is read", async () => {
  readsBody = false;
  decide = () => Promise.resolve({ isAdmitted: false, isTemporary: false, reason: "why" });
  const large = "x".repeat(4 * 1024 ** 2);
  expect(await ask(withLength(large), large)).toContain("429");
  expect(saw).toBe("");
});

test.each<[title: string, name: string, path: string]>([
  ["a request", openai, chat],
  ["a request that can hide counts", gemini, "/v1beta/models/g:generateContent?fields=x"],
])("%s whose client leaves while it waits does not go out, and has used nothing", async (_title, name, path) => {
  const admission = Promise.withResolvers<ModelAdmission>();
  let isLeft = false;
  decide = (signal) => {
    signal.addEventListener("abort", () => (isLeft = true));
    return admission.promise;
  };
  const client = await proxy.tunnel(name, port);
  client.on("error", () => {});
  client.write(written(`POST ${path}`, withLength(body), body));
  await waitUntil(() => asked.length === 1, { what: "the request" });
  client.destroy();
  await waitUntil(() => isLeft, { what: "the client's end" });
  admission.resolve(admit);
  await waitUntil(() => admitted.length === 1, { what: "the report" });
  expect(await admitted[0]!.result).toMatchObject({ status: null, isComplete: true });
  expect(saw).toBe("");
});

test("a client whose host closes while it waits is disconnected", async () => {
  const admission = Promise.withResolvers<ModelAdmission>();
  decide = () => admission.promise;
  const client = await proxy.tunnel(openai, port);
  client.on("error", () => {});
  client.write(written(`POST ${chat}`, withLength(body), body));
  await waitUntil(() => asked.length === 1 && sockets.length === 1, { what: "the request" });
  const closed = once(client.resume(), "close");
  sockets[0]!.destroy();
  await closed;
  admission.resolve(admit);
  await waitUntil(() => admitted.length === 1, { what: "the report" });
  expect(await admitted[0]!.result).toMatchObject({ status: null, isComplete: true });
});

test("pipelined requests that wait when their client leaves are over, too", async () => {
  const signals: AbortSignal[] = [];
  decide = (signal) => {
    signals.push(signal);
    return new Promise(() => {});
  };
  const client = await proxy.tunnel(openai, port);
  client.on("error", () => {});
  client.write(written(`POST ${chat}`, [...withLength(body), "connection: keep-alive"], body).repeat(4));
  await waitUntil(() => asked.length === 4, { what: "the requests" });
  client.destroy();
  await waitUntil(() => signals.every(({ aborted }) => aborted), { what: "their end" });
});
