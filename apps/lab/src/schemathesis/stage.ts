// A standalone platform for Schemathesis, with an organization that has one of each resource, so that calls get past
// "not found". The agents answer at once.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { createClient, type Client } from "@dari/client";
import { freePort } from "@dari/embedded";
import { packBundle } from "../bundle.ts";
import { deployFiles } from "../deploy-files.ts";
import { startStandalone } from "../standalone-process.ts";

/** The platform and its contents. */
export interface Stage extends AsyncDisposable {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly operatorKey: string;
  /** Its limits can be set to anything: no test uses it. */
  readonly otherOrganizationId: string;
  /** Where webhooks go, whatever a call says: a port of this machine without a listener. */
  readonly receiverUrl: string;
  /** Ids by parameter name. */
  readonly ids: Readonly<Record<string, readonly string[]>>;
  /** What the run depends on, which no call may delete. */
  readonly kept: readonly string[];
  /** Returns requests that ended with an internal error, from the platform's log. */
  serverErrors(): Promise<string[]>;
}

const sessionCount = 24;
const agentFiles = {
  "dari.yml": "name: echo\nsdk: openai-agents\nentrypoint: agent.mjs:agent\n",
  "agent.mjs": [
    'import { writeFileSync } from "node:fs";',
    "export function agent(prompt) {",
    '  writeFileSync("said.txt", prompt);',
    '  if (prompt === "fail") throw new Error("as asked");',
    "  return prompt;",
    "}",
  ].join("\n"),
};

/** Starts and fills the platform. Disposing of the stage ends everything. */
export async function setStage(): Promise<Stage> {
  await using starting = new AsyncDisposableStack();
  const receiver = `127.0.0.1:${await freePort()}`;
  const platform = starting.use(await startStandalone({ DARI_WEBHOOK_ALLOW: receiver }));
  const operator = createClient(platform);
  const organization = await operator.createOrganization({ name: "Fuzzed" });
  const other = await operator.createOrganization({ name: "Limited" });
  const own = { apiUrl: platform.apiUrl, apiKey: organization.api_key ?? "" };
  const client = createClient(own);
  const kept = await deployFiles(own, agentFiles);
  const spare = await deployFiles(own, { ...agentFiles, "dari.yml": agentFiles["dari.yml"].replace("echo", "spare") });
  const ownKey = (await client.listApiKeys()).data[0]?.id ?? "";
  const ids = {
    agent_id: [kept.agentId, kept.deploymentId, spare.agentId],
    version_id: [kept.versionId, spare.versionId],
    ...(await fillSessions(client, kept.agentId)),
    ...(await fillOrganization(client)),
    webhook_endpoint_id: await fillWebhooks(client, `http://${receiver}/hook`),
    ...(await fillClock(client, kept.agentId)),
    source_snapshot_id: await fillBundles(client),
    attempt_number: ["1"],
  };
  const logFile = path.join(platform.dataDir, "logs", "dari.log");
  const stack = starting.move();
  return {
    ...own,
    operatorKey: platform.apiKey,
    otherOrganizationId: other.id,
    receiverUrl: `http://${receiver}/hook`,
    ids,
    kept: [kept.agentId, kept.deploymentId, ownKey, organization.id],
    serverErrors: () => requestsThatFailed(logFile),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Creates sessions with an answer, a failure, and an uploaded file in their workspace. */
async function fillSessions(client: Client, agentId: string): Promise<Record<string, string[]>> {
  const ids: Record<string, string[]> = { session_id: [], message_id: [], file_id: [] };
  const openAi: Record<string, string[]> = { response_id: [], conversation_id: [] };
  for (let count = 0; count < sessionCount; count++) {
    const session = await client.createSession(agentId, { metadata: { number: count } });
    const text = { type: "text", text: count % 4 === 0 ? "fail" : "hello" } as const;
    const content = new Blob([`file ${count}`], { type: "text/plain" });
    const file = await client.uploadFile({ filename: `${count}.txt`, content });
    const parts = count % 3 === 0 ? [text, { type: "file", file_id: file.id } as const] : [text];
    const message = await client.sendMessage(session.id, { parts });
    ids["session_id"]?.push(session.id);
    ids["message_id"]?.push(message.id);
    ids["file_id"]?.push(file.id);
    openAi["response_id"]?.push(message.id.replace("msg", "resp"));
    openAi["conversation_id"]?.push(session.id.replace("sess", "conv"));
  }
  return { ...ids, ...openAi };
}

async function fillOrganization(client: Client): Promise<Record<string, string[]>> {
  const keys = [];
  for (let count = 0; count < 6; count++) {
    keys.push((await client.createApiKey({ label: `spare ${count}`, scopes: ["read"] })).id);
    await client.putCredential(`SECRET_${count}`, { value: "value" });
  }
  return { api_key_id: keys, name: ["SECRET_0", "SECRET_1"], organization_id: ["current"] };
}

async function fillWebhooks(client: Client, url: string): Promise<string[]> {
  const ids = [];
  for (let count = 0; count < 4; count++) ids.push((await client.createWebhookEndpoint({ url })).id);
  return ids;
}

/** Creates schedules, none of which is due soon, batches and triggers. */
async function fillClock(client: Client, agentId: string): Promise<Record<string, string[]>> {
  const ids: Record<string, string[]> = { schedule_id: [], session_batch_id: [], trigger_id: [], trigger_token: [] };
  const parts = [{ type: "text", text: "hello" } as const];
  for (let count = 0; count < 4; count++) {
    const schedule = await client.createSchedule({ agent_id: agentId, cron: "0 0 1 1 *", parts });
    const batch = await client.createSessionBatch({ agent_id: agentId, sessions: [{ parts }, { parts }] });
    const trigger = await client.createTrigger(agentId, { scheme: "none", text: "{{a}}" });
    ids["trigger_id"]?.push(trigger.id);
    ids["trigger_token"]?.push(String(trigger.url).split("/").at(-1) ?? "");
    ids["schedule_id"]?.push(schedule.id);
    ids["session_batch_id"]?.push(batch.id);
  }
  return ids;
}

/** Uploads bundles for new versions. */
async function fillBundles(client: Client): Promise<string[]> {
  const ids = [];
  for (let count = 0; count < 4; count++) {
    const bundle = packBundle({ ...agentFiles, "note.txt": String(count) });
    const sha256 = createHash("sha256").update(bundle).digest("hex");
    const reserved = await client.createSourceSnapshot({ format: "tar.gz", sha256, size_bytes: bundle.length });
    await client.uploadReservedBundle(reserved, bundle);
    const checked = await client.finalizeSourceSnapshot(reserved.source_snapshot_id);
    if (checked.status !== "ready") throw new Error(`the bundle was refused: ${checked.failure_reason}`);
    ids.push(reserved.source_snapshot_id);
  }
  return ids;
}

async function requestsThatFailed(logFile: string): Promise<string[]> {
  const found: string[] = [];
  for await (const line of createInterface({ input: createReadStream(logFile) })) {
    if (line.includes('"msg":"request failed"')) found.push(line.slice(0, 2_000));
  }
  return found;
}
