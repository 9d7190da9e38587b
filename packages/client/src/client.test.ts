// Tests the client over real HTTP on loopback: what it sends, how it fails, and what it retries.

import { afterEach, describe, expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { ApiError, type Client, ConnectionError, createClient, eachRow, isLedgerEvent } from "./index.ts";

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

/** A real HTTP server on loopback, and a client of it. */
async function serve(listener: RequestListener): Promise<{ client: Client; url: string }> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: createClient({ apiUrl: `${url}/`, apiKey: "dari_test" }), url };
}

function reply(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function record(fields: Partial<MessageRecord>): Partial<MessageRecord> {
  return { id: "msg_1", status: "queued", ...fields };
}

const hello = { parts: [{ type: "text" as const, text: "hello" }] };

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
    await client.listSessions({ agentId: "agt_1", limit: 2, metadata: { "a b": "c&d" } });
    await client.createSession("agt/1", { name: "n" }, { idempotencyKey: "k" });
    await client.completeSession("sess_1", { cancel: true });
    await client.retryMessage("msg_1", {}, { idempotencyKey: "k" });
    expect(seen).toEqual([
      ["GET", "/v1/sessions?limit=2&agent_id=agt_1&metadata.a+b=c%26d", "Bearer dari_test", undefined, ""],
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

  test("puts the arguments of a method where its route wants them", async () => {
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

  test("says what somebody else answered", async () => {
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

  test.each([408, 502, 503, 504])("a read that is answered %i in the platform's place is repeated", async (status) => {
    let calls = 0;
    const { client } = await serve((_request, response) => {
      calls += 1;
      if (calls === 1) response.writeHead(status).end();
      else reply(response, 200, { id: "agt_1" });
    });
    expect(await client.getAgent("agt_1")).toEqual({ id: "agt_1" });
  });

  test.each([408, 502, 504])("a stream whose next connection is answered %i is taken up again", async (status) => {
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

  test("a stream is read whatever pieces it comes in", async () => {
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
    const { client } = await serve((request) => {
      calls += 1;
      request.socket.destroy();
    });
    await expect(client.getAgent("agt_1")).rejects.toBeInstanceOf(ConnectionError);
    expect(calls).toBe(4);
  });

  test("nothing else is", async () => {
    let calls = 0;
    const { client } = await serve((request) => {
      calls += 1;
      request.socket.destroy();
    });
    await expect(client.createSession("agt_1")).rejects.toBeInstanceOf(ConnectionError);
    expect(calls).toBe(1);
  });
});

describe("a sent message", () => {
  test("is waited for, through its merge into another", async () => {
    const states = [record({ status: "running" }), record({ status: "completed", merged_into: "msg_2" })];
    const { client } = await serve((request, response) => {
      if (request.method === "POST") reply(response, 202, record({}));
      else if (request.url === "/v1/messages/msg_2") reply(response, 200, record({ id: "msg_2", status: "completed" }));
      else reply(response, 200, states.shift());
    });
    const seen: string[] = [];
    const onRecord = ({ id, status }: MessageRecord) => void seen.push(`${id} ${status}`);
    const end = await client.sendMessage("sess_1", hello, { onRecord });
    expect(end.id).toBe("msg_2");
    expect(seen).toEqual(["msg_1 queued", "msg_1 running", "msg_1 completed", "msg_2 completed"]);
  });
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
    await client.uploadBundle(reserved, new TextEncoder().encode("bundle"));
    expect(seen).toEqual([["PUT", "/put?signature=s", undefined, "b", "6", "bundle"]]);
  });

  test("a followed log goes on where it broke off", async () => {
    let calls = 0;
    const { client } = await serve((_request, response) => {
      calls += 1;
      response.writeHead(200, { "content-type": "text/plain" });
      if (calls === 1) response.write("one\ntwo\n", () => response.destroy());
      else response.end("one\ntwo\nthree\n");
    });
    let log = "";
    for await (const piece of client.buildLogs("ver_1", { follow: true })) log += piece;
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
