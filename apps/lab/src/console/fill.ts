// Fills a platform as an organization that has used it for a week. Everything goes through the API and real turns; only
// the times are changed with SQL, because a week cannot be waited for.

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@dari/client";
import { startPostgres } from "@dari/embedded";
import { waitUntil } from "@dari/testkit";
import pg from "pg";
import { deploy, textPart } from "../conversation.ts";
import { agentFiles, agentNames, promptOf, sources } from "./agents.ts";
import { fillOrganization, type FilledOrganization } from "./fill-organization.ts";
import { mapEach, times, type Filling } from "./filling.ts";

/** The objects whose pages are shown. */
export interface Filled extends FilledOrganization {
  readonly agentIds: readonly string[];
  /** The newest version of the first agent. */
  readonly versionId: string;
  /** Several turns with Markdown, files, a failure, a rollback and metadata. */
  readonly talk: string;
  readonly waiting: string;
  readonly choosing: string;
  readonly ended: string;
  readonly empty: string;
  readonly failedMessage: string;
  readonly endedBatch: string;
}

/** The name of the oldest session of all. */
export const oldestName = "The very first session";
const endedBatchSize = 80;
const quietWithinMs = 900_000;
const lookEveryMs = 500;

export async function fillPlatform(filling: Filling): Promise<Filled> {
  const { client } = filling;
  const agentIds = await deployAgents(filling);
  await client.putCredential("BANK_API_TOKEN", { value: "not-a-real-token", hosts: ["api.bank.example.com"] });
  const at = (index: number): string => agentIds[index % agentIds.length] ?? "";
  await talkTo(client, at(1), ["Where is order 1?"], { name: oldestName });
  const endedBatch = await client.createSessionBatch({
    agent_id: at(1),
    name: "May invoices",
    sessions: times(endedBatchSize, (index) => ({ parts: [textPart(`Check invoice ${20_260_500 + index}`)] })),
  });
  await startConversations(filling, at);
  await untilQuiet(client);
  await spreadTimes(filling.dataDir);
  const settings = await fillOrganization(filling, agentIds);
  const talk = await talkAboutEverything(client, at(1));
  const waiting = await talkTo(client, at(10), ["Decide about the refund of order 20931"]);
  const choosing = await talkTo(client, at(5), ["Please set up the account of Smith & Sons"]);
  const ended = await talkTo(client, at(4), ["Write the release notes of 4.2"]);
  await untilQuiet(client);
  await client.completeSession(ended);
  const { retried } = await client.retryMessages({ filter: {}, limit: 1, dry_run: true });
  const empty = (await client.createSession(at(0))).id;
  const versionId = (await client.listVersions(at(0))).data[0]?.id ?? "";
  const failedMessage = retried[0]?.message_id ?? "";
  return {
    ...settings,
    agentIds,
    versionId,
    talk,
    waiting,
    choosing,
    ended,
    empty,
    failedMessage,
    endedBatch: endedBatch.id,
  };
}

/** The first two agents get a second version. All say from which commit they are. */
async function deployAgents(filling: Filling): Promise<readonly string[]> {
  const metadataOf = (index: number, version: 0 | 1) => ({
    git_commit_sha: `${version}f3a9c1d${String(index).padStart(32, "0")}`,
    git_subject: sources[version].subject,
    git_author: sources[version].author,
  });
  return mapEach(agentNames.slice(0, filling.agents), async (name, index) => {
    const isFirst = index < 2;
    const { agentId } = await deploy(filling, agentFiles(name, { isFirst }), undefined, metadataOf(index, 0));
    if (isFirst) await deploy(filling, agentFiles(name), agentId, metadataOf(index, 1));
    return agentId;
  });
}

/** One to four messages in each session, from an admin and from two other keys. */
async function startConversations(filling: Filling, agentAt: (index: number) => string): Promise<void> {
  const { client, apiUrl } = filling;
  const callerOf = async (label: string): Promise<Client> => {
    const { api_key: apiKey = "" } = await client.createApiKey({ label, scopes: ["run", "read"] });
    return createClient({ apiUrl, apiKey });
  };
  const [website, sync] = [await callerOf("website"), await callerOf("crm-sync-production")];
  const count = Math.max(0, filling.sessions - endedBatchSize - 6);
  await mapEach(
    times(count, (index) => index),
    async (index) => {
      const caller = index % 7 === 0 ? sync : index % 3 === 0 ? website : client;
      const messages = index % 11 === 0 ? 4 : index % 4 === 0 ? 2 : 1;
      const texts = times(messages, (n) => promptOf(index * 3 + n));
      await talkTo(caller, agentAt(index * 7), texts, index % 9 === 0 ? { name: `Ticket ${4_100 + index}` } : {});
    },
  );
}

/** Starts a session with these messages. Returns its id without waiting for their turns. */
async function talkTo(
  client: Client,
  agentId: string,
  texts: readonly string[],
  options: Parameters<Client["createSession"]>[1] = {},
): Promise<string> {
  const { id } = await client.createSession(agentId, options);
  for (const text of texts) await client.sendMessageAsync(id, { parts: [textPart(text)] });
  return id;
}

async function talkAboutEverything(client: Client, agentId: string): Promise<string> {
  const metadata = { customer: "smith-and-sons", plan: "business" };
  const { id } = await client.createSession(agentId, { name: "Invoices in May", metadata });
  const say = (text: string) => client.sendMessage(id, { parts: [textPart(text)] });
  const content = new Blob(["order,charged\n20931,49.00\n20931,49.00\n"], { type: "text/csv" });
  const file = await client.uploadFile({ filename: "orders-in-may.csv", content });
  await client.sendMessage(id, {
    parts: [
      textPart("Please compare the invoices with this file and write a report"),
      { type: "file", file_id: file.id },
    ],
  });
  const kept = await say("Is there anything that I should look at myself?");
  await say("Merge the two accounts");
  await client.rollBackSession(id, { message_id: kept.id });
  await say("Ask the legacy system too");
  await say("Then leave it. Write the report again with the totals of April");
  return id;
}

/** Waits until no turn can run. Questions of agents stay open. */
async function untilQuiet(client: Client): Promise<void> {
  await waitUntil(
    async () => {
      await sleep(lookEveryMs);
      const { ready, dispatched, leased, retry_wait: retrying } = (await client.getFleet()).schedule;
      return ready + dispatched + leased + retrying === 0;
    },
    { what: "all turns to end", timeoutMs: quietWithinMs },
  );
}

/** Moves sessions, messages, attempts and events into the last week, in their order. */
async function spreadTimes(dataDir: string): Promise<void> {
  // Returns the server that the platform runs; it is not stopped here.
  const postgres = await startPostgres({ dataDir: path.join(dataDir, "services", "postgres") });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    await client.query(`
      create temp table moved as select id, session_id, sequence_number,
        (1 - percent_rank() over (order by id)) * interval '6 days 20 hours' as by from messages;
      update messages m set created_at = created_at - by, started_at = started_at - by,
        completed_at = completed_at - by from moved where moved.id = m.id;
      update attempts a set claimed_at = claimed_at - by, called_at = called_at - by, ended_at = ended_at - by
        from moved where moved.id = a.message_id;
      update events e set created_at = created_at - by from moved where moved.id = e.message_id;
      update sessions s set created_at = created_at - by from moved
        where moved.session_id = s.id and moved.sequence_number = 1;
      update session_batches b set created_at = b.created_at - interval '6 days'`);
  } finally {
    await client.end();
  }
}
