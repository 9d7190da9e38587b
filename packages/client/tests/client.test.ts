// Tests the client over real HTTP on loopback: what it sends, how it fails, and what it retries.

import { describe, expect, test } from "@jest/globals";
import { getEventListeners } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { ApiError, ConnectionError, createClient, eachRow, isLedgerEvent } from "@dari/client";
import { reply, serve } from "./serve.ts";

describe("a call", () => {
  test("sends the key, the query and the body", async () => {
    const seen: unknown[] = [];
    const { client } = await serve((request, response) => {
      void text(request).then((body) => {
        const { method, url, headers } = request;
        seen.push([method, url, headers.authorization, headers["idempotency-key"], body]);
        reply(response, 200, {});
      });
    });
    await client.listSessions({ agent_id: "agt_1", limit: 2, metadata: { "a b": "c&d" } });
    await client.createSession("agt/1", { name: "n" }, { idempotencyKey: "k" });
    await client.completeSession("sess_1", { cancel: true });
    await client.retryMessage("msg_1", {}, { idempotencyKey: "k" });
    expect(seen).toEqual([
      ["GET", "/v1/sessions?agent_id=agt_1&limit=2&metadata.a+b=c%26d", "Bearer dari_test", undefined, ""],
      ["POST", "/v1/agents/agt%2F1/sessions", "Bearer dari_test", "k", '{"name":"n"}'],
      ["POST", "/v1/sessions/sess_1/complete?cancel=1", "Bearer dari_test", undefined, ""],
      ["POST", "/v1/messages/msg_1/retry", "Bearer dari_test", "k", "{}"],
    ]);
  });

  test("reaches the routes that clients of the hosted service use", async () => {
    const seen: unknown[] = [];
    const { client } = await serve((request, response) => {
      void text(request).then((body) => {
        seen.push([request.method, request.url, body]);
        reply(response, 200, {});
      });
    });
    const message = { type: "user.message" as const, content: [{ type: "text" as const, text: "hi" }] };
    await client.listAgentSessions("agt_1", { name: "n", limit: 2 });
    await client.sendSessionEvent("sess_1", message);
    await client.sendAgentMessage("agt_1", message);
    await client.getAgentWebhook("agt_1");
    await client.putAgentWebhook("agt_1", { webhook_url: "https://example.com/" });
    await client.deleteAgentWebhook("agt_1");
    await client.rotateAgentWebhookSecret("agt_1");
    const event = JSON.stringify(message);
    expect(seen).toEqual([
      ["GET", "/v1/agents/agt_1/sessions?name=n&limit=2", ""],
      ["POST", "/v1/sessions/sess_1/events", event],
      ["POST", "/v1/agents/agt_1/messages", event],
      ["GET", "/v1/agents/agt_1/webhook", ""],
      ["PUT", "/v1/agents/agt_1/webhook", '{"webhook_url":"https://example.com/"}'],
      ["DELETE", "/v1/agents/agt_1/webhook", ""],
      ["POST", "/v1/agents/agt_1/webhook/rotate-secret", ""],
    ]);
  });

  test("puts the arguments of a method into path, query and body as its route says", async () => {
    const seen: unknown[] = [];
    const { client } = await serve((request, response) => {
      void text(request).then((body) => {
        seen.push([request.method, request.url, request.headers["idempotency-key"], body]);
        reply(response, 200, {});
      });
    });
    const key = { idempotencyKey: "k" };
    await client.getVersion("agt_1", "ver_1");
    await client.listVersions("agt_1", { limit: 2 });
    await client.listCredentials(undefined, { after: "a" });
    await client.createApiKey({ label: "ci", scopes: ["deploy"] }, "org_1", key);
    await client.revokeApiKey("key_1");
    await client.forkSession("sess_1", undefined, key);
    expect(seen).toEqual([
      ["GET", "/v1/agents/agt_1/versions/ver_1", undefined, ""],
      ["GET", "/v1/agents/agt_1/versions?limit=2", undefined, ""],
      ["GET", "/v1/organizations/current/credentials?after=a", undefined, ""],
      ["POST", "/v1/organizations/org_1/api-keys", "k", '{"label":"ci","scopes":["deploy"]}'],
      ["DELETE", "/v1/organizations/current/api-keys/key_1", undefined, ""],
      ["POST", "/v1/sessions/sess_1/fork", "k", "{}"],
    ]);
  });

  test("throws what the platform refused", async () => {
    const { client } = await serve((_request, response) => {
      const errors = [{ path: "parts", message: "field is required" }];
      const body = { detail: "invalid body", code: "invalid", request_id: "r1", errors };
      reply(response, 422, body, { "retry-after": "3" });
    });
    const error: unknown = await client.getAgent("agt_1").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 422,
      code: "invalid",
      message: "invalid body",
      requestId: "r1",
      retryAfterSeconds: 3,
      errors: [{ path: "parts", message: "field is required" }],
    });
  });

  test("reports an answer that is not the platform's", async () => {
    const { client } = await serve((_request, response) => void response.writeHead(502).end("bad gateway"));
    const expected = { status: 502, code: "unknown", detail: "bad gateway" };
    await expect(client.getAgent("agt_1")).rejects.toMatchObject(expected);
  });

  test("does not follow a redirect", async () => {
    const { client } = await serve((_request, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
    });
    await expect(client.createSession("agt_1")).rejects.toBeInstanceOf(ConnectionError);
  });

  test("is given up in time, and at the caller's word", async () => {
    const { client } = await serve(() => undefined);
    await expect(client.getAgent("agt_1", { timeoutMs: 20 })).rejects.toMatchObject({ timedOut: true });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(client.getAgent("agt_1", { signal })).rejects.toThrow("enough");
  });

  test("leaves no listener on the caller's signal", async () => {
    const { client } = await serve((_request, response) => reply(response, 200, {}));
    const { signal } = new AbortController();
    await client.getAgent("agt_1", { signal });
    await new Response(await client.getFileContent("file_1", { signal })).text();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("ends its body at the caller's word", async () => {
    const { client } = await serve((_request, response) => void response.writeHead(200).write("one"));
    const stop = new AbortController();
    const content = await client.getFileContent("file_1", { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(new Response(content).text()).rejects.toThrow("enough");
  });

  test("names the address that cannot be reached", async () => {
    const client = createClient({ apiUrl: "http://127.0.0.1:1" });
    await expect(client.createSession("agt_1")).rejects.toThrow("cannot reach http://127.0.0.1:1: ");
  });
});

describe("repetition", () => {
  test("reads are repeated when the connection breaks or the platform is unavailable", async () => {
    let calls = 0;
    const { client } = await serve((request, response) => {
      calls += 1;
      if (calls === 1) request.socket.destroy();
      else if (calls === 2) reply(response, 503, { detail: "later", code: "unavailable" }, { "retry-after": "0" });
      else reply(response, 200, { id: "agt_1" });
    });
    expect(await client.getAgent("agt_1")).toEqual({ id: "agt_1" });
    expect(calls).toBe(3);
  });

  test.each([408, 502, 503, 504])(
    "a read that gets %i instead of the platform's answer is repeated",
    async (status) => {
      let calls = 0;
      const { client } = await serve((_request, response) => {
        calls += 1;
        if (calls === 1) response.writeHead(status).end();
        else reply(response, 200, { id: "agt_1" });
      });
      expect(await client.getAgent("agt_1")).toEqual({ id: "agt_1" });
    },
  );

  test.each([408, 502, 504])("a stream whose next connection gets %i is resumed", async (status) => {
    let calls = 0;
    const { client } = await serve((_request, response) => {
      calls += 1;
      if (calls % 2 === 0) return void response.writeHead(status).end();
      const event = {
        sequence_number: calls,
        type: "message.completed",
        data: calls === 1 ? { merged_into: "x" } : {},
      };
      response.writeHead(200, { "content-type": "text/event-stream" }).end(`data: ${JSON.stringify(event)}\n\n`);
    });
    const seen: unknown[] = [];
    for await (const event of client.streamMessage("msg_1")) seen.push(isLedgerEvent(event) && event.sequence_number);
    expect(seen).toEqual([1, 3]);
  });

  test("a stream is read, however its bytes are divided", async () => {
    const events = ["grün", "\u{1f600}", "x".repeat(100_000)].map((text, n) => {
      const type = n < 2 ? "agent.event" : "message.completed";
      return { sequence_number: n + 1, type, data: { text } };
    });
    const written = events.map((event) => `: a comment\n\nid: 1\r\ndata: ${JSON.stringify(event)}\r\n\r\n`).join("");
    const bytes = Buffer.from(written);
    const { client } = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const writeFrom = (at: number): void => {
        // Also splits inside characters.
        const end = at < 200 ? at + 1 : bytes.length;
        response.write(bytes.subarray(at, end), () => (end < bytes.length ? writeFrom(end) : response.end()));
      };
      writeFrom(0);
    });
    const seen: unknown[] = [];
    for await (const event of client.streamMessage("msg_1")) seen.push(event);
    expect(seen).toEqual(events);
  });

  test("leaving a stream closes its connection", async () => {
    const closed = Promise.withResolvers<void>();
    const { client } = await serve((_request, response) => {
      response.on("close", closed.resolve);
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n");
    });
    for await (const _ of client.streamMessage("msg_1")) break;
    await closed.promise;
  });

  test("reads are repeated a few times only", async () => {
    let calls = 0;
    const { url } = await serve((request) => {
      calls += 1;
      request.socket.destroy();
    });
    const client = createClient({ apiUrl: url, maxRetries: 2 });
    await expect(client.getAgent("agt_1")).rejects.toBeInstanceOf(ConnectionError);
    expect(calls).toBe(3);
  });

  test("a creation is repeated with the same key, which is unique to the call", async () => {
    const keys: unknown[] = [];
    const { client } = await serve((request, response) => {
      keys.push(request.headers["idempotency-key"]);
      if (keys.length === 1) request.socket.destroy();
      else if (keys.length === 2) reply(response, 503, { detail: "later", code: "unavailable" });
      else reply(response, 201, { id: "sess_1" });
    });
    expect(await client.createSession("agt_1")).toEqual({ id: "sess_1" });
    await client.createSession("agt_1");
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0], keys[0], expect.any(String)]);
    expect(keys[3]).not.toBe(keys[0]);
  });

  test("a change is not repeated if it can have arrived, but it is if a limit refused it", async () => {
    let calls = 0;
    const { client } = await serve((request, response) => {
      calls += 1;
      if (calls === 1) reply(response, 429, { detail: "wait", code: "limit_exceeded" }, { "retry-after": "0" });
      else request.socket.destroy();
    });
    await expect(client.cancelMessage("msg_1")).rejects.toBeInstanceOf(ConnectionError);
    expect(calls).toBe(2);
  });

  test("a long pause that the platform asks for is the caller's decision", async () => {
    const { client } = await serve((_request, response) => {
      reply(response, 429, { detail: "wait", code: "limit_exceeded" }, { "retry-after": "61" });
    });
    await expect(client.getAgent("agt_1")).rejects.toMatchObject({ status: 429, retryAfterSeconds: 61 });
  });

  test("the body of a stream is sent once, other bodies again", async () => {
    let calls = 0;
    const { client } = await serve((request, response) => {
      calls += 1;
      void text(request).then((body) => {
        if (calls !== 3) request.socket.destroy();
        else reply(response, 201, { id: body.includes("bytes") ? "file_1" : "" });
      });
    });
    const upload = (content: Blob | ReadableStream) => client.uploadFile({ filename: "a.txt", content });
    await expect(upload(new Blob(["bytes"]).stream())).rejects.toBeInstanceOf(ConnectionError);
    expect(await upload(new Blob(["bytes"]))).toEqual({ id: "file_1" });
  });
});

test("every operation of the platform's own API is a method of its name", async () => {
  const { paths } = JSON.parse(await readFile(new URL("../../../docs/openapi.json", import.meta.url), "utf8")) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
  };
  // The rest is for other clients.
  const own = Object.entries(paths).filter(([path]) => path.startsWith("/v1/") && !/\/(ai-sdk|ag-ui)\b/.test(path));
  const names = own.flatMap(([, item]) => Object.values(item).map(({ operationId }) => operationId));
  const client = createClient({ apiUrl: "http://127.0.0.1:1" });
  expect(names.filter((name) => !name.endsWith("AsDeployment") && !(name in client))).toEqual([]);
});

describe("contents", () => {
  test("files are uploaded from a Blob and from a stream", async () => {
    const bodies: string[] = [];
    const { client } = await serve((request, response) => {
      void text(request).then((body) => {
        bodies.push(body.replaceAll(boundaryOf(request), "BOUNDARY"));
        reply(response, 201, { id: "file_1" });
      });
    });
    const filename = 'a "b".txt';
    await client.uploadFile({ filename, content: new Blob(["bytes"]), contentType: "text/plain" });
    await client.uploadFile({ filename, content: new Blob(["bytes"]).stream(), contentType: "text/plain" });
    const [first, second] = bodies.map((body) => body.toLowerCase().trim());
    expect(second).toContain("\r\n\r\nbytes\r\n");
    expect(second).toBe(first);
  });

  test("a bundle goes to its own address, without the key", async () => {
    const seen: unknown[] = [];
    const { client, url } = await serve((request, response) => {
      void text(request).then((body) => {
        const { headers } = request;
        const { authorization, "x-a": own, "content-length": length } = headers;
        seen.push([request.method, request.url, authorization, own, length, body]);
        reply(response, 200, {});
      });
    });
    const reserved = {
      source_snapshot_id: "src_1",
      upload_url: `${url}/put?signature=s`,
      upload_headers: { "x-a": "b" },
      expires_at: "",
      status: "pending_upload" as const,
    };
    await client.uploadReservedBundle(reserved, new TextEncoder().encode("bundle"));
    expect(seen).toEqual([["PUT", "/put?signature=s", undefined, "b", "6", "bundle"]]);
  });

  test("a followed log continues at the interrupted place", async () => {
    let calls = 0;
    const { client } = await serve((_request, response) => {
      calls += 1;
      response.writeHead(200, { "content-type": "text/plain" });
      if (calls === 1) response.write("one\ntwo\n", () => response.destroy());
      else response.end("one\ntwo\nthree\n");
    });
    let log = "";
    for await (const piece of client.followBuildLogs("ver_1")) log += piece;
    expect([log, calls]).toEqual(["one\ntwo\nthree\n", 2]);
  });

  test("lists are walked to their end", async () => {
    const { client } = await serve((request, response) => {
      const last = request.url?.includes("after=agt_2") ?? false;
      reply(response, 200, { data: [{ id: last ? "agt_3" : "agt_2" }], next: last ? null : "agt_2" });
    });
    const ids: string[] = [];
    for await (const agent of eachRow((page) => client.listAgents(page))) ids.push(agent.id);
    expect(ids).toEqual(["agt_2", "agt_3"]);
  });
});

function boundaryOf(request: IncomingMessage): string {
  return request.headers["content-type"]?.split("boundary=")[1] ?? "";
}
