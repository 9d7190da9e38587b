// Quotas of an organization: exact for concurrent calls, and freed by deletions.

import { createTestAgent, createTestSession, createTestSourceSnapshot } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(() =>
  setLimits({ max_sessions: null, max_files: null, max_agents: null, max_api_keys: null, max_storage_bytes: null }),
);

async function setLimits(body: object): Promise<void> {
  const path = `/v1/organizations/${api.org.organizationId}`;
  const reply = await api.call("PATCH", path, { key: api.operator.apiKey, body });
  expect([reply.status, reply.json]).toMatchObject([200, body]);
}

function upload(bytes = 1): Promise<TestReply> {
  const body = new FormData();
  body.set("file", new Blob([new Uint8Array(bytes)]), "a.bin");
  return api.call("POST", "/v1/files", { body });
}

interface Kept {
  readonly limit: string;
  readonly noun: string;
  create(): Promise<TestReply>;
  /** Deletes what a reply created. */
  remove(json: TestReply["json"]): Promise<TestReply>;
  /** The list that shows how many there are. */
  list: string;
}

const kinds: readonly Kept[] = [
  {
    limit: "max_sessions",
    noun: "sessions",
    create: () => api.call("POST", `/v1/agents/${agentId}/sessions`, { body: {} }),
    remove: ({ id }) => api.call("DELETE", `/v1/sessions/${String(id)}`),
    list: "/v1/sessions?limit=500",
  },
  {
    limit: "max_files",
    noun: "files",
    create: () => upload(),
    remove: ({ id }) => api.call("DELETE", `/v1/files/${String(id)}`),
    list: "/v1/files?limit=500",
  },
  {
    limit: "max_agents",
    noun: "agents",
    create: async () => {
      const source_snapshot_id = await createTestSourceSnapshot(api.db, api.org.organizationId);
      return api.call("POST", "/v1/agents", { body: { source_snapshot_id } });
    },
    remove: ({ id }) => api.call("DELETE", `/v1/agents/${String(id)}`),
    list: "/v1/agents?limit=500",
  },
  {
    limit: "max_api_keys",
    noun: "API keys",
    create: () => api.call("POST", "/v1/organizations/current/api-keys", { body: { label: "x" } }),
    remove: ({ id }) => api.call("DELETE", `/v1/organizations/current/api-keys/${String(id)}`),
    list: "/v1/organizations/current/api-keys?limit=500",
  },
];

test.each(kinds.map((kind) => [kind.limit, kind] as const))("%s", async (limit, kind) => {
  const before = ((await api.call("GET", kind.list)).json.data as unknown[]).length;
  const most = before + 3;
  await setLimits({ [limit]: most });
  const replies = await Promise.all(Array.from({ length: 12 }, () => kind.create()));
  const made = replies.filter((reply) => reply.status === 201);
  expect(made).toHaveLength(3);
  for (const reply of replies.filter((other) => other.status !== 201)) {
    expect([reply.status, reply.json.code, reply.headers.get("retry-after")]).toEqual([429, "quota_exceeded", "60"]);
    const detail = `quota reached: ${most} ${kind.noun}; delete some, or ask an operator for more`;
    expect(reply.json.detail).toBe(detail);
  }
  expect((await api.call("GET", kind.list)).json.data).toHaveLength(most);

  expect((await kind.remove(made[0]!.json)).status).toBe(200);
  expect([(await kind.create()).status, (await kind.create()).status]).toEqual([201, 429]);
  await setLimits({ [limit]: null });
  expect((await kind.create()).status).toBe(201);
});

test("bytes of files, bundles, workspaces and tool calls share one limit", async () => {
  const { rows } = await api.db.pool.query(
    `select (select coalesce(sum(size_bytes), 0) from files where organization_id = $1 and deleted_at is null)
      + (select coalesce(sum(size_bytes), 0) from source_snapshots where organization_id = $1) as bytes`,
    [api.org.organizationId],
  );
  const kept = Number((rows[0] as { bytes: string }).bytes);
  await setLimits({ max_storage_bytes: kept + 1_000 });
  const first = await upload(400);
  expect(first.status).toBe(201);
  const objects = (await api.objects()).length;
  const refused = await upload(700);
  expect([refused.status, refused.json.code]).toEqual([429, "quota_exceeded"]);
  expect(refused.json.detail).toBe(
    `quota reached: ${kept + 1_000} bytes of files, bundles, workspaces and tool calls, of which ${kept + 400} are ` +
      "used, and this adds 700; delete some, or ask an operator for more",
  );
  // Nothing is left of what was refused.
  expect(await api.objects()).toHaveLength(objects);
  const bundle = { format: "tar.gz", sha256: "0".repeat(64), size_bytes: 601 };
  expect((await api.call("POST", "/v1/source-snapshots", { body: bundle })).status).toBe(429);
  await api.call("DELETE", `/v1/files/${String(first.json["id"])}`);
  expect((await api.call("POST", "/v1/source-snapshots", { body: bundle })).status).toBe(201);
});

test("a client's write counts as the workspace's new size, and is refused above the limit", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const path = `/v1/sessions/${sessionId}/files/content?path=/a.bin`;
  const write = (bytes: number): Promise<TestReply> => api.call("PUT", path, { body: new Uint8Array(bytes) });
  expect((await write(1_000)).status).toBe(201);
  await setLimits({ max_storage_bytes: 1 });
  const refused = await write(1_001);
  expect([refused.status, refused.json.code]).toEqual([429, "quota_exceeded"]);
  expect((await api.call("GET", path)).text).toHaveLength(1_000);
  expect((await write(999)).status).toBe(200);
});

test("a fork counts as a session, a repeated call at the limit finds its result, a refused key is free", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const create = (key: string) =>
    api.call("POST", `/v1/agents/${agentId}/sessions`, { body: {}, headers: { "idempotency-key": key } });
  const first = await create("one");
  expect(first.status).toBe(201);
  const sessions = ((await api.call("GET", "/v1/sessions?limit=500")).json.data as unknown[]).length;
  await setLimits({ max_sessions: sessions });
  const fork = await api.call("POST", `/v1/sessions/${sessionId}/fork`);
  expect([fork.status, fork.json.code]).toEqual([429, "quota_exceeded"]);
  expect((await create("one")).json["id"]).toBe(first.json["id"]);
  expect((await create("two")).status).toBe(429);
  await setLimits({ max_sessions: null });
  expect((await create("two")).status).toBe(201);
});

test("another organization keeps what it likes", async () => {
  await setLimits({ max_agents: 1 });
  const source_snapshot_id = await createTestSourceSnapshot(api.db, api.stranger.organizationId);
  const created = await api.call("POST", "/v1/agents", { key: api.stranger.apiKey, body: { source_snapshot_id } });
  expect(created.status).toBe(201);
});
