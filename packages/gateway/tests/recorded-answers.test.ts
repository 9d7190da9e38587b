// Recorded answers: a whole answer is recorded, an equal request of a later attempt gets it, and everything else is
// forwarded as if nothing were recorded.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { recordedAnswerLimits, parseEgressHost, Redacted } from "@dari/domain";
import { listening, waitUntil } from "@dari/testkit";
import { createAuthority } from "../src/secrets/create-authority.ts";
import type { AnswerRecorder, AnswerResult, ModelGate, ModelRequest, RecordedAnswer } from "../src/index.ts";
import { answerTo, openRawProxy, written, type RawProxy } from "./raw-proxy.ts";

const openai = "api.openai.com";
const authority = createAuthority([openai]);
const key = "authorization: Bearer dari_key";

const { lookup } = dns;
let host: ReturnType<typeof createTlsServer>;
let proxy: RawProxy;
let port: number;
/** What the host answers to the data of a connection. */
let reply: (socket: TLSSocket, saw: string) => void;
let asked: string[];
let requests: ModelRequest[];
let recorder: MemoryRecorder | undefined;
let gate: ModelGate | undefined;

/** Records the answers of one attempt in memory, with one number for each digest. */
class MemoryRecorder implements AnswerRecorder {
  readonly recorded: ReadonlyMap<string, RecordedAnswer>;
  readonly results: { digest: string; result: AnswerResult }[] = [];
  heldBytes = 0;
  isSettled = Promise.resolve();
  open = 0;

  constructor(recorded: ReadonlyMap<string, RecordedAnswer> = new Map()) {
    this.recorded = recorded;
  }

  readonly room = {
    take: (bytes: number): boolean => {
      this.heldBytes += bytes;
      return true;
    },
    give: (bytes: number): void => void (this.heldBytes -= bytes),
  };
  begin(digest: string | undefined) {
    if (digest === undefined) return undefined;
    this.open += 1;
    const answer = this.recorded.get(digest);
    return {
      find: () => Promise.resolve(answer && { answer, release: () => undefined }),
      end: async (result: Promise<AnswerResult>) => {
        this.results.push({ digest, result: await result });
        this.open -= 1;
      },
    };
  }
  settled = (): Promise<void> => this.isSettled;

  /** Resolves with what the requests got, once none is open and no byte is held. */
  async ended(count = 1): Promise<AnswerResult[]> {
    await waitUntil(() => this.results.length >= count && this.open === 0 && this.heldBytes === 0, {
      what: "the requests to end",
    });
    return this.results.map(({ result }) => result);
  }
  /** The recorder of the next attempt. */
  next(): MemoryRecorder {
    const answers = this.results.flatMap(({ digest, result }) =>
      typeof result === "string" ? [] : [[digest, { ...result, body: Buffer.from(result.body) }] as const],
    );
    return new MemoryRecorder(new Map(answers));
  }
}

beforeAll(async () => {
  dns.lookup = (() => Promise.resolve([{ address: "127.0.0.1", family: 4 }])) as unknown as typeof lookup;
  syncBuiltinESMExports();
  host = createTlsServer({ SNICallback: (name, done) => done(null, authority.contextFor(name)) }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk: Buffer) => {
      asked.push(chunk.toString("latin1"));
      reply(socket, asked.at(-1)!);
    });
  });
  port = await listening(host);
});
beforeEach(async () => {
  [asked, requests, recorder, gate] = [[], [], new MemoryRecorder(), undefined];
  proxy = await openProxy("dari_key");
});
afterEach(() => proxy.close());
afterAll(() => {
  dns.lookup = lookup;
  syncBuiltinESMExports();
  host.close();
});

const openProxy = (placeholder: string): Promise<RawProxy> =>
  openRawProxy({
    policy: { mode: "off", rules: [{ kind: "service", name: openai, port }] },
    secrets: [
      { name: "KEY", placeholder, value: new Redacted("sk-1"), hosts: [parseEgressHost(`${openai}:${port}`)!] },
    ],
    trusted: [authority.certificate],
    onModelRequest: (request) => void requests.push(request),
    findAnswerRecorder: () => recorder,
    modelGate: () => gate,
  });
const post = (body = "{}", headers: string[] = [], path = "/v1/chat/completions") =>
  written(`POST ${path}`, [key, `content-length: ${Buffer.byteLength(body)}`, ...headers], body);
const head = (headers: string[], status = "200 OK") => `HTTP/1.1 ${status}\r\n${headers.join("\r\n")}\r\n\r\n`;
const ask = async (sent = post()): Promise<string> => answerTo(await proxy.tunnel(openai, port), sent);
const usage = { prompt_tokens: 3, completion_tokens: 4 };
const body = JSON.stringify({ model: "gpt-5", choices: [{ finish_reason: "stop" }], usage });
const [json, stream] = ["content-type: application/json", "content-type: text/event-stream"];
const whole = head([json, "x-request-id: req_1", "x-ratelimit-remaining: 9", `content-length: ${body.length}`]) + body;
const unended = JSON.stringify({ status: "queued", padding: body, choices: [{ finish_reason: null }] });
const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4);

test("an answer is recorded without what belongs to its moment, and served to the next attempt", async () => {
  reply = (socket) => void socket.end(whole);
  expect(bodyOf(await ask())).toBe(body);
  const [recorded] = await recorder!.ended();
  const headers = { "content-type": "application/json", "x-request-id": "req_1" };
  expect(recorded).toMatchObject({ status: 200, headers, model: "gpt-5", finishReason: "stop" });
  expect(JSON.stringify(recorded)).not.toContain("sk-1");
  expect(asked[0]).toContain("authorization: Bearer sk-1");

  recorder = recorder!.next();
  const served = await ask();
  expect(served).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(served).toContain("x-request-id: req_1");
  expect(served).not.toContain("x-ratelimit");
  expect(bodyOf(served)).toBe(body);
  expect(asked).toHaveLength(1);
  expect(await recorder.ended()).toEqual(["unrecorded"]);
  const [live, replayed] = await Promise.all(requests.map(({ result }) => result));
  expect(live).toMatchObject({ input: 3, output: 4, isRecorded: false });
  const counts = { input: null, output: null, model: "gpt-5", status: 200, isComplete: true };
  expect(replayed).toMatchObject({ ...counts, isRecorded: true });
});

test("another process, with another placeholder, gets the answer", async () => {
  reply = (socket) => void socket.end(whole);
  await ask();
  const basic = (placeholder: string) => `authorization: Basic ${Buffer.from(`u:${placeholder}`).toString("base64")}`;
  await ask(written("POST /v1/chat/completions?basic", [basic("dari_key"), "content-length: 2"], "{}"));
  await recorder!.ended(2);
  recorder = recorder!.next();
  proxy.close();
  proxy = await openProxy("other_key");
  const other = (path: string, header: string) => ask(written(`POST ${path}`, [header, "content-length: 2"], "{}"));
  expect(bodyOf(await other("/v1/chat/completions", "authorization: Bearer other_key"))).toBe(body);
  expect(bodyOf(await other("/v1/chat/completions?basic", basic("other_key")))).toBe(body);
  expect(asked).toHaveLength(2);
  for (const text of ["another", "KEY"]) await other("/v1/chat/completions", `authorization: Bearer ${text}`);
  expect(asked).toHaveLength(4);
});

test("another request of the next attempt goes to the model", async () => {
  reply = (socket) => void socket.end(whole);
  await ask();
  await recorder!.ended();
  recorder = recorder!.next();
  await ask(post('{"other":1}'));
  expect(asked).toHaveLength(2);
  expect(asked[1]).toMatch(/\r\n\r\n\{"other":1\}$/);
});

test.each<[title: string, said: () => string, result: unknown]>([
  ["an error", () => head([json, "content-length: 2"], "429 Too Many Requests") + "{}", "failed"],
  ["no answer", () => "", "failed"],
  [
    "an error before the end of a stream",
    () => head([stream, "connection: close"]) + `data: {"error":{"message":"x"}}\n\ndata: ${body}\n\ndata: [DONE]\n\n`,
    "failed",
  ],
  ["a page", () => head(["content-type: text/html", "content-length: 9"]) + "<p>Hi</p>", "unrecorded"],
  ["a text for an error", () => head([json, "content-length: 18"]) + '{"error":"a text"}', "unrecorded"],
  ["an answer without an end", () => head([json, `content-length: ${unended.length}`]) + unended, "unrecorded"],
  ["a document that is cut", () => head([json, "content-length: 999"]) + body, "failed"],
  ["a stream that is cut", () => head([stream]) + `data: ${body}`, "unrecorded"],
  [
    "a stream that ends as an error",
    () => head([stream, "connection: close"]) + 'data: {"error":{"message":"overloaded"}}\n\ndata: [DONE]\n\n',
    "failed",
  ],
  [
    "an unknown encoding",
    () => head([json, "content-encoding: x", `content-length: ${body.length}`]) + body,
    "unrecorded",
  ],
  [
    "an answer that is too large",
    () =>
      head([json, `content-length: ${recordedAnswerLimits.bytesPerAnswer + body.length}`]) +
      " ".repeat(recordedAnswerLimits.bytesPerAnswer) +
      body,
    "unrecorded",
  ],
])("%s is not recorded, and passes", async (_title, said, result) => {
  reply = (socket) => void socket.end(said());
  const got = await ask();
  expect(await recorder!.ended()).toEqual([result]);
  if (result === "unrecorded") expect(got).toContain(" 200 OK");
});

test("a compressed answer is recorded and served as it is", async () => {
  const packed = gzipSync(body);
  reply = (socket) => {
    socket.write(head([json, "content-encoding: gzip", `content-length: ${packed.length}`]));
    socket.end(packed);
  };
  await ask();
  expect(await recorder!.ended()).toEqual([expect.objectContaining({ body: packed })]);
  recorder = recorder!.next();
  const served = await ask();
  expect(served).toContain("content-encoding: gzip");
  expect(bodyOf(served)).toBe(packed.toString("latin1"));
});

test("a stream that its reader leaves after the last event is recorded", async () => {
  const events = `data: ${body}\n\ndata: [DONE]\n\n`;
  reply = (socket) => void socket.write(head([stream]) + events);
  const client = await proxy.tunnel(openai, port);
  client.write(post());
  let got = "";
  client.on("data", (chunk: Buffer) => (got += chunk.toString()));
  await waitUntil(() => got.includes("[DONE]"), { what: "the last event" });
  client.destroy();
  expect(await recorder!.ended()).toEqual([expect.objectContaining({ body: Buffer.from(events) })]);
});

test("a stream that its reader leaves before the last event is not", async () => {
  reply = (socket) => void socket.write(head([stream]) + 'data: {"choices":[]}\n\n');
  const client = await proxy.tunnel(openai, port);
  client.write(post());
  await once(client, "data");
  client.destroy();
  expect(await recorder!.ended()).toEqual(["failed"]);
});

test("a recorded answer passes no gate, and a request that is refused leaves nothing", async () => {
  reply = (socket) => void socket.end(whole);
  await ask();
  await recorder!.ended();
  recorder = recorder!.next();
  let admitted = 0;
  gate = {
    readsBody: true,
    admit: () => {
      admitted += 1;
      if (admitted > 1) return Promise.resolve({ isAdmitted: true, report: (request) => void requests.push(request) });
      return Promise.resolve({ isAdmitted: false, isTemporary: false, reason: "limit reached" });
    },
  };
  expect(bodyOf(await ask())).toBe(body);
  expect(admitted).toBe(0);
  const other = post('{"max_tokens":5}');
  expect(await ask(other)).toMatch(/^HTTP\/1.1 429 /);
  expect(asked).toHaveLength(1);
  expect(bodyOf(await ask(other))).toBe(body);
  expect(await recorder.ended(3)).toEqual([
    "unrecorded",
    "failed",
    expect.objectContaining({ body: Buffer.from(body) }),
  ]);
});

describe("the next request", () => {
  test("waits until earlier answers are stored", async () => {
    const stored = Promise.withResolvers<void>();
    recorder!.isSettled = stored.promise;
    reply = (socket) => void socket.end(whole);
    const answer = ask();
    await waitUntil(() => recorder!.open === 1, { what: "the request" });
    expect(asked).toEqual([]);
    stored.resolve();
    expect(bodyOf(await answer)).toBe(body);
  });

  test("is not sent if its client leaves while it waits", async () => {
    const stored = Promise.withResolvers<void>();
    recorder!.isSettled = stored.promise;
    const client = await proxy.tunnel(openai, port);
    client.on("error", () => {});
    client.write(post());
    await waitUntil(() => recorder!.open === 1, { what: "the request" });
    client.destroy();
    // Meanwhile, the proxy notices it.
    reply = (socket) => void socket.end(whole);
    await ask(post("{}", [], "/v1/embeddings"));
    stored.resolve();
    expect(await recorder!.ended()).toEqual(["failed"]);
    expect(asked).toHaveLength(1);
  });
});

test("a body that is too large to be held passes unrecorded, and so does all without a recorder", async () => {
  const large = JSON.stringify({ text: "x".repeat(9 * 1024 ** 2) });
  let seen = 0;
  reply = (socket, first) => {
    seen = first.length;
    socket.on("data", (chunk: Buffer) => {
      seen += chunk.length;
      if (seen > large.length) socket.end(whole);
    });
  };
  expect(bodyOf(await ask(post(large)))).toBe(body);
  expect(recorder!.results).toEqual([]);
  recorder = undefined;
  reply = (socket) => void socket.end(whole);
  expect(bodyOf(await ask())).toBe(body);
  // Neither are requests that are not metered.
  recorder = new MemoryRecorder();
  expect(bodyOf(await ask(post("{}", [], "/v1/embeddings")))).toBe(body);
  expect(recorder.results).toEqual([]);
});

test("pipelined requests whose client leaves give everything back", async () => {
  reply = () => {};
  const client = await proxy.tunnel(openai, port);
  client.on("error", () => {});
  client.write(post("{}", ["connection: keep-alive"]).repeat(3));
  await waitUntil(() => asked.length === 1, { what: "the first request" });
  client.destroy();
  const results = await recorder!.ended(1);
  expect(new Set(results)).toEqual(new Set(["failed"]));
});
