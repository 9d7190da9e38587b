// Failed messages that match a filter, sent again together: once each, within the limits, with audit entries.

import { routes, validate, type MessagesRetried } from "@dari/contract";
import { findViolations } from "@dari/control/operations";
import { createTestAgent, createTestSession, type TestOrganization } from "@dari/testkit";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { createFailedMessage } from "./failed-message.ts";

/** A worker's by default. */
const leaseMs = 15_000;

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

async function retry(
  body: Record<string, unknown> = {},
  by: TestOrganization = api.org,
): Promise<MessagesRetried & { reply: TestReply }> {
  const reply = await api.call("POST", "/v1/messages/retry", { key: by.apiKey, body: { filter: {}, ...body } });
  expect([reply.text, reply.status, validate(routes.retryMessages.reply, reply.json)]).toEqual([reply.text, 200, []]);
  return { ...(reply.json as unknown as MessagesRetried), reply };
}

const ids = (rows: readonly { message_id: string }[]): string[] => rows.map((row) => row.message_id);

async function retriesOf(messageId: string): Promise<string[]> {
  const { rows } = await api.db.pool.query<{ id: string }>("select id from messages where retry_of = $1", [messageId]);
  return rows.map((row) => row.id);
}

test("every failed message is sent again once, with its parts, at its session's tail", async () => {
  const one = await createFailedMessage(api, api.org);
  const two = await createFailedMessage(api, api.org, { agentId: one.agentId, sessionId: one.sessionId });
  const dry = await retry({ dry_run: true });
  expect(dry).toMatchObject({ matched: 2, skipped: [], has_more: false, dry_run: true });
  expect(dry.retried).toEqual([one, two].map(({ messageId: message_id }) => ({ message_id, retry_message_id: null })));
  expect(await retriesOf(one.messageId)).toEqual([]);

  const { matched, retried, skipped, has_more, next } = await retry();
  expect({ matched, skipped, has_more, next }).toEqual({ matched: 2, skipped: [], has_more: false, next: null });
  expect(ids(retried)).toEqual([one.messageId, two.messageId]);
  const record = await api.call("GET", `/v1/messages/${String(retried[1]?.retry_message_id)}`);
  expect(record.json).toMatchObject({
    status: "queued",
    sequence_number: 4,
    retry_of: two.messageId,
    parts: [{ type: "text", text: "hello" }],
  });

  const again = await retry();
  expect(again).toMatchObject({ matched: 2, retried: [] });
  expect(again.skipped.map((row) => row.reason)).toEqual(["already_retried", "already_retried"]);
  expect((await retry({ force: true, filter: { session_id: one.sessionId } })).retried).toHaveLength(2);
  expect(await retriesOf(one.messageId)).toHaveLength(2);
});

test("ten concurrent calls retry nothing twice", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const failed = [];
  for (let i = 0; i < 6; i++) failed.push(await createFailedMessage(api, api.org, { agentId }));
  const replies = await Promise.all(Array.from({ length: 10 }, () => retry()));
  expect(replies.flatMap((reply) => ids(reply.retried)).sort()).toEqual(failed.map((one) => one.messageId).sort());
  for (const { messageId } of failed) expect(await retriesOf(messageId)).toHaveLength(1);
});

test("the filter names agent, session, code and time", async () => {
  const one = await createFailedMessage(api, api.org, { code: "timeout" });
  const two = await createFailedMessage(api, api.org, { code: "worker_lost" });
  const matching = async (filter: object): Promise<string[]> => ids((await retry({ dry_run: true, filter })).retried);
  const when = async ({ messageId }: typeof one): Promise<string> =>
    String((await api.call("GET", `/v1/messages/${messageId}`)).json["completed_at"]);
  expect(await matching({ agent_id: one.agentId })).toEqual([one.messageId]);
  expect(await matching({ agent_id: one.agentId.replace("agt_", "dep_") })).toEqual([one.messageId]);
  expect(await matching({ session_id: two.sessionId })).toEqual([two.messageId]);
  expect(await matching({ error_code: "worker_lost" })).toEqual([two.messageId]);
  expect(await matching({ error_code: "worker_lost", agent_id: one.agentId })).toEqual([]);
  expect(await matching({ failed_before: await when(one) })).toEqual([]);
  expect(await matching({ failed_after: await when(one) })).toContain(two.messageId);
  expect(await matching({ failed_after: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
  const odd = { body: { filter: { failed_after: "2016-12-31T23:59:60Z" } } };
  expect((await api.call("POST", "/v1/messages/retry", odd)).status).toBe(422);
});

test("pages reach every failed message, also past those that are skipped", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const failed = [];
  for (let i = 0; i < 5; i++) failed.push(await createFailedMessage(api, api.org, { agentId }));
  await retry({ limit: 2 });
  const seen: string[] = [];
  for (let after: string | null | undefined; after !== null;) {
    const page = await retry({ limit: 2, ...(after === undefined ? {} : { after }) });
    seen.push(...ids(page.retried));
    after = page.next;
  }
  expect(seen).toEqual(failed.slice(2).map((one) => one.messageId));
});

test("a message that cannot be retried says why, and does not prevent other retries", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const ended = await createFailedMessage(api, api.org, { agentId });
  await api.call("POST", `/v1/sessions/${ended.sessionId}/complete`);
  const gone = await createFailedMessage(api, api.org, { agentId });
  await api.call("DELETE", `/v1/sessions/${gone.sessionId}`);
  const fine = await createFailedMessage(api, api.org, { agentId });
  const full = await createFailedMessage(api, api.org, { agentId });
  await api.call("PATCH", `/v1/organizations/${api.org.organizationId}`, {
    key: api.operator.apiKey,
    body: { max_backlog: 1 },
  });
  const { retried, skipped } = await retry();
  expect(ids(retried)).toEqual([fine.messageId]);
  expect(skipped).toEqual([
    { message_id: ended.messageId, reason: "session_ended" },
    { message_id: full.messageId, reason: "backlog_full" },
  ]);
});

test("the same key gets the same reply, and nothing is sent again", async () => {
  const { messageId } = await createFailedMessage(api, api.org);
  const post = (body: unknown): Promise<TestReply> =>
    api.call("POST", "/v1/messages/retry", { body, headers: { "idempotency-key": "k-1" } });
  const replies = await Promise.all(Array.from({ length: 5 }, () => post({ filter: {}, force: true })));
  for (const reply of replies) expect([reply.status, reply.json]).toEqual([200, replies[0]?.json]);
  expect(replies.filter((reply) => reply.headers.get("idempotent-replayed") === null)).toHaveLength(1);
  expect(await retriesOf(messageId)).toHaveLength(1);
  expect((await post({ filter: {} })).json.code).toBe("idempotency_key_reused");
  const dry = { body: { filter: {}, dry_run: true }, headers: { "idempotency-key": "k-2" } };
  const looks = [await api.call("POST", "/v1/messages/retry", dry), await api.call("POST", "/v1/messages/retry", dry)];
  expect(looks[1]?.json).toEqual(looks[0]?.json);
});

describe("other organizations", () => {
  test("are an operator's only, and each finds its part in its log", async () => {
    const mine = await createFailedMessage(api, api.org);
    const theirs = await createFailedMessage(api, api.stranger);
    expect((await retry({ dry_run: true })).matched).toBe(1);
    for (const organization_id of ["all", api.stranger.organizationId]) {
      const reply = await api.call("POST", "/v1/messages/retry", { body: { filter: { organization_id } } });
      expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
    }
    expect((await retry({}, api.operator)).matched).toBe(0);
    const one = await retry({ filter: { organization_id: api.stranger.organizationId } }, api.operator);
    expect(ids(one.retried)).toEqual([theirs.messageId]);
    const all = await retry({ filter: { organization_id: "all" } }, api.operator);
    expect(ids(all.retried)).toEqual([mine.messageId]);
    expect(ids(all.skipped)).toEqual([theirs.messageId]);

    const log = async (by: TestOrganization): Promise<unknown> =>
      (await api.call("GET", "/v1/organizations/current/audit-log", { key: by.apiKey })).json["data"];
    const entry = (retried: number) =>
      expect.objectContaining({
        action: "message.retry_many",
        actor_key_id: api.operator.keyId,
        details: expect.objectContaining({ retried }),
      });
    expect(await log(api.org)).toEqual([entry(1)]);
    expect(await log(api.stranger)).toEqual([entry(1)]);
    expect(await log(api.operator)).toEqual([entry(1), entry(1), entry(0)]);
  });

  test("do not see another organization's messages, whatever they name", async () => {
    const mine = await createFailedMessage(api, api.org);
    for (const filter of [{ agent_id: mine.agentId }, { session_id: mine.sessionId }]) {
      expect((await retry({ filter, dry_run: true }, api.stranger)).matched).toBe(0);
    }
    const by = { key: api.stranger.apiKey, body: { filter: {}, after: mine.messageId } };
    expect((await api.call("POST", "/v1/messages/retry", by)).status).toBe(422);
  });
});

test("one call ends long before the lease of its sessions' workers", async () => {
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const template = await createFailedMessage(api, api.org, { agentId, sessionId });
  await manyMore(template.sessionId, limits.bulkRetryMax);
  const startedAt = performance.now();
  const { retried } = await retry({ limit: limits.bulkRetryMax });
  expect(retried).toHaveLength(limits.bulkRetryMax);
  // A worker renews all its leases together, and waits if one of their sessions is locked.
  expect(performance.now() - startedAt).toBeLessThan(leaseMs);
});

/** Copies a session with its one failed message. */
async function manyMore(sessionId: string, count: number): Promise<void> {
  const columnsOf = async (table: string): Promise<string> => {
    const { rows } = await api.db.pool.query<{ name: string }>(
      `select column_name as name from information_schema.columns where table_schema = 'dari' and table_name = $1`,
      [table],
    );
    return rows.map((row) => row.name).join(", ");
  };
  for (const [table, ownKey] of [
    ["sessions", "id"],
    ["messages", "session_id"],
    ["attempts", "session_id"],
    ["events", "session_id"],
  ] as const) {
    const columns = await columnsOf(table);
    const renamed = columns
      .split(", ")
      .map((name) =>
        ["id", "session_id", "message_id", "attempt_id", "last_message_id"].includes(name)
          ? `case when t.${name} is null then null else t.${name} || '_' || n end`
          : `t.${name}`,
      )
      .join(", ");
    await api.db.pool.query(
      `insert into ${table} (${columns}) select ${renamed} from ${table} t, generate_series(1, ${count}) n
      where t.${ownKey} = $1`,
      [sessionId],
    );
  }
}
