// Sessions as people list them: newest message first, with words, sums, who started them, and a search.

import { routes, validate, type SessionSummary } from "@dari/contract";
import { dispatch } from "@dari/db";
import { limits } from "@dari/domain";
import { createTestAgent, createTestKey, createTestMember, signInTestMember } from "@dari/testkit";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, complete, fail } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

type Body = Record<string, unknown>;

async function start(body: Body = {}, key = api.org.apiKey): Promise<string> {
  const reply = await api.call("POST", `/v1/agents/${agentId}/sessions`, { body, key });
  expect([reply.status, reply.text]).toEqual([201, expect.any(String)]);
  return String(reply.json["id"]);
}

async function say(sessionId: string, text: string): Promise<string> {
  const body = { parts: [{ type: "text", text }] };
  const reply = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body });
  expect([reply.status, reply.text]).toEqual([202, expect.any(String)]);
  return String(reply.json["id"]);
}

async function endTurn(end: typeof complete): Promise<void> {
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  await end(api, await claim(api));
}

interface Listed {
  readonly rows: readonly SessionSummary[];
  readonly next: string | null;
}

async function list(query = "", key = api.org.apiKey): Promise<Listed> {
  const reply = await api.call("GET", `/v1/session-summaries${query}`, { key });
  expect([reply.status, validate(routes.listSessionSummaries.reply, reply.json)]).toEqual([200, []]);
  return { rows: reply.json["data"] as SessionSummary[], next: reply.json["next"] as string | null };
}
const idsOf = ({ rows }: Listed): string[] => rows.map(({ id }) => id);

test("the session with the newest message is first, with its words, sums and starter", async () => {
  const { apiKey, keyId } = await createTestKey(api.db, api.org.organizationId, ["run", "read"]);
  const first = await start({}, apiKey);
  await say(first, "What is the capital of France?");
  await endTurn(complete);
  const named = await start({ name: "ticket 7" });
  await say(named, "And of Spain?");
  await endTurn(fail);
  const silent = await start();
  expect(idsOf(await list())).toEqual([silent, named, first]);
  await say(first, "Thank you");
  const { rows, next } = await list();
  expect([rows.map(({ id }) => id), next]).toEqual([[first, silent, named], null]);
  expect(rows[0]).toMatchObject({
    title: "What is the capital of France?",
    last_words: "Thank you",
    status: "active",
    created_by: { type: "api_key", id: keyId },
    messages: 2,
    failed: 0,
  });
  expect(rows[1]).toMatchObject({ title: null, last_words: null, messages: 0, last_message_id: null });
  expect(rows[2]).toMatchObject({
    ...{ name: "ticket 7", title: "ticket 7", last_words: "the turn took too long", failed: 1 },
    last_message_status: "failed",
  });
  await endTurn(complete);
  expect((await list()).rows[0]).toMatchObject({ last_words: "done", status: "idle" });
  expect(await list("", api.stranger.apiKey)).toEqual({ rows: [], next: null });
});

test("members and admin keys see who started a session, other keys see only the kind", async () => {
  const { organizationId } = api.org;
  const robot = await createTestKey(api.db, organizationId, ["run", "read"]);
  const byKey = await start({}, robot.apiKey);
  const ann = await createTestMember(api.db, organizationId);
  const { cookie } = await signInTestMember(api.db, organizationId, ann.memberId);
  const asAnn = { key: null, headers: { cookie, origin: api.url, "sec-fetch-site": "same-origin" } };
  const started = await api.call("POST", `/v1/agents/${agentId}/sessions`, { ...asAnn, body: {} });
  const sessions = [{ parts: [{ type: "text", text: "one" }] }];
  await api.call("POST", "/v1/session-batches", { body: { agent_id: agentId, name: "night", sessions } });
  const starters = async (options: Parameters<TestApi["call"]>[2]) => {
    const reply = await api.call("GET", "/v1/session-summaries", options);
    const rows = reply.json["data"] as SessionSummary[];
    return Object.fromEntries(rows.map(({ id, created_by: by }) => [by?.type === "batch" ? "batch" : id, by?.name]));
  };
  const known = { [String(started.json["id"])]: ann.email, [byKey]: "test", batch: "night" };
  expect(await starters({ key: api.org.apiKey })).toEqual(known);
  expect(await starters(asAnn)).toEqual(known);
  const unknown = { [String(started.json["id"])]: null, [byKey]: null, batch: "night" };
  expect(await starters({ key: robot.apiKey })).toEqual(unknown);
});

test("a page continues after the previous one, also while sessions are used", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    ids.unshift(await start());
    if (i % 2 === 0) await say(ids[0]!, `number ${i}`);
  }
  const page = await list("?limit=2");
  expect(idsOf(page)).toEqual(ids.slice(0, 2));
  await say(ids[1]!, "moves to the front");
  expect(idsOf(await list(`?limit=2&after=${page.next}`))).toEqual(ids.slice(2, 4));
  const last = await list(`?limit=3&after=${page.next}`);
  expect([idsOf(last), last.next]).toEqual([ids.slice(2), null]);
});

test("batches and schedules are left out, or shown alone", async () => {
  const own = await start();
  await say(own, "by hand");
  const sessions = ["one", "two"].map((text) => ({ parts: [{ type: "text", text }] }));
  const batch = await api.call("POST", "/v1/session-batches", { body: { agent_id: agentId, name: "night", sessions } });
  expect(batch.status).toBe(201);
  expect(idsOf(await list("?started_by=caller"))).toEqual([own]);
  const { rows } = await list("?started_by=batch");
  expect(rows.map(({ created_by: by }) => by)).toEqual(
    [1, 2].map(() => ({ type: "batch", id: batch.json["id"], name: "night" })),
  );
  expect(idsOf(await list("?started_by=schedule"))).toEqual([]);
});

test("texts are found in names, first and newest messages and answers, literally and in any case", async () => {
  const named = await start({ name: "Refund 100%" });
  const asked = await start();
  await say(asked, "Charged TWICE_in May");
  await endTurn(complete);
  await say(asked, "later");
  const find = async (text: string) => idsOf(await list(`?q=${encodeURIComponent(text)}`));
  expect(await find("refund 100%")).toEqual([named]);
  expect(await find("100_")).toEqual([]);
  expect(await find("twice_in")).toEqual([asked]);
  expect(await find("LATER")).toEqual([asked]);
  await endTurn(complete);
  expect(await find("Done")).toEqual([asked]);
  expect(await find(asked)).toEqual([asked]);
  expect(await find("nowhere")).toEqual([]);
});

test("messages and answers are searched up to a number of bytes of text, however well they compress", async () => {
  const random = randomBytes(limits.searchedTextBytes / 2).toString("hex");
  const plain = "x".repeat(limits.searchedTextBytes);
  const put = async (column: "parts" | "output", text: string): Promise<string> => {
    const session = await start();
    const message = await say(session, "short");
    const parts = [{ type: "text", text: text.slice("needle".length) + "needle" }];
    const value = JSON.stringify(column === "parts" ? parts : { parts });
    await api.db.pool.query(`update messages set ${column} = $2 where id = $1`, [message, value]);
    return session;
  };
  for (const column of ["parts", "output"] as const) {
    for (const text of [plain, random]) {
      const found = await put(column, text);
      await put(column, `${text}x`);
      expect(idsOf(await list("?q=needle"))).toEqual([found]);
      await api.db.pool.query("update sessions set deleted_at = now()");
    }
  }
});

test("one page reads a limited number of messages, and says where the next one starts", async () => {
  const old = await start({ name: "needle" });
  const busy = await start();
  await api.db.pool.query(
    `insert into messages (id, organization_id, session_id, sequence_number, parts, max_attempts, state, completed_at,
      copied_from)
    select new_id('msg'), $1, $2, n, '[]', 1, 'cancelled', now(), 'msg_x' from generate_series(1, $3) n`,
    [api.org.organizationId, busy, limits.summariesExamined + 5],
  );
  const first = await list("?q=needle");
  expect([idsOf(first), first.next]).toEqual([[], expect.any(String)]);
  const second = await list(`?q=needle&after=${first.next}`);
  expect([idsOf(second), second.next]).toEqual([[old], null]);
});

test("one page of a search reads the texts of a limited number of sessions, and names the next start", async () => {
  const old = await start({ name: "needle" });
  await api.db.pool.query(
    `insert into sessions (id, organization_id, agent_id, version_id, name, metadata, on_busy)
    select new_id('sess'), organization_id, agent_id, version_id, 'hay', '{}', on_busy
    from sessions, generate_series(1, $2) where id = $1`,
    [old, limits.summariesSearched],
  );
  const first = await list("?q=needle");
  expect([idsOf(first), first.next]).toEqual([[], expect.any(String)]);
  const second = await list(`?q=needle&after=${first.next}`);
  expect([idsOf(second), second.next]).toEqual([[old], null]);
});

test.each(["?limit=0", "?q=", "?after=x", "?started_by=me", "?status=open"])("%s is refused", async (query) => {
  expect((await api.call("GET", `/v1/session-summaries${query}`)).status).toBe(422);
});

test("an agent's name that does not exist is not found", async () => {
  expect((await api.call("GET", "/v1/session-summaries?agent_id=x")).status).toBe(404);
});

test("an agent's usage has outcomes, durations and tokens by day", async () => {
  const session = await start();
  await say(session, "one");
  await endTurn(complete);
  await say(session, "two");
  await endTurn(fail);
  const reply = await api.call("GET", `/v1/agents/${agentId}/usage?days=2`);
  expect([reply.status, validate(routes.getAgentUsage.reply, reply.json)]).toEqual([200, []]);
  expect(reply.json).toMatchObject({ messages: 2, failed: 1, turns: 2, p95_seconds: expect.any(Number) });
  expect(reply.json["days"]).toMatchObject([{ messages: 2, failed: 1 }]);
  const { agentId: unused } = await createTestAgent(api.db, api.org.organizationId);
  const none = await api.call("GET", `/v1/agents/${unused}/usage`);
  expect(none.json).toMatchObject({ messages: 0, p95_seconds: null, days: [] });
  expect((await api.call("GET", `/v1/agents/${agentId}/usage`, { key: api.stranger.apiKey })).status).toBe(404);
});
