// What each route of the contract takes and refuses, for the tests that walk all of them.

import type { RouteName } from "@dari/contract";
import { peopleCases } from "./route-cases-people.ts";
import { scheduleCases } from "./schedule-cases.ts";
import { inputCase } from "./input-case.ts";

/** Bodies that pass, so that only the foreign id is wrong; and those that do not, with a field each must name. */
export interface RouteCase {
  readonly valid?: unknown;
  readonly invalid?: readonly (readonly [body: unknown, path: string])[];
}

const text = { parts: [{ type: "text", text: "hello" }] };
const badMessages = [
  [{}, "parts"],
  [{ parts: [] }, "parts"],
  [{ parts: [{ type: "file", file_id: "msg_x" }] }, "parts[0].file_id"],
  [{ ...text, lane: "fast" }, "lane"],
  [{ ...text, surprise: 1 }, "surprise"],
] as const;

const event = { type: "user.message", content: text.parts };
const badEvents = [
  [{}, "type"],
  [{ type: "tool.result_submitted", content: text.parts }, "type"],
  [{ type: "user.message" }, "content"],
  [{ ...event, content: [] }, "content"],
  [{ ...event, content: [{ type: "file", file_id: "msg_x" }] }, "content[0].file_id"],
  [{ ...event, metadata: { nested: {} } }, "metadata.nested"],
  [{ ...event, delivery: "sync" }, "delivery"],
] as const;

export const routeCases: Readonly<Record<RouteName, RouteCase>> = {
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
  getSourceSnapshotManifest: {},
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
  getVersionBundle: {},
  getVersionBundleFile: {},
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
      [{ internet_access: "no" }, "internet_access"],
      [[], "body"],
    ],
  },
  listAgentSessions: {},
  listSessions: {},
  getSession: {},
  completeSession: {},
  deleteSession: {},
  sendMessage: { valid: text, invalid: badMessages },
  sendMessageSync: { valid: text, invalid: badMessages },
  sendMessageAsync: { valid: text, invalid: badMessages },
  sendMessageStream: { valid: text, invalid: badMessages },
  sendSessionEvent: { valid: event, invalid: badEvents },
  sendAgentMessage: {
    valid: event,
    invalid: [
      ...badEvents,
      [{ ...event, session: { metadata: { nested: {} } } }, "session.metadata.nested"],
      [{ ...event, session: { internet_access: "yes" } }, "session.internet_access"],
    ],
  },
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
      [{ lane: "fast" }, "lane"],
    ],
  },
  answerInput: inputCase,
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
      [{ label: "x", key_type: "routing" }, "key_type"],
      [{ label: "x", key_type: "any" }, "key_type"],
      [{ label: "x", expires_at: "tomorrow" }, "expires_at"],
      [{ label: "x", expires_at: "2001-01-01T00:00:00Z" }, "expires_at"],
    ],
  },
  revokeApiKey: {},
  ensureManagedKey: { valid: { device_name: "laptop" }, invalid: [[{}, "device_name"]] },
  ...peopleCases,
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
  listBudgets: {},
  putBudget: {
    valid: { period: "day", max_turns: 1 },
    invalid: [
      [{ max_turns: 1 }, "period"],
      [{ period: "week", max_turns: 1 }, "period"],
      [{ period: "day" }, "max_turns"],
      [{ period: "day", max_tokens: -1 }, "max_tokens"],
      [{ period: "day", max_turns: 1, agent_id: "sess_1" }, "agent_id"],
    ],
  },
  deleteBudget: {},
  getEgress: {},
  putEgress: {
    valid: { mode: "allow", hosts: ["api.example.com"] },
    invalid: [
      [{}, "mode"],
      [{ mode: "closed" }, "mode"],
      [{ mode: "allow" }, "hosts"],
      [{ mode: "open", hosts: ["a.example"] }, "hosts"],
      [{ mode: "allow", hosts: ["https://a.example"] }, "hosts[0]"],
      [{ mode: "allow", hosts: ["a.example:65536"] }, "hosts[0]"],
      [{ mode: "allow", hosts: ["*"] }, "hosts[0]"],
    ],
  },
  deleteEgress: {},
  getPlatformStop: {},
  stopPlatform: {
    valid: { reason: "x" },
    invalid: [
      [{}, "reason"],
      [{ reason: "" }, "reason"],
    ],
  },
  resumePlatform: {},
  listAuditLog: {},
  getOperatorHealth: {},
  getFleet: {},
  getUsage: {},
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
      [{ filter: {}, lane: "fast" }, "lane"],
      [{ filter: { agent_id: "sess_1" } }, "filter.agent_id"],
      [{ filter: { organization_id: "any" } }, "filter.organization_id"],
      [{ filter: { failed_after: "yesterday" } }, "filter.failed_after"],
      [{ filter: { everything: true } }, "filter.everything"],
      [{ filter: {}, after: "sess_1" }, "after"],
      [{ filter: {}, after: "msg_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "after"],
    ],
  },
  ...scheduleCases,
  listWebhookEndpoints: {},
  createWebhookEndpoint: {
    valid: { url: "https://receiver.example/hooks" },
    invalid: [
      [{}, "url"],
      [{ url: "receiver" }, "url"],
      [{ url: "http://receiver.example/hooks" }, "url"],
      [{ url: "ftp://receiver.example/hooks" }, "url"],
      [{ url: "https://user:pass@receiver.example/" }, "url"],
      [{ url: "https://receiver.example/#there" }, "url"],
      [{ url: "https://127.0.0.1/hooks" }, "url"],
      [{ url: "https://2130706433/hooks" }, "url"],
      [{ url: "https://[::1]/hooks" }, "url"],
      [{ url: "https://[::ffff:10.0.0.1]/hooks" }, "url"],
      [{ url: "https://169.254.169.254/latest" }, "url"],
      [{ url: "https://localhost/hooks" }, "url"],
      [{ url: "https://receiver.example:25/hooks" }, "url"],
      [{ url: `https://receiver.example/${"x".repeat(2_048)}` }, "url"],
      [{ url: "https://receiver.example", event_types: [] }, "event_types"],
      [{ url: "https://receiver.example", event_types: ["log"] }, "event_types[0]"],
      [{ url: "https://receiver.example", agent_id: "sess_1" }, "agent_id"],
      [{ url: "https://receiver.example", agent_id: "agt_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "agent_id"],
      [{ url: "https://receiver.example", secret: "whsec_mine" }, "secret"],
    ],
  },
  getWebhookEndpoint: {},
  updateWebhookEndpoint: {
    valid: { description: "x" },
    invalid: [
      [{}, "body"],
      [{ url: "https://10.0.0.1/" }, "url"],
      [{ status: "paused" }, "status"],
      [{ event_types: ["message.completed", "message.completed"] }, "event_types"],
      [{ description: "x".repeat(501) }, "description"],
      [{ agent_id: "agt_01jx5m0k8c3f7q2v9t4w6y8z1a" }, "agent_id"],
    ],
  },
  deleteWebhookEndpoint: {},
  rotateWebhookSecret: {},
  testWebhookEndpoint: {},
  listWebhookDeliveries: {},
  resendWebhookDelivery: {},
};
