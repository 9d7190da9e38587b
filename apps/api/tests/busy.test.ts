// Messages to a busy session, and failed ones sent again, as clients see them. The tests end the turns themselves.

import { routes, validate } from "@dari/contract";
import { dispatch, findViolations } from "@dari/db";
import { failure } from "@dari/domain";
import {
  createTestAgent,
  createTestFile,
  createTestKey,
  createTestMessage,
  createTestSession,
  waitUntil,
} from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

function say(words: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { parts: [{ type: "text", text: words }], ...more };
}

function post(sessionId: string, body: unknown, suffix = "/async"): Promise<TestReply> {
  return api.call("POST", `/v1/sessions/${sessionId}/messages${suffix}`, { body });
}

function get(messageId: unknown): Promise<TestReply> {
  return api.call("GET", `/v1/messages/${String(messageId)}`);
}

function retry(messageId: unknown, body?: unknown, headers: Record<string, string> = {}): Promise<TestReply> {
  return api.call("POST", `/v1/messages/${String(messageId)}/retry`, { body, headers });
}

/** Creates a session whose first message runs. */
async function busy() {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  return { sessionId, messageId, turn: await claim(api) };
}

/** Claims the next message of the only session that is ready. */
async function claimReady() {
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 10 }], 60_000);
  return claim(api);
}

async function clear(sessionId: string): Promise<void> {
  await api.call("POST", `/v1/sessions/${sessionId}/complete?cancel=1`);
}

/** Collects the ids that listeners of a topic get, until it is stopped. */
function listen(topic: "message" | "cancel", id: string): { heard: () => boolean; stop: () => void } {
  let rung = false;
  const stop = api.control.notifier.subscribe(topic, id, () => {
    rung = true;
  });
  return { heard: () => rung, stop };
}

describe("on_busy", () => {
  test("reject answers 409 session_busy while a message is open, on every route that sends", async () => {
    const { sessionId, turn } = await busy();
    for (const suffix of ["", "/async", "/sync"]) {
      const reply = await post(sessionId, say("no", { on_busy: "reject" }), suffix);
      expect([reply.status, reply.json.code]).toEqual([409, "session_busy"]);
    }
    await complete(api, turn);
    expect((await post(sessionId, say("yes", { on_busy: "reject" }))).status).toBe(202);
    await clear(sessionId);
  });

  test("a session's own default applies unless the message has another", async () => {
    const path = `/v1/agents/${agentId}/sessions`;
    const created = await api.call("POST", path, { body: { on_busy: "reject" } });
    expect(created.json).toMatchObject({ on_busy: "reject" });
    expect(validate(routes.createSession.reply, created.json)).toEqual([]);
    expect((await api.call("POST", path)).json).toMatchObject({ on_busy: "enqueue" });
    expect((await api.call("POST", path, { body: { on_busy: "wait" } })).json["errors"]).toMatchObject([
      { path: "on_busy" },
    ]);
    const sessionId = String(created.json["id"]);
    expect((await post(sessionId, say("one"))).status).toBe(202);
    expect((await post(sessionId, say("two"))).json.code).toBe("session_busy");
    expect((await post(sessionId, say("three", { on_busy: "enqueue" }))).status).toBe(202);
    await clear(sessionId);
  });

  test("interrupt tells the worker of the running message, and waits its turn", async () => {
    const { sessionId, messageId, turn } = await busy();
    const cancel = listen("cancel", messageId);
    const second = await post(sessionId, say("now", { on_busy: "interrupt" }));
    expect(second.json).toMatchObject({ status: "queued", sequence_number: 2 });
    await waitUntil(() => cancel.heard(), { what: "the worker to be told" });
    cancel.stop();
    await finish(api, turn, { ending: "cancelled" });
    expect((await get(messageId)).json).toMatchObject({ status: "cancelled" });
    await complete(api, await claimReady());
    expect((await get(second.json["id"])).json).toMatchObject({ status: "completed" });
  });

  test("rollback ends queued messages immediately, also for callers that wait for them", async () => {
    const { sessionId, messageId, turn } = await busy();
    const queued = await post(sessionId, say("queued"));
    const ended = listen("message", String(queued.json["id"]));
    const cancel = listen("cancel", messageId);
    await post(sessionId, say("again", { on_busy: "rollback" }));
    await waitUntil(() => ended.heard() && cancel.heard(), { what: "both to be told" });
    ended.stop();
    cancel.stop();
    expect((await get(queued.json["id"])).json).toMatchObject({ status: "cancelled" });
    await finish(api, turn, { ending: "cancelled" });
    await clear(sessionId);
  });

  test("merge: a caller that waits for a merged message gets the record of the message it became part of", async () => {
    const { sessionId, turn } = await busy();
    const waiting = post(sessionId, say("one"), "/sync");
    const first = await waitUntil(
      async () => {
        const list = await api.call("GET", `/v1/sessions/${sessionId}/messages`);
        return (list.json.data as { id: string }[])[1]?.id;
      },
      { what: "the message to be accepted" },
    );
    const second = await post(sessionId, say("two", { on_busy: "merge" }));
    expect(second.json["parts"]).toEqual([
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ]);
    const merged = await get(first);
    expect(validate(routes.getMessage.reply, merged.json)).toEqual([]);
    expect(merged.json).toMatchObject({ status: "completed", output: null, merged_into: second.json["id"] });
    await finish(api, turn, { ending: "failed", failure: failure("timeout", "too slow") });
    await complete(api, await claimReady());
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ id: second.json["id"], status: "completed", output: { parts: [{}] } });
  });
});

describe("retry", () => {
  async function failed(): Promise<{ sessionId: string; messageId: string }> {
    const { sessionId, messageId, turn } = await busy();
    await finish(api, turn, { ending: "failed", failure: failure("timeout", "too slow") });
    return { sessionId, messageId };
  }

  test("a failed message is sent again with its parts, metadata and paths, at the tail", async () => {
    const { sessionId } = await failed();
    const file_id = await createTestFile(api.db, api.org.organizationId, "notes.txt");
    const parts = [
      { type: "file", file_id },
      { type: "text", text: "read" },
      { type: "file", file_id },
    ];
    const sent = await post(sessionId, { parts, metadata: { a: 1 } });
    await finish(api, await claimReady(), { ending: "failed", failure: failure("timeout", "too slow") });
    const other = await post(sessionId, say("between"));
    const again = await retry(sent.json["id"]);
    expect(again.status).toBe(202);
    expect(validate(routes.retryMessage.reply, again.json)).toEqual([]);
    expect(again.json).toMatchObject({
      status: "queued",
      sequence_number: 4,
      retry_of: sent.json["id"],
      metadata: { a: 1 },
      parts: sent.json["parts"],
    });
    expect((await get(sent.json["id"])).json).toMatchObject({ status: "failed" });
    // The paths now belong to the new message. Another retry gets others.
    const third = await retry(sent.json["id"], {});
    expect((third.json["parts"] as { path?: string }[]).map((part) => part.path)).toEqual([
      "/input/notes-3.txt",
      undefined,
      "/input/notes-4.txt",
    ]);
    expect((await get(other.json["id"])).json).toMatchObject({ sequence_number: 3 });
    await clear(sessionId);
  });

  test("what has not failed, or whose session has ended, is a conflict", async () => {
    const { sessionId, messageId, turn } = await busy();
    expect(await retry(messageId)).toMatchObject({ status: 409, json: { code: "conflict" } });
    await complete(api, turn);
    expect((await retry(messageId)).status).toBe(409);
    expect((await get(messageId)).json).toMatchObject({ status: "completed" });
    const ended = await failed();
    await clear(ended.sessionId);
    expect((await retry(ended.messageId)).json.detail).toContain("accepts no more messages");
    expect((await api.call("GET", `/v1/sessions/${sessionId}/messages`)).json.data).toHaveLength(1);
  });

  test("waits behind others whatever its session's default is, unless the call has another", async () => {
    const { sessionId, messageId } = await failed();
    await api.db.pool.query("update sessions set on_busy = 'reject' where id = $1", [sessionId]);
    const other = await post(sessionId, say("between"));
    const running = await claimReady();
    expect((await retry(messageId, {})).json).toMatchObject({ status: "queued", sequence_number: 3 });
    const refused = await retry(messageId, { on_busy: "reject" });
    expect([refused.status, refused.json.code]).toEqual([409, "session_busy"]);
    const urgent = await retry(messageId, { on_busy: "rollback" });
    expect(urgent.json).toMatchObject({ status: "queued", sequence_number: 4 });
    await finish(api, running, { ending: "cancelled" });
    expect((await get(other.json["id"])).json).toMatchObject({ status: "cancelled" });
    await clear(sessionId);
  });

  test("in a fork it does not wait, while its session continues with others", async () => {
    const { sessionId, messageId } = await failed();
    const open = await post(sessionId, say("goes on"));
    const running = await claimReady();
    const again = await retry(messageId, { fork: true });
    expect([again.status, validate(routes.retryMessage.reply, again.json)]).toEqual([202, []]);
    expect(again.json).toMatchObject({ status: "queued", sequence_number: 1, retry_of: messageId });
    const forkId = String(again.json["session_id"]);
    expect(forkId).not.toBe(sessionId);
    const turn = await claimReady();
    expect(turn.messageId).toBe(again.json["id"]);
    await complete(api, turn);
    await complete(api, running);
    for (const id of [again.json["id"], open.json["id"]]) {
      expect((await get(id)).json).toMatchObject({ status: "completed" });
    }
    expect((await get(messageId)).json).toMatchObject({ status: "failed" });
    await clear(forkId);
  });

  test("another version needs a fork, and the call must name both", async () => {
    const { sessionId, messageId } = await failed();
    for (const body of [{ version_id: "ver_01jx5m0k8c3f7q2v9t4w6y8z1a" }, { version_id: "x", fork: true }]) {
      expect((await retry(messageId, body)).json["errors"]).toMatchObject([{ path: "version_id" }]);
    }
    const unknown = await retry(messageId, { version_id: "ver_01jx5m0k8c3f7q2v9t4w6y8z1a", fork: true });
    expect([unknown.status, unknown.json.code]).toEqual([409, "conflict"]);
    await clear(sessionId);
  });

  test("a session with on_busy reject accepts a retry; a file that was deleted since is refused", async () => {
    const created = await api.call("POST", `/v1/agents/${agentId}/sessions`, { body: { on_busy: "reject" } });
    const sessionId = String(created.json["id"]);
    const file_id = await createTestFile(api.db, api.org.organizationId);
    const sent = await post(sessionId, { parts: [{ type: "file", file_id }] });
    await finish(api, await claimReady(), { ending: "failed", failure: failure("timeout", "too slow") });
    await post(sessionId, say("open"));
    expect((await retry(sent.json["id"])).status).toBe(202);
    await api.db.pool.query("update files set deleted_at = now() where id = $1", [file_id]);
    expect((await retry(sent.json["id"])).json["errors"]).toMatchObject([{ path: "parts[0].file_id" }]);
    await clear(sessionId);
  });

  test("fifty concurrent equal retries under one key are one message", async () => {
    const { sessionId, messageId } = await failed();
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => retry(messageId, {}, { "idempotency-key": "k-retry" })),
    );
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([202]));
    expect(new Set(replies.map((reply) => reply.json["id"])).size).toBe(1);
    await clear(sessionId);
  });

  test("needs the scope to run, and the message to be one's own", async () => {
    const { messageId } = await failed();
    const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
    const path = `/v1/messages/${messageId}/retry`;
    expect((await api.call("POST", path, { key: apiKey })).status).toBe(403);
    expect((await api.call("POST", path, { key: api.stranger.apiKey })).status).toBe(404);
  });
});
