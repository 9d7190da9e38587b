// Every route refuses who has no key, who lacks the scope, who asks for another organization's things, and bodies that
// do not validate. Driven by the contract's route table: a new route fails here until it has its cases.

import { fillPath, routePaths, routes, type Route, type RouteName } from "@dari/contract";
import {
  createTestAgent,
  createTestFile,
  createTestKey,
  createTestMessage,
  createTestSession,
  createTestSourceSnapshot,
} from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

/** Bodies that pass, so that only the foreign id is wrong; and those that do not, with a field each must name. */
interface Case {
  readonly valid?: unknown;
  readonly invalid?: readonly (readonly [body: unknown, path: string])[];
}

const text = { parts: [{ type: "text", text: "hello" }] };
const badMessages = [
  [{}, "parts"],
  [{ parts: [] }, "parts"],
  [{ parts: [{ type: "file", file_id: "msg_x" }] }, "parts[0].file_id"],
  [{ ...text, surprise: 1 }, "surprise"],
] as const;

const cases: Readonly<Record<RouteName, Case>> = {
  createSourceSnapshot: {
    valid: { format: "tar.gz", sha256: "0".repeat(64), size_bytes: 1 },
    invalid: [
      [{}, "sha256"],
      [{ format: "zip", sha256: "0".repeat(64), size_bytes: 1 }, "format"],
      [{ format: "tar.gz", sha256: "0".repeat(64), size_bytes: -1 }, "size_bytes"],
    ],
  },
  uploadBundle: {},
  finalizeSourceSnapshot: {},
  deleteSourceSnapshot: {},
  createAgent: {
    invalid: [
      [{ source_snapshot_id: "ver_1" }, "source_snapshot_id"],
      [{ name: 1 }, "name"],
    ],
  },
  listAgents: {},
  getAgent: {},
  deleteAgent: {},
  createVersion: { invalid: [[{ source_snapshot_id: "ver_1" }, "source_snapshot_id"]] },
  listVersions: {},
  getVersion: {},
  activateVersion: {
    invalid: [
      [{}, "version_id"],
      [{ version_id: "agt_1" }, "version_id"],
    ],
  },
  getBuildLogs: {},
  createSession: {
    valid: {},
    invalid: [
      [{ metadata: { nested: {} } }, "metadata.nested"],
      [{ secrets: { "not a name": "x" } }, "secrets.not a name"],
      [{ unknown: true }, "unknown"],
      [[], "body"],
    ],
  },
  listSessions: {},
  getSession: {},
  completeSession: {},
  deleteSession: {},
  sendMessage: { valid: text, invalid: badMessages },
  sendMessageSync: { valid: text, invalid: badMessages },
  sendMessageAsync: { valid: text, invalid: badMessages },
  sendMessageStream: { valid: text, invalid: badMessages },
  streamMessage: {},
  streamSession: {},
  getTranscript: {},
  listMessages: {},
  getMessage: {},
  cancelMessage: {},
  retryMessage: {
    valid: {},
    invalid: [
      [{ version_id: "agt_1" }, "version_id"],
      [{ version_id: "ver_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "version_id"],
      [{ fork: "yes" }, "fork"],
      [{ on_busy: "push" }, "on_busy"],
    ],
  },
  getMessageFiles: {},
  getMessageLogs: {},
  listEvents: {},
  uploadFile: {},
  listFiles: {},
  getFile: {},
  getFileContent: {},
  getFileDownloadUrl: {},
  reserveFileUpload: {
    valid: { filename: "a", sha256: "0".repeat(64), size_bytes: 1 },
    invalid: [
      [{ filename: "", sha256: "0".repeat(64), size_bytes: 1 }, "filename"],
      [{ filename: "a", sha256: "short", size_bytes: 1 }, "sha256"],
      [{ filename: "a", sha256: "0".repeat(64), size_bytes: -1 }, "size_bytes"],
      [{ filename: "a", sha256: "0".repeat(64), size_bytes: 6 * 1024 ** 3 }, "size_bytes"],
    ],
  },
  completeFileUpload: { valid: { upload_id: "x.y" }, invalid: [[{}, "upload_id"]] },
  deleteFile: {},
  listSessionFiles: {},
  getSessionFileContent: {},
  putSessionFile: {},
  deleteSessionFile: {},
  getWorkspaceTarGz: {},
  getWorkspaceZip: {},
  forkSession: {
    valid: {},
    invalid: [
      [{ message_id: "sess_1" }, "message_id"],
      [{ message_id: "msg_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "message_id"],
      [{ name: "x" }, "name"],
    ],
  },
  rollBackSession: {
    valid: { message_id: "msg_01jx5m0k8c3f7q2v9t4w6y8z1a" },
    invalid: [
      [{}, "message_id"],
      [{ message_id: "sess_1" }, "message_id"],
      [{ message_id: "msg_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "message_id"],
    ],
  },
  getMessageDiff: {},
  listAttemptFiles: {},
  getAttemptFileContent: {},
  promoteAttempt: {},
  exportSession: {},
  importSession: {},
  getAuthConfig: {},
  bootstrap: { invalid: [["[]", "body"]] },
  listOrganizations: {},
  createOrganization: {
    valid: { name: "x" },
    invalid: [
      [{}, "name"],
      [{ name: "x", slug: "No!" }, "slug"],
    ],
  },
  listApiKeys: {},
  createApiKey: {
    valid: { label: "x" },
    invalid: [
      [{ label: " " }, "label"],
      [{ label: "x", scopes: ["root"] }, "scopes[0]"],
      [{ label: "x", expires_at: "tomorrow" }, "expires_at"],
      [{ label: "x", expires_at: "2001-01-01T00:00:00Z" }, "expires_at"],
    ],
  },
  revokeApiKey: {},
  ensureManagedKey: { valid: { device_name: "laptop" }, invalid: [[{}, "device_name"]] },
  listMembers: {},
  createInvitation: {
    valid: { email: "a@b.example", role: "member" },
    invalid: [[{ email: "nobody", role: "x" }, "email"]],
  },
  listCredentials: {},
  putCredential: {
    valid: { value: "x" },
    invalid: [
      [{}, "value"],
      [{ value: "" }, "value"],
    ],
  },
  deleteCredential: {},
  getOrganization: {},
  updateOrganization: {
    valid: { weight: 2 },
    invalid: [
      [{}, "body"],
      [{ weight: 0 }, "weight"],
      [{ weight: 1.5 }, "weight"],
      [{ weight: null }, "weight"],
      [{ max_workspace_files: 0 }, "max_workspace_files"],
      [{ max_workspace_bytes: 2 ** 50 }, "max_workspace_bytes"],
      [{ max_workspace_file_bytes: "1" }, "max_workspace_file_bytes"],
      [{ session_retention_days: 0.5 }, "session_retention_days"],
      [{ max_concurrency: 0 }, "max_concurrency"],
      [{ max_backlog: "many" }, "max_backlog"],
      [{ max_backlog: 100_001 }, "max_backlog"],
      [{ is_operator: true }, "is_operator"],
    ],
  },
  deleteOrganization: {},
  listAuditLog: {},
  getOperatorHealth: {},
  checkStore: {},
  resealSecrets: {
    valid: {},
    invalid: [
      [{ limit: 0 }, "limit"],
      [{ limit: 1_001 }, "limit"],
      [{ after: "" }, "after"],
    ],
  },
  retryMessages: {
    valid: { filter: {} },
    invalid: [
      [{}, "filter"],
      [{ filter: {}, limit: 0 }, "limit"],
      [{ filter: {}, limit: 1_001 }, "limit"],
      [{ filter: { agent_id: "sess_1" } }, "filter.agent_id"],
      [{ filter: { organization_id: "any" } }, "filter.organization_id"],
      [{ filter: { failed_after: "yesterday" } }, "filter.failed_after"],
      [{ filter: { everything: true } }, "filter.everything"],
      [{ filter: {}, after: "sess_1" }, "after"],
      [{ filter: {}, after: "msg_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "after"],
    ],
  },
};

const names = Object.keys(routes) as RouteName[];
let api: TestApi;
/** Ids of `api.org`; the stranger's calls must find none of them. */
let ids: Record<string, string>;

beforeAll(async () => {
  api = await startTestApi();
  const { organizationId } = api.org;
  const { agentId, versionId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  ids = {
    organization_id: organizationId,
    api_key_id: api.org.keyId,
    agent_id: agentId,
    version_id: versionId,
    session_id: sessionId,
    message_id: await createTestMessage(api.db, organizationId, sessionId),
    file_id: await createTestFile(api.db, organizationId),
    source_snapshot_id: await createTestSourceSnapshot(api.db, organizationId),
    name: "A_SECRET",
    attempt_number: "1",
  };
});
afterAll(async () => api[Symbol.asyncDispose]());

function pathsOf(route: Route): string[] {
  return routePaths(route).map((path) => fillPath(path, ids as never));
}

/** Of somebody who may call the route. */
function keyFor(route: Route): string {
  return route.scope === "operator" ? api.operator.apiKey : api.org.apiKey;
}

function bodyOf(name: RouteName): unknown {
  const route: Route = routes[name];
  if (route.request === undefined) return undefined;
  const known = cases[name].valid;
  if (known !== undefined) return known;
  if (name === "activateVersion") return { version_id: ids["version_id"] };
  return name === "bootstrap" ? {} : { source_snapshot_id: ids["source_snapshot_id"] };
}

function expectError(reply: { status: number; json: Record<string, unknown>; headers: Headers }, code: string): void {
  expect(reply.json).toMatchObject({ detail: expect.any(String), code });
  expect(reply.json["request_id"]).toBe(reply.headers.get("x-request-id"));
}

test("every route of the contract has its cases", () => {
  expect(Object.keys(cases).sort()).toEqual([...names].sort());
  const bodies = names.filter((name) => "request" in routes[name]);
  expect(bodies.filter((name) => (cases[name].invalid ?? []).length === 0)).toEqual([]);
});

describe.each(names)("%s", (name) => {
  const route: Route = routes[name];

  test("refuses who shows no key, a wrong one, or one without the scope", async () => {
    for (const path of pathsOf(route)) {
      for (const key of [null, "dari_wrong", `dari_${"x".repeat(43)}`]) {
        const reply = await api.call(route.method, path, { key, body: bodyOf(name) });
        if (route.scope === null) {
          expect(reply.status).not.toBe(401);
          continue;
        }
        expect(reply.status).toBe(401);
        expect(reply.json.detail).toBe("Missing or invalid API key");
        expectError(reply, "unauthenticated");
      }
      if (route.scope === null || route.scope === "read") continue;
      const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
      const reply = await api.call(route.method, path, { key: apiKey, body: bodyOf(name) });
      expect(reply.status).toBe(403);
      expect(reply.json.detail).toContain(`'${route.scope === "operator" ? "admin" : route.scope}'`);
      expectError(reply, "forbidden");
      if (route.scope !== "operator") continue;
      const byTenant = await api.call(route.method, path, { body: bodyOf(name) });
      expect([byTenant.status, byTenant.json.detail]).toEqual([403, expect.stringContaining("for operators")]);
      expectError(byTenant, "forbidden");
    }
  });

  test("finds nothing of another organization, and refuses ids of another kind", async () => {
    if (!/\{\w+_id\}/.test(route.path) || route.scope === null) return;
    const query = "query" in route && /content$/.test(route.path) ? "?path=/a" : "";
    for (const path of pathsOf(route)) {
      if (route.scope === "operator") continue;
      const reply = await api.call(route.method, path + query, { key: api.stranger.apiKey, body: bodyOf(name) });
      expect([reply.status, reply.text]).toEqual([404, expect.any(String)]);
      expectError(reply, "not_found");
    }
    for (const [, parameter] of route.path.matchAll(/\{(\w+_id)\}/g)) {
      const mixedUp = fillPath(route.path, {
        ...ids,
        [String(parameter)]: "evt_01jx5m0k8c3f7q2v9t4w6y8z1a",
      } as never);
      const reply = await api.call(route.method, mixedUp + query, { key: keyFor(route), body: bodyOf(name) });
      expect(reply.status).toBe(422);
      expect(reply.json["errors"]).toEqual([{ path: parameter, message: expect.stringContaining("starts with '") }]);
      expectError(reply, "invalid");
    }
  });

  test("refuses bodies that do not validate, naming the field", async () => {
    for (const [body, field] of cases[name].invalid ?? []) {
      const [path] = pathsOf(route);
      const reply = await api.call(route.method, String(path), { key: keyFor(route), body });
      expect([body, reply.status]).toEqual([body, 422]);
      expectError(reply, "invalid");
      const fields = (reply.json["errors"] as { path: string }[]).map((issue) => issue.path);
      expect([body, fields]).toEqual([body, expect.arrayContaining([field])]);
    }
    if (route.request === undefined) return;
    const reply = await api.call(route.method, String(pathsOf(route)[0]), { key: keyFor(route), body: '{"a": ' });
    expect(reply.status).toBe(422);
    expect(reply.json.detail).toMatch(/not valid JSON/);
  });
});

test("what one organization made is still its own after all of that", async () => {
  for (const path of [
    `/v1/agents/${ids["agent_id"]}`,
    `/v1/sessions/${ids["session_id"]}`,
    `/v1/files/${ids["file_id"]}`,
  ]) {
    expect((await api.call("GET", path)).status).toBe(200);
  }
});
