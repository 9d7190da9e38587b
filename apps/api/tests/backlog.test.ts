// An organization with too many open messages is refused more of them, and only that organization.

import { expect, test } from "@jest/globals";
import { createTestAgent, createTestSession, waitUntil, type TestOrganization } from "@dari/testkit";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

const hello = { parts: [{ type: "text", text: "hello" }] };

async function sessionOf(api: TestApi, organization: TestOrganization): Promise<string> {
  const { agentId } = await createTestAgent(api.db, organization.organizationId);
  return createTestSession(api.db, organization.organizationId, agentId);
}

function send(api: TestApi, organization: TestOrganization, sessionId: string, key?: string): Promise<TestReply> {
  return api.call("POST", `/v1/sessions/${sessionId}/messages/async`, {
    key: organization.apiKey,
    body: hello,
    ...(key === undefined ? {} : { headers: { "idempotency-key": key } }),
  });
}

test("at its limit, an organization is refused and others are not", async () => {
  await using api = await startTestApi();
  await api.db.pool.query("update organizations set max_backlog = 3 where id = $1", [api.org.organizationId]);
  const sessions = [await sessionOf(api, api.org), await sessionOf(api, api.org)] as const;
  const taken = [
    await send(api, api.org, sessions[0]),
    await send(api, api.org, sessions[0], "k-1"),
    await send(api, api.org, sessions[1]),
  ];
  expect(taken.map((reply) => reply.status)).toEqual([202, 202, 202]);

  const refused = await send(api, api.org, sessions[1], "k-2");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(refused.json).toMatchObject({
    code: "limit_exceeded",
    detail: "backlog limit reached: 3 open messages; retry when some have ended",
    request_id: refused.headers.get("x-request-id"),
  });
  const { rows } = await api.db.pool.query("select count(*)::int as n from messages");
  expect(rows).toEqual([{ n: 3 }]);

  // Accepted messages are found again, also at the limit; and the refused key is free.
  expect((await send(api, api.org, sessions[0], "k-1")).json["id"]).toBe(taken[1]?.json["id"]);
  expect((await send(api, api.stranger, await sessionOf(api, api.stranger))).status).toBe(202);
});

test("when messages end, new ones are accepted", async () => {
  await using api = await startTestApi();
  await api.db.pool.query("update organizations set max_backlog = 1 where id = $1", [api.org.organizationId]);
  const sessionId = await sessionOf(api, api.org);
  const first = await send(api, api.org, sessionId, "k-first");
  expect((await send(api, api.org, sessionId, "k-next")).status).toBe(429);
  await api.call("POST", `/v1/messages/${String(first.json["id"])}/cancel`);
  // Messages are counted again within a second.
  await waitUntil(async () => (await send(api, api.org, sessionId, "k-next")).status === 202, {
    what: "the next message to be accepted",
  });
});
