// The overview: figures by day, what runs now, and what waits for a person.

import { routes, validate, type OverviewRecord } from "@dari/contract";
import { dispatch, overview, snapshots, type ClaimedTurn } from "@dari/db";
import { failure, newId } from "@dari/domain";
import { createTestAgent, createTestSession, waitUntil } from "@dari/testkit";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const today = (): string => new Date().toISOString().slice(0, 10);
const emptySnapshot = { objectKey: null, isFull: false, deltaDepth: 0, treeHash: "0".repeat(64) };

async function look(query = "", key = api.org.apiKey): Promise<OverviewRecord> {
  const reply = await api.call("GET", `/v1/overview${query}`, { key });
  expect([reply.status, validate(routes.getOverview.reply, reply.json)]).toEqual([200, []]);
  return reply.json as unknown as OverviewRecord;
}

/** On a slow machine, sums can be kept for a moment. */
function untilSummed(messages: number): Promise<OverviewRecord> {
  return waitUntil(
    async () => {
      const found = await look();
      return found.total.messages === messages && found;
    },
    { what: `the overview to count ${messages} messages` },
  );
}

async function send(text = "hello"): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const reply = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, {
    body: { parts: [{ type: "text", text }] },
  });
  expect(reply.status).toBe(202);
  return { sessionId, messageId: String(reply.json["id"]) };
}

async function begin(text?: string): Promise<ClaimedTurn> {
  await send(text);
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  return claim(api);
}

async function snapshotOf({ sessionId }: ClaimedTurn) {
  const parentId = (await snapshots.findHeadSnapshotId(api.db, api.org.organizationId, sessionId)) ?? null;
  return { id: newId("snapshot"), parentId, ...emptySnapshot, sizeBytes: 0, files: 0, totalBytes: 0 };
}

/** Completes the turn. Its message has waited `waited` seconds and its turn has taken `took` seconds. */
async function complete(turn: ClaimedTurn, waited: number, took: number, usage: object = {}): Promise<void> {
  const snapshot = await snapshotOf(turn);
  await finish(api, turn, { ending: "completed", output: { parts: [], usage }, filesChanged: [], snapshot });
  await api.db.pool.query(
    `update messages set completed_at = created_at + ($2::float8 + $3::float8) * interval '1 second',
      started_at = created_at + $2::float8 * interval '1 second' where id = $1`,
    [turn.messageId, waited, took],
  );
}

const fail = (turn: ClaimedTurn) => finish(api, turn, { ending: "failed", failure: failure("agent_error", "no luck") });

test("an organization that did nothing has nothing to show", async () => {
  const found = await look();
  const empty = { count: 0, rows: [] };
  expect(found).toMatchObject({ days: [], running: [], inputs: empty, failed: empty, held: empty, is_cut: false });
  expect(found.total).toEqual({
    ...{ messages: 0, failed: 0, turns: 0, tokens: 0, cost_usd: null, p50_seconds: null, p95_seconds: null },
    ...{ waited_p50_seconds: null, waited_p95_seconds: null },
  });
  expect(Date.parse(today()) - Date.parse(found.since)).toBe(29 * 86_400_000);
});

test("a day has its turns, failures, percentiles, tokens and costs", async () => {
  await complete(await begin(), 1, 10, { total_tokens: 30, cost_usd: 0.25 });
  await complete(await begin(), 3, 20, { input_tokens: 40, output_tokens: 2, cost_usd: 0.5 });
  await fail(await begin());
  await send();
  const { days, total } = await untilSummed(4);
  expect(days).toHaveLength(1);
  const sums = { messages: 4, failed: 1, turns: 3, tokens: 72, cost_usd: 0.75 };
  expect(days[0]).toMatchObject({ ...sums, date: today(), p50_seconds: 15, p95_seconds: 19.5 });
  expect(total).toMatchObject({ ...sums, p50_seconds: 15, p95_seconds: 19.5 });
  expect(total.waited_p95_seconds).toBeCloseTo(2.8, 0);
  await api.db.pool.query("update messages set created_at = created_at - interval '3 days'");
  expect((await look("?days=3")).days).toEqual([]);
  expect((await look("?days=4")).days).toMatchObject([{ messages: 4 }]);
});

test("costs of no number, and negative ones, count nothing; an invented one is bounded", async () => {
  const turns = [await begin(), await begin(), await begin()];
  for (const turn of turns) await complete(turn, 0, 1, { requests: 1 });
  const { rows } = await api.db.pool.query(
    `update attempts set usage = case number_in_row when 1 then '{"cost_usd": "much"}' when 2 then '{"cost_usd": -5}'
        else '{"cost_usd": 1e300}' end::jsonb
      from (select id as attempt, row_number() over () as number_in_row from attempts) n
      where n.attempt = attempts.id returning 1`,
  );
  expect(rows).toHaveLength(3);
  expect((await untilSummed(3)).total.cost_usd).toBe(1_000_000);
});

test("of more messages than are read, the newest count", async () => {
  const turns = [await begin(), await begin(), await begin()];
  for (const turn of turns) await complete(turn, 0, 1);
  const window = { since: new Date(0), afterId: "msg_0", messages: 2 };
  const sums = await overview.sumOverview(api.db, api.org.organizationId, window);
  expect(sums).toMatchObject({ isCut: true, total: { messages: 2, turns: 2 } });
});

test("running turns and open inputs lead to their messages, and only those of the own organization", async () => {
  const running = await begin("Compare the invoices");
  const asking = await begin("Refund order 20931");
  await finish(api, asking, {
    ending: "suspended",
    output: undefined,
    asked: { key: "approve", schema: { type: "object" }, prompt: "Refund it?", waitSeconds: 600, placed: [] },
    snapshot: await snapshotOf(asking),
  });
  const found = await look();
  const place = { agent_id: agentId, agent_name: expect.any(String) };
  expect(found.running).toEqual([
    {
      ...{ ...place, session_id: running.sessionId, title: "Compare the invoices", message_id: running.messageId },
      ...{ state: "running", attempt: 1, started_at: expect.stringContaining(today()) },
    },
  ]);
  expect(found.inputs).toMatchObject({
    count: 1,
    rows: [
      { ...place, session_id: asking.sessionId, message_id: asking.messageId, key: "approve", prompt: "Refund it?" },
    ],
  });
  expect(found.now).toEqual({ turns: 1, open_messages: 2 });
  for (const key of [api.stranger.apiKey, api.operator.apiKey]) {
    const theirs = await look("", key);
    expect([theirs.running, theirs.inputs.count, theirs.total.messages]).toEqual([[], 0, 0]);
  }
});

test("a failed message waits for a person until it is retried, or its session is closed", async () => {
  const first = await begin();
  await fail(first);
  await fail(await begin());
  const { failed } = await look();
  expect(failed).toMatchObject({ count: 2, rows: [{ code: "agent_error", error: "no luck" }, {}] });
  expect(failed.rows[1]).toMatchObject({ session_id: first.sessionId, message_id: first.messageId });
  expect((await api.call("POST", `/v1/messages/${first.messageId}/retry`, { body: {} })).status).toBe(202);
  const left = (await look()).failed;
  expect(left).toMatchObject({ count: 1, rows: [{}] });
  const closed = await api.call("POST", `/v1/sessions/${left.rows[0]?.session_id}/complete`);
  expect([closed.status, (await look()).failed.count]).toEqual([200, 0]);
});

test("sessions that a budget holds back are listed", async () => {
  await api.call("PUT", "/v1/organizations/current/budgets", { body: { period: "day", max_turns: 0 } });
  const { sessionId } = await send("Audit the start page");
  expect((await look()).held).toMatchObject({
    count: 1,
    rows: [{ session_id: sessionId, title: "Audit the start page", reason: "budget" }],
  });
});

test("days are a whole number from 1 to 90", async () => {
  for (const days of ["0", "91", "many", "1.5"]) {
    const refused = await api.call("GET", `/v1/overview?days=${days}`);
    expect([refused.status, refused.json.code]).toEqual([422, "invalid"]);
  }
});
