// An end-to-end test's calls to a platform: publish, send, wait. Over HTTP, as its clients do.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@dari/client";
import {
  MessageRecord,
  validate,
  type MessagePartInput,
  type SendMessageRequest,
  type VersionRecord,
} from "@dari/contract";
import { createHash, randomUUID } from "node:crypto";
import { packBundle, type BundleFiles } from "./bundle.ts";
import { waitUntil } from "@dari/testkit";

export interface Platform {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly client: Client;
}

export interface Published {
  readonly agentId: string;
  readonly deploymentId: string;
  readonly version: VersionRecord;
}

export interface Submitted {
  readonly agentId: string;
  readonly deploymentId: string;
  readonly versionId: string;
}

/** `agentId`: gets a new version; default: a new agent. `metadata`: what the version says about its source. */
type Bundle = readonly [
  files: BundleFiles,
  agentId?: string | undefined,
  metadata?: Readonly<Record<string, string | boolean>>,
];

/** Uploads and publishes a bundle. Its build begins when a worker claims it. */
export async function submit({ client }: Platform, ...[files, agentId, metadata = {}]: Bundle): Promise<Submitted> {
  const bundle = packBundle(files);
  const sha256 = createHash("sha256").update(bundle).digest("hex");
  const reserved = await client.createSourceSnapshot({
    ...{ format: "tar.gz", sha256, size_bytes: bundle.length },
    metadata: { ...metadata },
  });
  await client.uploadReservedBundle(reserved, bundle);
  const checked = await client.finalizeSourceSnapshot(reserved.source_snapshot_id);
  if (checked.status !== "ready") throw new Error(`the bundle was refused: ${checked.failure_reason}`);
  const body = { source_snapshot_id: reserved.source_snapshot_id };
  const made = agentId === undefined ? await client.createAgent(body) : await client.createVersion(agentId, body);
  return { agentId: made.agent_id, deploymentId: made.deployment_id, versionId: made.version_id };
}

/** Like `submit`, but waits until the build has succeeded or failed. */
export async function publish(platform: Platform, ...rest: Bundle): Promise<Published> {
  const { agentId, deploymentId, versionId } = await submit(platform, ...rest);
  const version = await waitUntil(
    async () => {
      const found = await platform.client.getVersion(agentId, versionId);
      return found.status !== "building" && found;
    },
    { what: `the build of ${versionId}`, timeoutMs: 300_000 },
  );
  return { agentId, deploymentId, version };
}

/** Like `publish`, but throws if the build fails. */
export async function deploy(platform: Platform, ...rest: Bundle): Promise<Published> {
  const published = await publish(platform, ...rest);
  const { status, failure } = published.version;
  if (status !== "ready") throw new Error(`the build failed: ${failure?.code}: ${failure?.message}`);
  return published;
}

/** Returns a manifest as a bundle's dari.yml; JSON is YAML. Its name is unique unless given. */
export function manifestFile(manifest: Readonly<Record<string, unknown>>): { "dari.yml": string } {
  return { "dari.yml": JSON.stringify({ name: `lab-${randomUUID().slice(0, 8)}`, sdk: "opencode", ...manifest }) };
}

/** Returns the files of a directory by relative path. */
export function filesOf(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(directory.length + 1), readFileSync(path, "utf8")];
    }),
  );
}

/** Sends a message and waits for its end in one call, as in the quickstart. Throws if the reply is not a message. */
export async function send(
  platform: Platform,
  sessionId: string,
  content: string | SendMessageRequest,
): Promise<MessageRecord> {
  const body = typeof content === "string" ? { parts: [{ type: "text", text: content }] } : content;
  const response = await fetch(`${platform.apiUrl}/v1/sessions/${sessionId}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${platform.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const reply: unknown = await response.json();
  if (response.status !== 200) throw new Error(`the message was answered ${response.status}: ${JSON.stringify(reply)}`);
  const issues = validate(MessageRecord, reply);
  if (issues.length > 0) throw new Error(`the reply is no message: ${JSON.stringify(issues)}`);
  return reply as MessageRecord;
}

/** Sends a message without waiting for its end. */
export function post({ client }: Platform, sessionId: string, text: string): Promise<MessageRecord> {
  return client.sendMessageAsync(sessionId, { parts: [textPart(text)] });
}

/** Waits for the end of a message that was sent before. */
export function ended({ client }: Platform, messageId: string, timeoutMs = 60_000): Promise<MessageRecord> {
  return waitUntil(
    async () => {
      const record = await client.getMessage(messageId);
      return ["completed", "failed", "cancelled"].includes(record.status) && record;
    },
    { what: `the end of ${messageId}`, timeoutMs },
  );
}

export function textPart(text: string): MessagePartInput {
  return { type: "text", text };
}

/** Returns the text of an answer. Throws with its error if it has none. */
export function textOf(record: MessageRecord): string {
  const { status, output } = record;
  if (status !== "completed") throw new Error(`the message ended as ${status}: ${JSON.stringify(output?.error)}`);
  return (output?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

export async function uploadText({ client }: Platform, filename: string, text: string): Promise<string> {
  return (await client.uploadFile({ filename, content: new Blob([text]) })).id;
}
