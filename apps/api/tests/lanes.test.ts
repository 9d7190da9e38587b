// Lanes over HTTP: where a lane can be set, the defaults, and where it is shown.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createTestAgent, createTestSession } from "@dari/testkit";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { createFailedMessage } from "./failed-message.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const parts = [{ type: "text", text: "hello" }];

async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const reply = await api.call(method, path, body === undefined ? {} : { body });
  expect([reply.status < 300, reply.text]).toEqual([true, reply.text]);
  return reply.json;
}

const laneOf = async (messageId: unknown): Promise<unknown> =>
  (await call("GET", `/v1/messages/${String(messageId)}`))["lane"];

test("a message is interactive unless it says otherwise", async () => {
  const session = await createTestSession(api.db, api.org.organizationId, agentId);
  const send = (more: object) => call("POST", `/v1/sessions/${session}/messages/async`, { parts, ...more });
  expect(await send({})).toMatchObject({ lane: "interactive" });
  expect(await send({ lane: "background" })).toMatchObject({ lane: "background" });
});

test("a batch is background by default, and can limit its concurrent turns", async () => {
  const create = (more: object) =>
    call("POST", "/v1/session-batches", { agent_id: agentId, sessions: [{ parts }], ...more });
  const firstLane = async (batch: Record<string, unknown>): Promise<unknown> => {
    const listed = await call("GET", `/v1/session-batches/${String(batch["id"])}/sessions`);
    return laneOf((listed["sessions"] as Record<string, unknown>[])[0]?.["message_id"]);
  };
  const usual = await create({});
  expect(usual).toMatchObject({ lane: "background", max_concurrency: null });
  expect(await firstLane(usual)).toBe("background");
  const urgent = await create({ lane: "interactive", max_concurrency: 3 });
  expect(urgent).toMatchObject({ lane: "interactive", max_concurrency: 3 });
  expect(await firstLane(urgent)).toBe("interactive");
});

test("a schedule is background unless it says otherwise", async () => {
  const schedule = { agent_id: agentId, cron: "0 9 * * *", parts };
  const made = await call("POST", "/v1/schedules", schedule);
  expect(made).toMatchObject({ lane: "background" });
  expect(await call("POST", "/v1/schedules", { ...schedule, lane: "interactive" })).toMatchObject({
    lane: "interactive",
  });
  const path = `/v1/schedules/${String(made["id"])}`;
  expect(await call("PATCH", path, { lane: "interactive" })).toMatchObject({ lane: "interactive" });
  expect(await call("PATCH", path, { name: "daily" })).toMatchObject({ lane: "interactive" });
});

test("a retry has the lane of the failed message, a bulk retry is background, and both can set another", async () => {
  const { messageId } = await createFailedMessage(api, api.org);
  const retry = (body: object) => call("POST", `/v1/messages/${messageId}/retry`, body);
  expect(await retry({})).toMatchObject({ lane: "interactive" });
  expect(await retry({ lane: "background" })).toMatchObject({ lane: "background" });
  for (const [more, lane] of [
    [{}, "background"],
    [{ lane: "interactive" }, "interactive"],
  ] as const) {
    const { retried } = await call("POST", "/v1/messages/retry", { filter: {}, force: true, ...more });
    const [first] = retried as { retry_message_id: string }[];
    expect(await laneOf(first?.retry_message_id)).toBe(lane);
  }
});
