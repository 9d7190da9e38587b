// Creates rows for tests through the same queries that the platform uses.

import { createHash, randomBytes } from "node:crypto";
import {
  apiKeys,
  builds,
  files,
  organizations,
  schedules,
  sessionBatches,
  sessions,
  sourceSnapshots,
  triggers,
  turns,
  versions,
  webhookDeliveries,
  webhookEndpoints,
  type Database,
} from "@dari/db";
import { failure, newId, type OnBusy } from "@dari/domain";

export interface TestOrganization {
  readonly organizationId: string;
  readonly keyId: string;
  /** The plaintext of an admin key. */
  readonly apiKey: string;
}

export async function createTestOrganization(
  db: Database,
  options: { readonly operator?: boolean } = {},
): Promise<TestOrganization> {
  const organizationId = newId("organization");
  await organizations.insertOrganizationIfSlugFree(db, {
    id: organizationId,
    name: "Test organization",
    slug: organizationId.replace("_", "-"),
    ...(options.operator === true ? { operator: "yes" } : {}),
  });
  return { organizationId, ...(await createTestKey(db, organizationId, ["admin"])) };
}

export async function createTestKey(
  db: Database,
  organizationId: string,
  scopes: readonly string[],
): Promise<{ keyId: string; apiKey: string }> {
  const apiKey = `dari_${randomBytes(32).toString("base64url")}`;
  const secretHash = createHash("sha256").update(apiKey).digest();
  const keyId = newId("apiKey");
  await apiKeys.insertApiKey(db, { id: keyId, organizationId, label: "test", secretHash, scopes });
  return { keyId, apiKey };
}

export const testManifest = {
  name: "test-agent",
  sdk: "opencode",
  entrypoint: "src/agent.js:agent",
  runtime: { language: "typescript", timeout_seconds: 60 },
  retries: { max_attempts: 3, on_worker_lost: true },
  secrets: [],
  env: {},
} as const;

export interface TestVersionOptions {
  readonly manifest?: unknown;
  /** How the build ends; `building` leaves it waiting for a builder. */
  readonly state?: "building" | "ready" | "failed";
}

/** Creates an agent with one version, which is ready and active by default. */
export async function createTestAgent(
  db: Database,
  organizationId: string,
  options: TestVersionOptions = {},
): Promise<{ agentId: string; versionId: string; sourceSnapshotId: string }> {
  const agentId = newId("agent");
  const version = await prepareVersion(db, organizationId, agentId, options);
  const inserted = await versions.insertAgentWithVersion(db, { name: "test-agent", mayNumber: true }, version);
  if (typeof inserted === "string") throw new Error(inserted);
  await finishTestBuild(db, version.id, options.state ?? "ready");
  return { agentId, versionId: version.id, sourceSnapshotId: version.sourceSnapshotId };
}

/** Creates the agent's next version. */
export async function createTestVersion(
  db: Database,
  organizationId: string,
  agentId: string,
  options: TestVersionOptions = {},
): Promise<{ versionId: string; number: number }> {
  const version = await prepareVersion(db, organizationId, agentId, options);
  const inserted = await versions.insertVersionIfAgentLive(db, version);
  if (typeof inserted === "string" || "sameAs" in inserted) throw new Error(JSON.stringify(inserted));
  await finishTestBuild(db, version.id, options.state ?? "ready");
  return { versionId: version.id, number: inserted.number };
}

/** Ends a build that no builder has claimed. Returns false if it had ended before. */
export async function finishTestBuild(
  db: Database,
  versionId: string,
  state: "building" | "ready" | "failed",
): Promise<boolean> {
  if (state === "building") return false;
  const image = {
    digest: "0".repeat(64),
    objectKey: "images/none",
    runtime: { language: "typescript", version: "24.0.0" },
    entry: { file: "src/agent.js", export: "agent" },
  };
  const result = state === "ready" ? { image } : { failure: failure("build_failed", "the test says so") };
  return builds.finishBuildIfHeld(db, { versionId, fence: 0 }, { ...result, warnings: [] });
}

async function prepareVersion(
  db: Database,
  organizationId: string,
  agentId: string,
  options: TestVersionOptions,
): Promise<versions.NewVersion> {
  const sourceSnapshotId = await createTestSourceSnapshot(db, organizationId);
  const manifest = options.manifest ?? testManifest;
  return { id: newId("version"), organizationId, agentId, sourceSnapshotId, manifest, warnings: [] };
}

/** Creates the row of a ready bundle, without its object. */
export async function createTestSourceSnapshot(
  db: Database,
  organizationId: string,
  manifestText = "name: test-agent\nsdk: opencode\nentrypoint: src/agent.js:agent\n",
): Promise<string> {
  const id = newId("sourceSnapshot");
  const objectKey = `${organizationId}/bundles/${id}/none`;
  await sourceSnapshots.insertSourceSnapshot(db, {
    id,
    organizationId,
    sha256: "0".repeat(64),
    sizeBytes: 1,
    metadata: {},
    objectKey,
    uploadExpiresAt: new Date(),
  });
  const verdict = { edge: "verify", manifestText } as const;
  await sourceSnapshots.settleSourceSnapshotIfPending(db, organizationId, id, objectKey, verdict);
  return id;
}

export async function createTestSession(
  db: Database,
  organizationId: string,
  agentId: string,
  options: { metadata?: Record<string, unknown> } = {},
): Promise<string> {
  const id = newId("session");
  const outcome = await sessions.insertSessionIfAgentLive(db, {
    id,
    organizationId,
    agentId,
    versionId: undefined,
    name: null,
    metadata: options.metadata ?? {},
    secrets: [],
  });
  if (outcome !== "created") throw new Error(`no session: ${outcome}`);
  return id;
}

/** Creates the row of an uploaded file, without its object. */
export async function createTestFile(db: Database, organizationId: string, filename = "notes.txt"): Promise<string> {
  const id = newId("file");
  await files.insertFile(db, {
    id,
    organizationId,
    filename,
    contentType: "text/plain",
    sizeBytes: 0,
    sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    objectKey: `${organizationId}/files/${id}`,
  });
  return id;
}

/** Creates a queued message in a dispatched session, so the next claim runs it. */
export async function createTestMessage(
  db: Database,
  organizationId: string,
  sessionId: string,
  options: { readonly onBusy?: OnBusy } = {},
): Promise<string> {
  const messageId = newId("message");
  const accepted = await turns.acceptMessage(db, {
    organizationId,
    sessionId,
    messageId,
    parts: [{ type: "text", text: "hello" }],
    metadata: {},
    attachments: [],
    dispatchTtlMs: 60_000,
    ...options,
  });
  if (accepted.outcome !== "accepted") throw new Error(`no message: ${accepted.outcome}`);
  return messageId;
}

/** Creates a paused schedule of the agent. */
export async function createTestSchedule(db: Database, organizationId: string, agentId: string): Promise<string> {
  const id = newId("schedule");
  const schedule = {
    id,
    organizationId,
    agentId,
    sessionId: null,
    name: null,
    cron: "0 9 * * *",
    timeZone: "UTC",
    parts: [{ type: "text", text: "hello" }],
    metadata: {},
    overlap: "skip",
    isBackground: true,
    status: "paused",
    changedByKeyId: null,
  } as const;
  const outcome = await schedules.insertScheduleIfBelow(db, schedule, 1_000, (now) => now);
  if (outcome !== "created") throw new Error(`no schedule: ${outcome}`);
  return id;
}

/** Creates a batch of one session, whose message waits. */
export async function createTestBatch(db: Database, organizationId: string, agentId: string): Promise<string> {
  const id = newId("sessionBatch");
  const item = {
    sessionId: newId("session"),
    messageId: newId("message"),
    name: null,
    metadata: {},
    parts: [{ type: "text", text: "hello" }],
    attachments: [],
  };
  const inserted = await sessionBatches.insertBatch(db, {
    id,
    organizationId,
    agentId,
    versionId: undefined,
    name: null,
    metadata: {},
    onBusy: "enqueue",
    isBackground: true,
    maxConcurrency: null,
    items: [item],
  });
  if (inserted.outcome !== "created") throw new Error(`no batch: ${inserted.outcome}`);
  return id;
}

/** Creates an endpoint for the ends of messages with a test delivery. Its secret cannot be decrypted. */
export async function createTestWebhook(
  db: Database,
  organizationId: string,
): Promise<{ endpointId: string; deliveryId: string }> {
  const endpointId = newId("webhookEndpoint");
  const endpoint = {
    id: endpointId,
    organizationId,
    url: "https://receiver.example/hooks",
    agentId: null,
    eventTypes: ["message.completed", "message.failed", "message.cancelled"],
    description: null,
    sealed: randomBytes(64),
  };
  const outcome = await webhookEndpoints.insertEndpointIfBelow(db, endpoint, 1_000);
  if (outcome !== "created") throw new Error(`no endpoint: ${outcome}`);
  const delivery = { id: newId("webhookDelivery"), eventId: newId("event") };
  await webhookDeliveries.insertTestIfEnabled(db, { organizationId, endpointId }, delivery);
  return { endpointId, deliveryId: delivery.id };
}

/** Creates a trigger without a signature scheme. `token`: the end of its URL. */
export async function createTestTrigger(
  db: Database,
  organizationId: string,
  agentId: string,
): Promise<{ triggerId: string; token: string }> {
  const token = `dtrg_${randomBytes(32).toString("base64url")}`;
  const id = newId("trigger");
  const trigger = {
    id,
    organizationId,
    agentId,
    tokenHash: createHash("sha256").update(token).digest(),
    scheme: "none",
    secret: null,
    changedByKeyId: null,
    name: null,
    textTemplate: "hello",
    sessionKey: null,
    eventId: null,
    conditions: [],
    missing: "empty",
    includesBody: false,
    isBackground: false,
    status: "active",
  } as const;
  const outcome = await triggers.insertTriggerIfBelow(db, trigger, 1_000);
  if (outcome !== "created") throw new Error(`no trigger: ${outcome}`);
  return { triggerId: id, token };
}
