// Streams of events: in order, without gap or repeat, over reconnects, with previews in place.

import { createClient, isLedgerEvent } from "@dari/client";
import type { StreamedEvent } from "@dari/contract";
import { routes, validate, type EventRecord } from "@dari/contract";
import { turns } from "@dari/db";
import { createTestAgent, createTestMessage, createTestSession, startFaultProxy, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { complete, finish } from "./turn.ts";
import { claimIn, preview, watch } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => api[Symbol.asyncDispose]());

const hello = { parts: [{ type: "text" as const, text: "hello" }] };

async function queued(): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  return { sessionId, messageId: await createTestMessage(api.db, api.org.organizationId, sessionId) };
}

const client = () => createClient({ apiUrl: api.url, apiKey: api.org.apiKey });
const typesOf = (events: readonly StreamedEvent[]): string[] => events.map((event) => event.type);
const numbersOf = (events: readonly StreamedEvent[]): number[] =>
  events.filter(isLedgerEvent).map((event) => event.sequence_number);

async function ledgerOf(sessionId: string): Promise<EventRecord[]> {
  return (await client().listEvents(sessionId, { limit: 500 })).data;
}

test("a session's stream shows the ledger's own events, then what is new, in order and once", async () => {
  const { sessionId } = await queued();
  const watching = watch((signal) => client().streamSession(sessionId, {}, { signal }));
  await waitUntil(() => watching.seen.length >= 2, { what: "what is there already" });
  await complete(api, await claimIn(api, sessionId));
  api.control.notifier.notify("session", sessionId);
  await waitUntil(() => typesOf(watching.seen).includes("message.completed"), { what: "the end of the turn" });
  const ledger = await ledgerOf(sessionId);
  await waitUntil(() => watching.seen.length >= ledger.length, { what: "the whole ledger" });
  expect(watching.seen).toEqual(ledger);
  watching.stop();
  await watching.done;
});

test("events arrive without any notification", async () => {
  const { sessionId } = await queued();
  const watching = watch((signal) => client().streamSession(sessionId, {}, { signal }));
  await waitUntil(() => watching.seen.length > 0, { what: "the stream to be open" });
  const turn = await claimIn(api, sessionId);
  // The fixture's `finish` would notify, and this test is about the poll.
  await turns.finishIfHeld(api.db, turn, { ending: "failed", failure: { code: "agent_error", message: "no" } });
  await waitUntil(() => typesOf(watching.seen).includes("message.failed"), { what: "the poll to find it" });
  watching.stop();
  await watching.done;
});

test("Last-Event-ID continues at the interrupted place", async () => {
  const { sessionId } = await queued();
  await complete(api, await claimIn(api, sessionId));
  const ledger = await ledgerOf(sessionId);
  const over = new AbortController();
  const response = await fetch(`${api.url}/v1/sessions/${sessionId}/stream?after_seq=1`, {
    headers: { authorization: `Bearer ${api.org.apiKey}`, "last-event-id": "4" },
    signal: over.signal,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (text.includes(`id: ${ledger.length}\n`) && text.endsWith("\n\n")) break;
  }
  over.abort();
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(ledger.map((event) => event.sequence_number).filter((number) => number > 4));
  const last = ledger.at(-1)!;
  expect(text).toContain(`id: ${last.sequence_number}\nevent: ${last.type}\ndata: ${JSON.stringify(last)}\n\n`);
});

test("a message that is sent as a stream ends with its record, and its previews are between its events", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const before = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const response = await fetch(`${api.url}/v1/sessions/${sessionId}/messages`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${api.org.apiKey}`,
      "content-type": "application/json",
      accept: "text/event-stream",
    },
    body: JSON.stringify(hello),
  });
  expect(response.status).toBe(200);
  const reading = response.text();
  await complete(api, await claimIn(api, sessionId));
  // The session is ready again; the dispatcher of a running platform would do this.
  const turn = await claimIn(api, sessionId);
  api.previews.send(sessionId, preview(turn, "assistant.text_delta", { text: "Hel", offset: 0 }));
  api.previews.send(sessionId, preview({ ...turn, messageId: before }, "assistant.text_delta", { text: "no" }));
  await finish(api, turn, { ending: "failed", failure: { code: "agent_error", message: "broken" } });
  const events = [...(await reading).matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as EventRecord);
  expect(new Set(events.map((event) => event.message_id))).toEqual(new Set([turn.messageId]));
  expect(events[0]?.type).toBe("user.message");
  expect(events.at(-1)?.type).toBe("message.failed");
  expect(validate(routes.getMessage.reply, events.at(-1)?.data)).toEqual([]);
});

test("a preview arrives after its attempt's start, and none after its end", async () => {
  const { sessionId } = await queued();
  const watching = watch((signal) => client().streamSession(sessionId, {}, { signal }));
  await waitUntil(() => watching.seen.length > 0, { what: "the stream to be open" });
  const turn = await claimIn(api, sessionId);
  // Send it repeatedly, because a listener can miss the first one: previews are not stored.
  await waitUntil(
    () => {
      api.previews.send(sessionId, preview(turn, "assistant.text_delta", { text: "a", offset: 0 }));
      return typesOf(watching.seen).includes("assistant.text_delta");
    },
    { what: "a preview" },
  );
  const types = typesOf(watching.seen);
  expect(types.indexOf("assistant.text_delta")).toBeGreaterThan(types.indexOf("attempt.started"));
  const shown = watching.seen.find((event) => event.type === "assistant.text_delta");
  expect(shown).toEqual({
    type: "assistant.text_delta",
    session_id: sessionId,
    message_id: turn.messageId,
    attempt_id: turn.attemptId,
    data: { text: "a", offset: 0 },
  });
  await complete(api, turn);
  await waitUntil(() => typesOf(watching.seen).includes("message.completed"), { what: "the end" });
  const length = watching.seen.length;
  api.previews.send(sessionId, preview(turn, "assistant.text_delta", { text: "late", offset: 1 }));
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  await waitUntil(() => watching.seen.length > length, { what: "the next event" });
  expect(typesOf(watching.seen.slice(length))).not.toContain("assistant.text_delta");
  watching.stop();
  await watching.done;
});

test("many listeners of one session each get every event once", async () => {
  const { sessionId } = await queued();
  const watchings = Array.from({ length: 40 }, (_, i) =>
    watch((signal) => client().streamSession(sessionId, { after_seq: i % 3 }, { signal })),
  );
  await complete(api, await claimIn(api, sessionId));
  api.control.notifier.notify("session", sessionId);
  const ledger = numbersOf(await ledgerOf(sessionId));
  await waitUntil(() => watchings.every(({ seen }) => numbersOf(seen).at(-1) === ledger.at(-1)), {
    what: "everybody to see the end",
  });
  for (const [i, { seen }] of watchings.entries()) {
    expect(numbersOf(seen)).toEqual(ledger.filter((number) => number > i % 3));
  }
  for (const { stop } of watchings) stop();
  await Promise.all(watchings.map(({ done }) => done));
});

test("listeners that are cut off again and again see every event once and in order", async () => {
  const { sessionId } = await queued();
  await using proxy = await startFaultProxy({ port: api.api.port });
  const far = createClient({ apiUrl: `http://127.0.0.1:${proxy.port}`, apiKey: api.org.apiKey });
  const watchings = Array.from({ length: 20 }, () => watch((signal) => far.streamSession(sessionId, {}, { signal })));
  const turn = await claimIn(api, sessionId);
  for (let number = 1; number <= 200; number++) {
    await turns.appendEventsIfHeld(api.db, turn, [
      { type: "agent.event", data: { name: "step", data: number }, number },
    ]);
    api.control.notifier.notify("session", sessionId);
    if (number % 40 !== 20) continue;
    await waitUntil(() => watchings.some(({ seen }) => seen.length > number / 2), { what: "some to see half" });
    proxy.cut();
  }
  await complete(api, turn);
  const ledger = await ledgerOf(sessionId);
  await waitUntil(() => watchings.every(({ seen }) => seen.at(-1)?.type === ledger.at(-1)?.type), {
    what: "everybody to see the end",
    timeoutMs: 30_000,
  });
  for (const { seen } of watchings) expect(seen).toEqual(ledger);
  for (const { stop } of watchings) stop();
  await Promise.all(watchings.map(({ done }) => done));
});

test("streams end when their session is deleted", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const response = await fetch(`${api.url}/v1/sessions/${sessionId}/stream`, {
    headers: { authorization: `Bearer ${api.org.apiKey}` },
  });
  const reading = response.text();
  expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(200);
  expect(await reading).toContain("retry: ");
});

test("an invalid position is refused", async () => {
  const { sessionId, messageId } = await queued();
  for (const path of [`/v1/sessions/${sessionId}/stream`, `/v1/messages/${messageId}/stream`]) {
    expect((await api.call("GET", path, { headers: { "last-event-id": "x" } })).status).toBe(422);
    expect((await api.call("GET", `${path}?after_seq=-1`)).status).toBe(422);
    expect((await api.call("GET", path, { key: api.stranger.apiKey })).status).toBe(404);
  }
});

test("the transcript shows what was said, what changed and what failed", async () => {
  const { sessionId, messageId } = await queued();
  const turn = await claimIn(api, sessionId);
  await complete(api, turn, { files: { "report.txt": "x" } });
  const failed = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const second = await claimIn(api, sessionId);
  await finish(api, second, { ending: "failed", failure: { code: "agent_error", message: "broken" } });
  const reply = await api.call("GET", `/v1/sessions/${sessionId}/transcript`);
  expect(validate(routes.getTranscript.reply, reply.json)).toEqual([]);
  expect(reply.json.data).toMatchObject([
    { kind: "user", message_id: messageId },
    { kind: "assistant", message_id: messageId, parts: [{ type: "text", text: "done" }] },
    { kind: "files", files_changed: [{ path: "/report.txt", change: "created" }] },
    { kind: "user", message_id: failed },
    { kind: "failure", status: "failed", error: { code: "agent_error", message: "broken" } },
  ]);
  const first = await api.call("GET", `/v1/sessions/${sessionId}/transcript?limit=2`);
  expect(first.json).toMatchObject({ has_more: true });
  const rest = await api.call("GET", `/v1/sessions/${sessionId}/transcript?after=${String(first.json["next"])}`);
  expect(rest.json.data).toHaveLength(3);
});
