// Who may watch, how streams end, and the cost of slow or many readers.

import { createClient } from "@dari/client";
import { turns, type ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestKey, createTestMessage, createTestSession, waitUntil } from "@dari/testkit";
import { createStreamLimiter } from "@dari/control/outbound";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { connect } from "node:net";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { cookieOf } from "./people.ts";
import { complete } from "./turn.ts";
import { claimIn, preview, watch, watchRaw } from "./watching.ts";

const settings = { heartbeatMs: 100, stalledMs: 400 };

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => api[Symbol.asyncDispose]());

const hello = { parts: [{ type: "text" as const, text: "hello" }] };
const client = () => createClient({ apiUrl: api.url, apiKey: api.org.apiKey });
const newSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const newMessage = (sessionId: string) => createTestMessage(api.db, api.org.organizationId, sessionId);
const streamOf = (sessionId: string) => `/v1/sessions/${sessionId}/stream`;

/** More than the system's buffers of a connection can hold. */
async function addBigEvents(of: TestApi, turn: ClaimedTurn): Promise<void> {
  const data = "x".repeat(250_000);
  for (let number = 1; number <= 60; number++) {
    await turns.appendEventsIfHeld(of.db, turn, [{ type: "agent.event", data: { name: "big", data }, number }]);
  }
}

/** Returns whether one more stream can be opened. */
async function isFree(sessionId: string): Promise<boolean> {
  const next = await watchRaw(api, streamOf(sessionId));
  next.stop();
  await next.done;
  return next.response.status === 200;
}

test("a session that its owner watches is still not found by a stranger", async () => {
  const sessionId = await newSession();
  const watching = await watchRaw(api, streamOf(sessionId));
  await waitUntil(() => watching.text().includes("session.created"), { what: "the owner to see it" });
  const stranger = await watchRaw(api, streamOf(sessionId), { key: api.stranger.apiKey });
  expect(stranger.response.status).toBe(404);
  watching.stop();
  await watching.done;
});

test("a message's stream is kept alive while only other messages of its session talk", async () => {
  const sessionId = await newSession();
  await newMessage(sessionId);
  const waiting = await newMessage(sessionId);
  const turn = await claimIn(api, sessionId);
  const watching = await watchRaw(api, `/v1/messages/${waiting}/stream`);
  await waitUntil(
    () => {
      api.previews.send(sessionId, preview(turn, "log", { stream: "stdout", text: "busy" }));
      return watching.text().includes("\n:");
    },
    { what: "a comment" },
  );
  expect(watching.text()).not.toContain("busy");
  watching.stop();
  await watching.done;
});

test("a message's stream that is resumed after its last event is over", async () => {
  const sessionId = await newSession();
  const messageId = await newMessage(sessionId);
  await complete(api, await claimIn(api, sessionId));
  const last = (await client().listEvents(sessionId)).data.find(({ type }) => type === "message.completed")!;
  const headers = { "last-event-id": String(last.sequence_number) };
  const reply = await api.call("GET", `/v1/messages/${messageId}/stream`, { headers });
  expect(reply).toMatchObject({ status: 204, text: "" });
  const seen = watch((signal) => client().streamMessage(messageId, { after_seq: last.sequence_number }, { signal }));
  await seen.done;
  expect(seen.seen).toEqual([]);
});

test("a merged message's stream that is resumed continues with the message it became part of", async () => {
  const sessionId = await newSession();
  await newMessage(sessionId);
  const turn = await claimIn(api, sessionId);
  const merged = await newMessage(sessionId);
  const sent = await client().sendMessageAsync(sessionId, { ...hello, on_busy: "merge" });
  const mergedEnd = (await client().listEvents(sessionId)).data.find(
    (event) => event.message_id === merged && event.type === "message.completed",
  )!;
  const watching = watch((signal) =>
    client().streamMessage(merged, { after_seq: mergedEnd.sequence_number }, { signal }),
  );
  await complete(api, turn);
  await complete(api, await claimIn(api, sessionId));
  await watching.done;
  expect(watching.seen.at(-1)).toMatchObject({ type: "message.completed", message_id: sent.id });
});

test("the streams of a key end when it is revoked", async () => {
  const sessionId = await newSession();
  const { keyId, apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  const revoked = await watchRaw(api, streamOf(sessionId), { key: apiKey });
  const other = await watchRaw(api, streamOf(sessionId));
  expect((await api.call("DELETE", `/v1/organizations/current/api-keys/${keyId}`)).status).toBe(200);
  await revoked.done;
  const again = await watchRaw(api, streamOf(sessionId), { key: apiKey });
  expect(again.response.status).toBe(401);
  await newMessage(sessionId);
  await waitUntil(() => other.text().includes("user.message"), { what: "the other key's stream to continue" });
  expect(revoked.text()).not.toContain("user.message");
  other.stop();
  await other.done;
});

test("the streams of a browser that a key signed in end at its sign-out, and with the key", async () => {
  const sessionId = await newSession();
  const { keyId, apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  const signIn = async (): Promise<string> => cookieOf(await api.call("POST", "/v1/me/sign-in", { key: apiKey }));
  const [first, second] = [await signIn(), await signIn()];
  const follow = (cookie: string) => watchRaw(api, streamOf(sessionId), { key: null, headers: { cookie } });
  const [signedOut, revoked] = [await follow(first), await follow(second)];
  const headers = { cookie: first, origin: api.url };
  expect((await api.call("DELETE", "/v1/me/sign-in", { key: null, headers })).status).toBe(200);
  await signedOut.done;
  await api.call("DELETE", `/v1/organizations/current/api-keys/${keyId}`);
  await revoked.done;
});

test("a client that reads nothing is disconnected, and its slot is free again", async () => {
  const sessionId = await newSession();
  await newMessage(sessionId);
  const turn = await claimIn(api, sessionId);
  await addBigEvents(api, turn);
  Object.assign(api.control, { streams: createStreamLimiter({ perProcess: 1, perOrganization: 1 }) });
  const socket = connect(api.api.port, "127.0.0.1");
  socket.pause().on("error", () => undefined);
  socket.write(`GET ${streamOf(sessionId)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.org.apiKey}\r\n\r\n`);
  const open = (): boolean => {
    try {
      api.control.streams.check(api.org.organizationId);
      return false;
    } catch {
      return true;
    }
  };
  await waitUntil(open, { what: "the stream to be open" });
  expect((await api.call("GET", streamOf(sessionId))).status).toBe(429);
  await waitUntil(() => isFree(sessionId), { what: "the reader to be cut off" });
  socket.destroy();
  Object.assign(api.control, { streams: createStreamLimiter() });
});

test("a slow reader is cut off when too much waits for slow readers already", async () => {
  await using own = await startTestApi({ settings: { heartbeatMs: 100, stalledMs: 60_000 } });
  const streams = createStreamLimiter({ perProcess: 1, perOrganization: 1 }, { perProcess: 0, perOrganization: 0 });
  Object.assign(own.control, { streams });
  const { agentId: ownAgent } = await createTestAgent(own.db, own.org.organizationId);
  const sessionId = await createTestSession(own.db, own.org.organizationId, ownAgent);
  await createTestMessage(own.db, own.org.organizationId, sessionId);
  await addBigEvents(own, await claimIn(own, sessionId));
  const socket = connect(own.api.port, "127.0.0.1").pause();
  socket.on("error", () => undefined);
  socket.write(`GET ${streamOf(sessionId)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${own.org.apiKey}\r\n\r\n`);
  const isCut = () => own.log.some(({ event, fields }) => event === "request" && fields["finished"] === false);
  await waitUntil(isCut, { what: "the reader to be cut off" });
  socket.destroy();
});

test("a message that cannot be watched is not sent", async () => {
  const sessionId = await newSession();
  const send = (headers: Record<string, string>) =>
    api.call("POST", `/v1/sessions/${sessionId}/messages/stream`, { body: hello, headers });
  expect((await send({ "last-event-id": "x" })).status).toBe(422);
  Object.assign(api.control, { streams: createStreamLimiter({ perProcess: 10, perOrganization: 0 }) });
  const refused = await send({});
  expect(refused).toMatchObject({ status: 429, json: { code: "limit_exceeded" } });
  expect(refused.headers.get("retry-after")).toBe("5");
  Object.assign(api.control, { streams: createStreamLimiter() });
  expect((await client().listMessages(sessionId)).data).toEqual([]);
});

test("a repeated send opens no stream above the limit", async () => {
  const sessionId = await newSession();
  const path = `/v1/sessions/${sessionId}/messages`;
  const headers = { "idempotency-key": "the same" };
  const first = { body: hello, headers: { ...headers, prefer: "respond-async" } };
  expect((await api.call("POST", path, first)).status).toBe(202);
  Object.assign(api.control, { streams: createStreamLimiter({ perProcess: 10, perOrganization: 0 }) });
  const again = fetch(`${api.url}${path}`, {
    method: "POST",
    headers: { ...headers, authorization: `Bearer ${api.org.apiKey}`, accept: "text/event-stream" },
    body: JSON.stringify(hello),
    signal: AbortSignal.timeout(30_000),
  });
  expect((await again).status).toBe(429);
  Object.assign(api.control, { streams: createStreamLimiter() });
});

test("a stream that the client follows ends when its session is deleted", async () => {
  const sessionId = await newSession();
  const watching = watch((signal) => client().streamSession(sessionId, {}, { signal }));
  await waitUntil(() => watching.seen.length > 0, { what: "the stream to be open" });
  expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(200);
  await watching.done;
});

test("a HEAD request opens no stream", async () => {
  const sessionId = await newSession();
  Object.assign(api.control, { streams: createStreamLimiter({ perProcess: 1, perOrganization: 1 }) });
  expect(await api.call("HEAD", streamOf(sessionId))).toMatchObject({ status: 200, text: "" });
  await waitUntil(() => isFree(sessionId), { what: "its place to be free again" });
  Object.assign(api.control, { streams: createStreamLimiter() });
});

test("a server that drains ends its streams and leaves no connection behind", async () => {
  const own = await startTestApi({ settings });
  const { agentId: ownAgent } = await createTestAgent(own.db, own.org.organizationId);
  const sessionId = await createTestSession(own.db, own.org.organizationId, ownAgent);
  const watching = await watchRaw(own, streamOf(sessionId));
  expect(watching.response.headers.get("connection")).toBe("close");
  await own.api.close();
  await watching.done;
  expect(watching.text()).toContain("session.created");
  await own[Symbol.asyncDispose]();
});
