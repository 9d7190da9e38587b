// An agent's name is accepted wherever its id is, and what a new agent does whose name is taken.

import { createTestAgent } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { agentBundle, manifestText } from "./bundle.ts";
import { bring } from "./publish.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

/** The name of every agent that `createTestAgent` makes first in an organization. */
const name = "test-agent";

describe("a name instead of an id", () => {
  let agentId: string;
  let versionId: string;
  beforeAll(async () => {
    ({ agentId, versionId } = await createTestAgent(api.db, api.org.organizationId));
  });

  test("in a path, also under /v1/deployments, names the agent", async () => {
    expect((await api.call("GET", `/v1/agents/${name}`)).json).toMatchObject({ id: agentId, name });
    const deployment = await api.call("GET", `/v1/deployments/${name}`);
    expect(deployment.json["id"]).toBe(agentId.replace("agt_", "dep_"));
    const created = await api.call("POST", `/v1/agents/${name}/sessions`, { body: {} });
    expect([created.status, created.json["agent_id"]]).toEqual([201, agentId]);
    const version = await api.call("GET", `/v1/agents/${name}/versions/${versionId}`);
    expect([version.status, version.json["agent_id"]]).toEqual([200, agentId]);
    const activated = await api.call("POST", `/v1/agents/${name}/activate`, { body: { version_id: versionId } });
    expect(activated.json["id"]).toBe(agentId);
  });

  test.each([
    ["createSchedule", "/v1/schedules", { cron: "0 9 * * *", status: "paused", parts: [{ type: "text", text: "x" }] }],
    ["createWebhookEndpoint", "/v1/organizations/current/webhook-endpoints", { url: "https://receiver.example" }],
    ["createSessionBatch", "/v1/session-batches", { sessions: [{ parts: [{ type: "text", text: "x" }] }] }],
  ])("in the body of %s names the agent", async (_route, path, body) => {
    const made = await api.call("POST", path, { body: { ...body, agent_id: name } });
    expect([made.status, made.json["agent_id"]]).toEqual([201, agentId]);
  });

  test("in items, filters, budgets and queries names the agent", async () => {
    const message = { content: [{ type: "text", text: "x" }] };
    const items = [
      { agent_id: name, message },
      { agent_id: agentId, message },
    ];
    const batch = await api.call("POST", "/v1/session-batches", { body: { items } });
    expect([batch.status, batch.json["agent_id"]]).toEqual([201, agentId]);
    const budget = await api.call("PUT", "/v1/organizations/current/budgets", {
      body: { agent_id: name, period: "day", max_turns: 5 },
    });
    expect([budget.status, budget.json["target_id"]]).toEqual([200, agentId]);
    const retried = await api.call("POST", "/v1/messages/retry", { body: { filter: { agent_id: name } } });
    expect(retried.status).toBe(200);
    await api.call("POST", `/v1/agents/${agentId}/sessions`, { body: { name: "listed" } });
    const listed = await api.call("GET", `/v1/sessions?agent_id=${name}&name=listed`);
    expect(listed.json["data"]).toMatchObject([{ agent_id: agentId }]);
    expect((await api.call("GET", `/v1/schedules?agent_id=${name}`)).json["data"]).toMatchObject([
      { agent_id: agentId },
    ]);
  });

  test("that no agent has is not found; what looks like another id is invalid", async () => {
    const unknown = await api.call("GET", "/v1/agents/nobody");
    expect([unknown.status, unknown.json.detail]).toEqual([404, expect.stringContaining('"nobody"')]);
    expect((await api.call("GET", "/v1/sessions?agent_id=nobody")).status).toBe(404);
    const wrong = await api.call("GET", "/v1/agents/sess_01jx5m0k8c3f7q2v9t4w6y8z1a/versions");
    expect([wrong.status, wrong.json.errors]).toEqual([422, [expect.objectContaining({ path: "agent_id" })]]);
    const item = { agent_id: "msg_1", message: { content: [{ type: "text", text: "x" }] } };
    const inItem = await api.call("POST", "/v1/session-batches", { body: { items: [item] } });
    expect([inItem.status, inItem.json.errors]).toEqual([
      422,
      [expect.objectContaining({ path: "items[0].agent_id" })],
    ]);
  });

  test("of another organization, or of a deleted agent, is not found", async () => {
    await createTestAgent(api.db, api.stranger.organizationId);
    const theirs = await api.call("GET", `/v1/agents/${name}`, { key: api.stranger.apiKey });
    expect([theirs.status, theirs.json["id"] === agentId]).toEqual([200, false]);
    expect((await api.call("DELETE", `/v1/agents/${name}`, { key: api.stranger.apiKey })).json["id"]).not.toBe(agentId);
    expect((await api.call("GET", `/v1/agents/${name}`, { key: api.stranger.apiKey })).status).toBe(404);
    expect((await api.call("GET", `/v1/agents/${name}`)).status).toBe(200);
  });
});

describe("a new agent whose name is taken", () => {
  async function create(body: object): Promise<TestReply> {
    const { id } = await bring(api, agentBundle());
    return api.call("POST", "/v1/agents", { body: { source_snapshot_id: id, ...body } });
  }

  test("is numbered, refused with the other's id, or published as its next version", async () => {
    const first = await create({ name: "taken" });
    expect([first.status, first.json["name"]]).toEqual([201, "taken"]);
    const second = await create({ name: "taken" });
    expect([second.status, second.json["name"]]).toEqual([201, "taken-2"]);
    const refused = await create({ name: "taken", on_name_conflict: "refuse" });
    expect([refused.status, refused.json.code]).toEqual([409, "agent_name_taken"]);
    expect(refused.json.detail).toContain(String(first.json["id"]));
    const next = await create({ name: "taken", on_name_conflict: "new_version" });
    expect([next.status, next.json]).toEqual([201, expect.objectContaining({ id: first.json["id"], name: "taken" })]);
    expect((await api.call("GET", "/v1/agents/taken/versions")).json["data"]).toMatchObject([
      { version_id: next.json["version_id"], number: 2 },
      { version_id: first.json["version_id"], number: 1 },
    ]);
  });

  test("is published or refused also when the organization has its maximum of agents", async () => {
    const first = await create({ name: "full" });
    const setMax = (max: string) =>
      api.db.pool.query(`update organizations set max_agents = ${max} where id = $1`, [api.org.organizationId]);
    await setMax("1");
    const next = await create({ name: "full", on_name_conflict: "new_version" });
    expect([next.status, next.json["id"]]).toEqual([201, first.json["id"]]);
    const refused = await create({ name: "full", on_name_conflict: "refuse" });
    expect([refused.status, refused.json.code]).toEqual([409, "agent_name_taken"]);
    expect((await create({ name: "fuller", on_name_conflict: "new_version" })).status).toBe(429);
    await setMax("null");
  });

  test("of two at the same time, one is created and the other one gets a clear answer", async () => {
    const replies = await Promise.all([1, 2].map(() => create({ name: "twice", on_name_conflict: "refuse" })));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
    const published = await Promise.all([1, 2].map(() => create({ name: "both", on_name_conflict: "new_version" })));
    expect(published.map(({ status }) => status)).toEqual([201, 201]);
    expect(new Set(published.map(({ json }) => json["id"])).size).toBe(1);
  });

  test.each(["agt_weather", "..", "-", "a\nb", "x".repeat(201)])("%j is refused", async (bad) => {
    const reply = await create({ name: bad });
    expect([reply.status, reply.json.errors]).toEqual([422, [expect.objectContaining({ path: "name" })]]);
  });
});

describe("a new name of an agent", () => {
  const rename = (agent: string, wanted: unknown): Promise<TestReply> =>
    api.call("PATCH", `/v1/agents/${agent}`, { body: { name: wanted } });
  const createNamed = async (wanted: string): Promise<string> => {
    const { agentId } = await createTestAgent(api.db, api.org.organizationId);
    expect((await rename(agentId, wanted)).status).toBe(200);
    return agentId;
  };

  test("replaces the old one, which is free again", async () => {
    const agentId = await createNamed("old name");
    const renamed = await rename("old name", " new name ");
    expect([renamed.status, renamed.json]).toEqual([200, expect.objectContaining({ id: agentId, name: "new name" })]);
    expect((await api.call("GET", "/v1/agents/new name")).json["id"]).toBe(agentId);
    expect((await api.call("GET", "/v1/agents/old name")).status).toBe(404);
    const deployment = await api.call("PATCH", "/v1/deployments/new name", { body: { name: "old name" } });
    expect(deployment.json["id"]).toBe(agentId.replace("agt_", "dep_"));
  });

  test("that another agent has is refused, and its own name changes nothing", async () => {
    const agentId = await createNamed("mine");
    await createNamed("theirs");
    const refused = await rename(agentId, "theirs");
    expect([refused.status, refused.json.code]).toEqual([409, "agent_name_taken"]);
    expect(refused.json.detail).toContain('"theirs"');
    expect((await rename(agentId, "mine")).status).toBe(200);
    // Another organization and deleted agents do not count.
    expect((await api.call("DELETE", "/v1/agents/theirs")).status).toBe(200);
    expect((await rename(agentId, "theirs")).status).toBe(200);
  });

  test("is given to one of several that want it at the same time", async () => {
    const ids = await Promise.all([1, 2, 3, 4].map(() => createTestAgent(api.db, api.org.organizationId)));
    const replies = await Promise.all(ids.map(({ agentId }) => rename(agentId, "wanted")));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409]);
  });
});

describe("only_if_changed and activate", () => {
  test("the same bundle publishes nothing while it is current", async () => {
    const bundle = agentBundle();
    const publish = async (body: object, other = bundle): Promise<TestReply> => {
      const { id } = await bring(api, other);
      return api.call("POST", "/v1/agents/steady/versions", { body: { source_snapshot_id: id, ...body } });
    };
    const { id } = await bring(api, bundle);
    const first = await api.call("POST", "/v1/agents", { body: { name: "steady", source_snapshot_id: id } });
    const same = await publish({ only_if_changed: true });
    expect([same.status, same.json]).toEqual([
      200,
      expect.objectContaining({ unchanged: true, version_id: first.json["version_id"], version_status: "building" }),
    ]);
    const forced = await publish({});
    expect([forced.status, forced.json["unchanged"]]).toEqual([201, undefined]);
    const silent = await publish({ activate: false }, agentBundle(`${manifestText}# other\n`));
    expect(silent.status).toBe(201);
    // What does not become active does not count.
    expect((await publish({ only_if_changed: true })).json["version_id"]).toBe(forced.json["version_id"]);
    const changed = await publish({ only_if_changed: true }, agentBundle(`${manifestText}# other\n`));
    expect([changed.status, changed.json["unchanged"]]).toEqual([201, undefined]);
    expect((await api.call("POST", "/v1/agents/nobody/versions", { body: { source_snapshot_id: id } })).status).toBe(
      404,
    );
  });
});
