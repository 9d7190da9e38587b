// An agent's webhook in the form of the hosted service: the organization's endpoint for that agent.

import { routes, validate } from "@dari/contract";
import { createTestAgent } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let api: TestApi;
let agentId: string;
let path: string;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
  path = `/v1/agents/${agentId}/webhook`;
});

const url = "https://receiver.example/hooks";
const none = {
  webhook_url: null,
  signing_enabled: false,
  event_types: [],
  signing_secret: null,
  webhook_endpoint_id: null,
};
const endpoints = "/v1/organizations/current/webhook-endpoints";

async function set(body: Record<string, unknown>) {
  const reply = await api.call("PUT", path, { body });
  expect([reply.status, validate(routes.putAgentWebhook.reply, reply.json)]).toEqual([200, []]);
  return reply.json;
}

test("is set, read, changed, given another secret and cleared; it is the organization's endpoint", async () => {
  expect((await api.call("GET", path)).json).toEqual(none);
  const made = await set({ webhook_url: url });
  expect(made).toMatchObject({
    webhook_url: url,
    signing_enabled: true,
    event_types: ["message.completed", "message.failed", "message.cancelled"],
    signing_secret: expect.stringMatching(/^whsec_/),
  });
  const endpoint = `${endpoints}/${String(made["webhook_endpoint_id"])}`;
  expect((await api.call("GET", endpoint)).json).toMatchObject({ url, agent_id: agentId, status: "enabled" });
  const { signing_secret: secret, ...shown } = made;
  const read = await api.call("GET", path);
  expect(read.json).toEqual({ ...shown, signing_secret: null });

  await api.call("PATCH", endpoint, { body: { status: "disabled" } });
  const changed = await set({ webhook_url: `${url}/2`, event_types: ["agent.event"] });
  expect(changed).toEqual({ ...shown, webhook_url: `${url}/2`, event_types: ["agent.event"], signing_secret: null });
  expect((await api.call("GET", endpoint)).json).toMatchObject({ status: "enabled" });
  expect((await set({ webhook_url: url }))["event_types"]).toEqual(["agent.event"]);

  const rotated = await api.call("POST", `${path}/rotate-secret`);
  expect([rotated.status, validate(routes.rotateAgentWebhookSecret.reply, rotated.json)]).toEqual([200, []]);
  expect(rotated.json["signing_secret"]).toMatch(/^whsec_/);
  expect(rotated.json["signing_secret"]).not.toBe(secret);

  for (let i = 0; i < 2; i++) {
    const cleared = await api.call("DELETE", path);
    expect([cleared.status, cleared.json]).toEqual([200, none]);
  }
  expect((await api.call("GET", endpoint)).status).toBe(404);
  const missing = await api.call("POST", `${path}/rotate-secret`);
  expect([missing.status, missing.json.detail]).toEqual([404, "webhook not found"]);
});

test("set by two concurrent calls is one endpoint", async () => {
  const both = await Promise.all([set({ webhook_url: url }), set({ webhook_url: url })]);
  expect(new Set(both.map((one) => one["webhook_endpoint_id"])).size).toBe(1);
});

test("of an agent with several endpoints is left to their own calls", async () => {
  const create = () => api.call("POST", endpoints, { body: { url, agent_id: agentId } });
  const made = [await create(), await create()].map(({ json }) => String(json["id"]));
  for (const [method, suffix] of [
    ["GET", ""],
    ["PUT", ""],
    ["DELETE", ""],
    ["POST", "/rotate-secret"],
  ] as const) {
    const refused = await api.call(method, path + suffix, {
      body: method === "PUT" ? { webhook_url: url } : undefined,
    });
    expect([refused.status, refused.json.code]).toEqual([409, "conflict"]);
    for (const id of made) expect(refused.json.detail).toContain(id);
  }
});

test("has the address rules and the event types of endpoints", async () => {
  for (const [body, field] of [
    [{ webhook_url: "https://127.0.0.1/hooks" }, "webhook_url"],
    [{ webhook_url: url, event_types: ["session.completed"] }, "event_types[0]"],
    [{}, "webhook_url"],
  ] as const) {
    const refused = await api.call("PUT", path, { body });
    expect([refused.status, refused.json["errors"]]).toEqual([422, [expect.objectContaining({ path: field })]]);
  }
  expect((await api.call("GET", path, { key: api.stranger.apiKey })).status).toBe(404);
});
