// Measures what a flood of one organization costs the others: how long their messages wait for a worker alone and
// during the flood, compared with a first-in-first-out queue of BullMQ; whether two floods share the slots by their
// weights; and what a batch costs the people of its own organization. Turns hold their slot and use no processor, so
// that slots are scarce. Expected: a ratio near one while reserved slots are free; with first-in-first-out, all wait
// for the flood. During its own organization's batch, a message waits for the next free slot: at most one turn.
//
//   npm run lab -- bench/fairness [--smoke] [--flood 10000]

import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import {
  countEndedMessages,
  createTestKey,
  createTestOrganizations,
  fillBacklog,
  listWaits,
  setTestWeight,
  waitUntil,
  type TestAgent,
} from "@dari/testkit";
import { measureBehindABatch } from "./behind-a-batch.ts";
import { createSessions, slots, type Contestant } from "./contestant.ts";
import { startPeer } from "./peer-programs.ts";
import { startPlatform } from "./platform.ts";
import { summarizeSpread, type Spread } from "./statistics.ts";
import { post, sendTurns } from "./turn-load.ts";
import { gate, report, type Gate } from "./verdict.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({ smoke: { type: "boolean", default: false }, flood: { type: "string", default: "10000" } });
const { values } = flags;
const parameters = {
  slots,
  turn_ms: 500,
  flood: values.smoke ? 400 : flags.whole("flood"),
  others: 10,
  each_per_second: 1,
  seconds: values.smoke ? 4 : 30,
  weighted_turns: values.smoke ? 200 : 1_000,
  behind_a_batch: { slots: 4, turnMs: 500, batch: values.smoke ? 100 : 1_000, messages: values.smoke ? 5 : 60 },
};
const drainMs = 600_000;

interface Sender extends TestAgent {
  readonly apiKey: string;
  readonly sessionIds: readonly string[];
}

/** Organizations that send occasionally, to several sessions in turn, so that none waits for its own session. */
async function openSenders(one: Contestant, agents: readonly TestAgent[]): Promise<Sender[]> {
  const senders: Sender[] = [];
  for (const agent of agents) {
    const { apiKey } = await createTestKey(one.servers.db, agent.organizationId, ["admin"]);
    senders.push({ ...agent, apiKey, sessionIds: await createSessions(one.servers, agent, 10) });
  }
  return senders;
}

/** Sends on time, whatever happened to earlier messages (an open loop). */
async function sendNowAndThen(one: Contestant, sender: Sender, index: number): Promise<void> {
  const http = new Agent({ keepAlive: true });
  const everyMs = 1_000 / parameters.each_per_second;
  const body = JSON.stringify({ parts: [{ type: "text", text: String(parameters.turn_ms) }] });
  const startedAt = performance.now() + (everyMs * index) / parameters.others;
  for (let n = 0; n < parameters.seconds * parameters.each_per_second; n++) {
    await sleep(Math.max(0, startedAt + n * everyMs - performance.now()));
    const session = sender.sessionIds[n % sender.sessionIds.length];
    await post(http, `${one.apiUrl}/v1/sessions/${session}/messages/async`, sender.apiKey, body);
  }
  http.destroy();
}

/** Returns how long messages that are sent now wait for a worker. */
async function waitsOf(one: Contestant, senders: readonly Sender[]): Promise<Spread> {
  const ids = senders.map((sender) => sender.organizationId);
  const { db } = one.servers;
  const before = (await listWaits(db, ids)).length;
  await Promise.all(senders.map((sender, index) => sendNowAndThen(one, sender, index)));
  const sent = senders.length * parameters.seconds * parameters.each_per_second;
  const started = async (): Promise<number[] | undefined> => {
    const waits = await listWaits(db, ids);
    return waits.length === before + sent ? waits.slice(before) : undefined;
  };
  return summarizeSpread(await waitUntil(started, { what: "the last of them to start", timeoutMs: drainMs }));
}

async function underFlood(one: Contestant, flooder: TestAgent, senders: readonly Sender[]) {
  const idle = await waitsOf(one, senders);
  await flood(one, flooder);
  const waits = await waitsOf(one, senders);
  const ended = (await countEndedMessages(one.servers.db)).get(flooder.organizationId) ?? 0;
  return { wait_idle_ms: idle, wait_in_flood_ms: waits, flood_left: parameters.flood - ended };
}

/** By the API if a queue must be filled; the platform's own queue is in the rows. */
async function flood(one: Contestant, flooder: TestAgent): Promise<void> {
  const text = String(parameters.turn_ms);
  if (one.name === "dari") {
    const organizationIds = [flooder.organizationId];
    return fillBacklog(one.servers.db, { organizationIds, messages: parameters.flood, text });
  }
  const { apiKey } = await createTestKey(one.servers.db, flooder.organizationId, ["admin"]);
  const sessionIds = await createSessions(one.servers, flooder, 500);
  const load = { connections: 32, turns: parameters.flood, text, async: true };
  await sendTurns({ name: one.name, apiUrl: one.apiUrl, apiKey, sessionIds }, load);
}

/** Returns how often the second of two floods was served per turn of the first, whose weight is half. */
async function shareByWeight(one: Contestant, light: TestAgent, heavy: TestAgent): Promise<number> {
  const { db } = one.servers;
  await setTestWeight(db, heavy.organizationId, 2);
  const organizationIds = [light.organizationId, heavy.organizationId];
  const messages = parameters.weighted_turns * 2;
  await fillBacklog(db, { organizationIds, messages, text: String(parameters.turn_ms) });
  const ended = async (atLeast: number): Promise<[number, number] | undefined> => {
    const counts = await countEndedMessages(db);
    const [a, b] = organizationIds.map((id) => counts.get(id) ?? 0) as [number, number];
    return a + b >= atLeast ? [a, b] : undefined;
  };
  const what = "two floods to be served";
  const [a, b] = await waitUntil(() => ended(parameters.weighted_turns), { what, timeoutMs: drainMs });
  await waitUntil(() => ended(messages), { what, timeoutMs: drainMs });
  return b / a;
}

async function measureDari() {
  await using platform = await startPlatform();
  const [light, heavy, flooder, ...others] = await createTestOrganizations(
    platform.servers.db,
    parameters.others + 3,
    platform.versionId,
  );
  const served = await shareByWeight(platform, light!, heavy!);
  return {
    served_at_double_weight: served,
    ...(await underFlood(platform, flooder!, await openSenders(platform, others))),
  };
}

async function measureFifo() {
  await using peer = await startPeer();
  const [flooder, ...others] = await createTestOrganizations(peer.servers.db, parameters.others + 1);
  // The peer runs until then.
  return await underFlood(peer, flooder!, await openSenders(peer, others));
}

const dari = await measureDari();
const fifo = await measureFifo();
const behindABatch = await measureBehindABatch(parameters.behind_a_batch);
const gates: Gate[] = [
  gate("p50 wait in the flood / idle", dari.wait_in_flood_ms.p50 / dari.wait_idle_ms.p50, 1.2),
  gate("p99 wait in the flood / first in, first out", dari.wait_in_flood_ms.p99 / fifo.wait_in_flood_ms.p99, 0.04),
  gate("served at weights 1:2, away from 2", Math.abs(dari.served_at_double_weight / 2 - 1), 0.1),
  // If none is left, the flood ended before the last message, and the figures mean nothing.
  gate("the flood was over", dari.flood_left > 0 ? 0 : 1, 0),
  gate(
    "p95 answer under the own batch / (2 x idle + one turn)",
    behindABatch.answer_under_batch_ms.p95 / (2 * behindABatch.answer_idle_ms.p95 + parameters.behind_a_batch.turnMs),
    1,
  ),
  gate("the batch was over", behindABatch.batch_left > 0 ? 0 : 1, 0),
];
const result = { dari, bullmq_fifo: fifo, behind_a_batch: behindABatch };
report({ name: "fairness", parameters, result, gates, smoke: values.smoke });
