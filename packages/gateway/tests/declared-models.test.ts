// Hosts of models that dari.yml names: their requests are metered with or without a secret, in HTTPS and in plain HTTP,
// whichever way a client takes through the sandbox's network.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import dns from "node:dns/promises";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { parseEgressHost, Redacted, type DeclaredModel } from "@dari/domain";
import { listening, waitUntil } from "@dari/testkit";
import { createAuthority } from "../src/secrets/create-authority.ts";
import { createDeclaredModels } from "../src/models/declared-models.ts";
import type { EgressOptions, ModelRequest } from "../src/index.ts";
import { answerTo, openRawProxy, written, type RawProxy } from "./raw-proxy.ts";

const name = "llm.example.com";
const authority = createAuthority([name]);
const usage = { prompt_tokens: 3, completion_tokens: 4 };
const body = JSON.stringify({ model: "local", choices: [{ finish_reason: "stop" }], usage });
const counted = { model: "local", input: 3, output: 4, status: 200, isComplete: true };
const chat = "/v1/chat/completions";
const key = "authorization: Bearer dari_key";
const post = (path = chat, headers: string[] = []) =>
  written(`POST ${path}`, [key, "content-length: 2", ...headers], "{}");

const { lookup } = dns;
let servers: Server[];
let [secure, plain]: [number, number] = [0, 0];
let seen: IncomingMessage[];
let requests: ModelRequest[];
let proxy: RawProxy;

const answer: RequestListener = (request, response) => {
  seen.push(request);
  request.resume();
  response.writeHead(200, { "content-type": "application/json" }).end(body);
};

beforeAll(async () => {
  dns.lookup = (() => Promise.resolve([{ address: "127.0.0.1", family: 4 }])) as unknown as typeof lookup;
  syncBuiltinESMExports();
  servers = [
    createTlsServer({ SNICallback: (asked, done) => done(null, authority.contextFor(asked)) }, answer),
    createServer(answer),
  ];
  [secure, plain] = await Promise.all([listening(servers[0]!), listening(servers[1]!)]);
});
beforeEach(async () => {
  [seen, requests] = [[], []];
  proxy = await open();
});
afterEach(() => proxy.close());
afterAll(() => {
  dns.lookup = lookup;
  syncBuiltinESMExports();
  for (const server of servers) server.close();
});

async function open(options: Partial<EgressOptions> = {}): Promise<RawProxy> {
  return openRawProxy({
    policy: {
      mode: "off",
      rules: [
        { kind: "service", name, port: secure },
        { kind: "service", name, port: plain },
        { kind: "endpoint", address: "127.0.0.1", port: plain },
      ],
    },
    trusted: [authority.certificate],
    models: [
      { host: `${name}:${secure}`, scheme: "https", format: "openai-chat" },
      { host: `${name}:${plain}`, scheme: "http", path: "/v1", format: "openai-chat" },
      { host: `127.0.0.1:${plain}`, scheme: "http", format: "openai-chat" },
    ],
    onModelRequest: (request) => void requests.push(request),
    ...options,
  });
}

/** Opens a tunnel in which nothing is encrypted. */
async function plainTunnel(host: string): Promise<Socket> {
  const socket = proxy.connect();
  socket.write(`CONNECT ${host}:${plain} HTTP/1.1\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

test("HTTPS to a declared host is metered without a secret", async () => {
  expect(await answerTo(await proxy.tunnel(name, secure), post())).toContain(body);
  expect(requests).toMatchObject([{ host: `${name}:${secure}`, format: "openai-chat" }]);
  expect(await requests[0]!.result).toMatchObject(counted);
  // The agent's own key passes.
  expect(seen[0]!.headers).toMatchObject({ host: `${name}:${secure}`, authorization: "Bearer dari_key" });
});

test.each<[title: string, ask: () => Promise<string>, host: string]>([
  ["the proxy, by a whole URL", () => answerTo(proxy.connect(), post(`http://${name}:${plain}${chat}?x=1`)), name],
  ["a tunnel", async () => answerTo(await plainTunnel(name), post(`${chat}?x=1`)), name],
  ["a tunnel to an address", async () => answerTo(await plainTunnel("127.0.0.1"), post(`${chat}?x=1`)), "127.0.0.1"],
  [
    "an address in another spelling",
    () => answerTo(proxy.connect(), post(`http://0x7f.1:${plain}${chat}?x=1`)),
    "127.0.0.1",
  ],
])("plain HTTP is metered through %s", async (_title, ask, host) => {
  expect(await ask()).toContain(body);
  expect(requests).toMatchObject([{ host: `${host}:${plain}`, format: "openai-chat" }]);
  expect(await requests[0]!.result).toMatchObject(counted);
  expect(seen[0]).toMatchObject({ url: `${chat}?x=1`, headers: { host: `${host}:${plain}` } });
});

test("one connection of the proxy serves several hosts, and requests at once", async () => {
  const keep = ["connection: keep-alive"];
  const other = createServer(answer);
  const port = await listening(other);
  proxy.close();
  proxy = await open({
    policy: {
      mode: "off",
      rules: [
        { kind: "service", name, port: plain },
        { kind: "endpoint", address: "127.0.0.1", port },
      ],
    },
  });
  const asked = [`${name}:${plain}`, `127.0.0.1:${port}`, `${name}:${plain}`].map((host) => `http://${host}${chat}`);
  const sent = asked.map((url, at) => post(url, at < 2 ? keep : [])).join("");
  expect((await answerTo(proxy.connect(), sent)).split("HTTP/1.1 200").length).toBe(4);
  expect(requests).toHaveLength(2);
  for (const { result } of requests) expect(await result).toMatchObject(counted);
  other.close();
});

test("only the declared path, host, port and method are metered", async () => {
  for (const path of ["/v2/chat/completions", "/chat/completions", "/v1/completions", "/v1/models"]) {
    expect(await answerTo(proxy.connect(), post(`http://${name}:${plain}${path}`))).toContain(body);
  }
  expect(await answerTo(proxy.connect(), written(`GET http://${name}:${plain}${chat}`))).toContain(body);
  expect(requests).toEqual([]);
  const spellings = ["/v1/Chat/Completions", "/v1//chat/completions/", "/v1/x/../chat/%63ompletions"];
  spellings.push("/x%2f..%2fv1/chat/completions", "/v1/chat/x%252f%252e%252e%252fcompletions");
  spellings.push("/v1/chat;x/completions;y");
  for (const path of spellings) {
    expect(await answerTo(proxy.connect(), post(`http://${name}:${plain}${path}`))).toContain(body);
  }
  expect(requests).toHaveLength(spellings.length);
});

test("an HTTPS host is not reached in plain HTTP, where it would not be read", async () => {
  const said = await answerTo(proxy.connect(), post(`http://${name}:${secure}${chat}`));
  expect(said).toMatch(/^HTTP\/1.1 403 /);
  expect(said).toContain("use https://");
  expect(proxy.records).toMatchObject([{ host: name, port: secure, verdict: "refused" }]);
});

test("a tunnel to a plain host carries nothing but HTTP", async () => {
  for (const sent of ["\x16\x03\x01\x00\x05hello", "SSH-2.0-x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]) {
    expect(await answerTo(await plainTunnel(name), sent)).not.toContain("200");
  }
  expect(await answerTo(await plainTunnel(name), post("http://other.example/x"))).toMatch(/^HTTP\/1.1 400 /);
  expect(await answerTo(await plainTunnel(name), written("TRACE /"))).toMatch(/^HTTP\/1.1 405 /);
  expect(seen).toEqual([]);
});

test("a value is not inserted into plain HTTP, also if its host is declared so", async () => {
  proxy.close();
  const hosts = [parseEgressHost(name)!];
  proxy = await open({ secrets: [{ placeholder: "dari_key", value: new Redacted("sk-1"), hosts }] });
  await answerTo(proxy.connect(), post(`http://${name}:${plain}${chat}`));
  await answerTo(await plainTunnel(name), post());
  await answerTo(await proxy.tunnel(name, secure), post());
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([
    "Bearer dari_key",
    "Bearer dari_key",
    "Bearer sk-1",
  ]);
  expect(requests).toHaveLength(3);
});

test("a gate refuses a declared host in its format's words, and WebSockets, which are not metered", async () => {
  proxy.close();
  const asked: object[] = [];
  const reason = "limit reached";
  proxy = await open({
    modelGate: () => ({
      readsBody: true,
      admit(request) {
        asked.push(request);
        return Promise.resolve({ isAdmitted: false, isTemporary: false, reason });
      },
    }),
  });
  const limited = post(chat, ["content-type: application/json"]).replace(/\{\}$/, "{}");
  const said = await answerTo(proxy.connect(), limited.replace(`POST ${chat}`, `POST http://${name}:${plain}${chat}`));
  expect(said).toMatch(/^HTTP\/1.1 429 [^]*"message":"limit reached"/);
  expect(await answerTo(await plainTunnel(name), limited)).toMatch(/^HTTP\/1.1 429 /);
  expect(asked).toHaveLength(2);
  const upgrade = ["connection: Upgrade", "upgrade: websocket"];
  expect(await answerTo(await plainTunnel(name), written("GET /v1/realtime", upgrade))).toBe("");
  expect(await answerTo(await proxy.tunnel(name, secure), written("GET /v1/realtime", upgrade))).toBe("");
  expect(seen).toEqual([]);
});

test("a host that hangs up ends the client's tunnel", async () => {
  const sockets: Socket[] = [];
  const quiet = createTcpServer((socket) => void sockets.push(socket.on("error", () => {})));
  const port = await listening(quiet);
  proxy.close();
  const model = { host: `${name}:${port}`, scheme: "http", format: "openai-chat" } as const;
  proxy = await open({ policy: { mode: "off", rules: [{ kind: "service", name, port }] }, models: [model] });
  const client = proxy.connect();
  client.write(`CONNECT ${name}:${port} HTTP/1.1\r\n\r\n`);
  await once(client, "data");
  client.write(post());
  await waitUntil(() => sockets.length === 1, { what: "the host's connection" });
  sockets[0]!.end();
  await once(client.resume(), "close");
  expect(await requests[0]!.result).toMatchObject({ status: null, isComplete: false });
  quiet.close();
});

test("a client that leaves while its answer streams ends the host's connection", async () => {
  const closed = Promise.withResolvers<void>();
  const streaming = createServer((request, response) => {
    request.resume();
    response.write("data: {");
    response.once("close", () => closed.resolve());
  });
  const port = await listening(streaming);
  proxy.close();
  const model = { host: `${name}:${port}`, scheme: "http", format: "openai-chat" } as const;
  proxy = await open({ policy: { mode: "off", rules: [{ kind: "service", name, port }] }, models: [model] });
  const client = proxy.connect();
  client.write(post(`http://${name}:${port}${chat}`));
  await once(client, "data");
  client.destroy();
  await closed.promise;
  expect(await requests[0]!.result).toMatchObject({ status: 200, isComplete: false });
  streaming.close();
});

test("paths of each format, below any base or only the declared one", () => {
  const find = (model: Partial<DeclaredModel>, path: string) =>
    createDeclaredModels([{ host: name, scheme: "https", format: "openai-chat", ...model }]).find(
      { host: `${name}.`, port: 443 },
      "POST",
      path,
    );
  expect(find({}, "/openai/deployments/x/chat/completions?api-version=1")).toEqual({ format: "openai-chat" });
  expect(find({ path: "/v1" }, "/V1/chat/completions")).toEqual({ format: "openai-chat" });
  expect(find({ path: "/v1" }, "/v1/x/chat/completions")).toBeUndefined();
  expect(find({ path: "/v1" }, "/v1chat/completions")).toBeUndefined();
  expect(find({ format: "openai-responses" }, "/v1/responses/compact")).toEqual({ format: "openai-responses" });
  expect(find({ format: "anthropic-messages" }, "/v1/messages?beta=true")).toEqual({ format: "anthropic-messages" });
  expect(find({ format: "anthropic-messages" }, "/v1/messages/count_tokens")).toBeUndefined();
  const gemini = find({ format: "gemini", path: "/v1beta" }, "/v1beta/models/Gemini-3:streamGenerateContent");
  expect(gemini).toEqual({ format: "gemini", model: "Gemini-3" });
  const pattern = createDeclaredModels([{ host: "*.example.com", scheme: "https", format: "gemini" }]);
  expect(pattern.schemeOf({ host: name, port: 443 })).toBeUndefined();
});
