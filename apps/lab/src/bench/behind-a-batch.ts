// Measures how long interactive messages of an organization wait while its batch fills every slot.

import { Agent } from "node:http";
import { countEndedMessages } from "@dari/testkit";
import { startPlatform } from "./platform.ts";
import { summarizeSpread, type Spread } from "./statistics.ts";
import { post, sendTurns } from "./turn-load.ts";

export interface BatchParameters {
  readonly slots: number;
  readonly turnMs: number;
  /** Sessions of the batch. */
  readonly batch: number;
  /** Number of interactive messages, one after the other: alone, and during the batch. */
  readonly messages: number;
}

export interface BehindABatch {
  /** From the call to its answer. */
  readonly answer_idle_ms: Spread;
  readonly answer_under_batch_ms: Spread;
  /** Turns of the batch that had not ended at the last answer. */
  readonly batch_left: number;
}

export async function measureBehindABatch({ slots, turnMs, batch, messages }: BatchParameters): Promise<BehindABatch> {
  await using platform = await startPlatform({ sessions: 20, env: { DARI_WORKER_SLOTS: String(slots) } });
  const text = String(turnMs);
  const ask = async (): Promise<Spread> =>
    summarizeSpread(await sendTurns(platform, { connections: 1, turns: messages, text }));
  const idle = await ask();
  const http = new Agent({ keepAlive: true });
  const sessions = Array.from({ length: batch }, () => ({ parts: [{ type: "text", text }] }));
  const body = JSON.stringify({ agent_id: platform.agentId, sessions });
  const made = await post(http, `${platform.apiUrl}/v1/session-batches`, platform.apiKey, body);
  http.destroy();
  if (!made.includes('"status":"in_progress"')) throw new Error(`the batch was answered ${made.slice(0, 500)}`);
  const underBatch = await ask();
  const ended = (await countEndedMessages(platform.servers.db)).get(platform.organizationId) ?? 0;
  return { answer_idle_ms: idle, answer_under_batch_ms: underBatch, batch_left: batch - (ended - 2 * messages) };
}
