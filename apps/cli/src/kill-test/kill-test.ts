// Kills a worker in the middle of turns and checks that each turn ends once and in order, and how soon those of the
// dead worker run again. Uses only the public API.

import { setTimeout as sleep } from "node:timers/promises";
import { isTerminal, type Client } from "@dari/client";
import type { HealthCheck, MessageRecord } from "@dari/contract";
import type { Environment } from "../config.ts";
import type { Killer } from "./killer.ts";
import { publishThrowawayAgent } from "./throwaway-agent.ts";

export interface KillTest {
  readonly client: Client;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly kill: Killer;
  /** Number of concurrent turns. */
  readonly turns: number;
  readonly progress: (line: string) => void;
}

interface Watched {
  readonly sessionId: string;
  /** The second waits for the first, and finds what it wrote. */
  readonly messageIds: readonly string[];
  /** When the first message's attempts started, by this machine's monotonic clock in milliseconds. */
  readonly starts: number[];
  lostAttempts: number;
}

const messagesEach = 2;
/** Turns that have not started by then have no slot. */
const startWithinMs = 60_000;
/** If no turn starts for this long, no further one will. */
const settledMs = 4_000;
const endWithinMs = 300_000;
const lookMs = 250;

/** Leaves nothing behind, whatever the result. @throws if the platform refuses the test itself. */
export async function runKillTest(test: KillTest): Promise<HealthCheck> {
  const { client, signal, progress } = test;
  progress("kill test: publishing an agent that waits");
  const agentId = await publishThrowawayAgent(client, test.environment, signal);
  const watched: Watched[] = [];
  const done = new AbortController();
  try {
    const make = (): Promise<Watched> => startSession(client, agentId, AbortSignal.any([signal, done.signal]));
    watched.push(...(await Promise.all(Array.from({ length: test.turns }, make))));
    const running = await awaitStarts(watched, signal);
    if (running === 0) {
      return fault("no turn began within a minute", "run `dari doctor`: is a worker running, with free slots?");
    }
    progress(`kill test: ${running} turns run; killing the worker`);
    await test.kill();
    const killedAt = performance.now();
    progress("kill test: waiting for every turn to end");
    const records = await awaitEnds(client, watched, signal);
    return judge(watched, records, killedAt);
  } finally {
    done.abort();
    await removeAll(client, agentId, watched);
  }
}

async function startSession(client: Client, agentId: string, signal: AbortSignal): Promise<Watched> {
  const { id: sessionId } = await client.createSession(agentId, {}, { signal });
  const messageIds: string[] = [];
  for (let number = 1; number <= messagesEach; number++) {
    const body = { parts: [{ type: "text" as const, text: String(number) }] };
    const idempotencyKey = `${sessionId}-${number}`;
    messageIds.push((await client.sendMessageAsync(sessionId, body, { signal, idempotencyKey })).id);
  }
  const watched: Watched = { sessionId, messageIds, starts: [], lostAttempts: 0 };
  void watch(client, watched, signal).catch(() => undefined);
  return watched;
}

/** Ends with the first message, or with the signal. A missed event affects only the reported times, not the verdict. */
async function watch(client: Client, watched: Watched, signal: AbortSignal): Promise<void> {
  for await (const event of client.streamMessage(watched.messageIds[0]!, {}, { signal })) {
    if (event.type === "attempt.started") watched.starts.push(performance.now());
    if (event.type === "attempt.ended" && event.data.outcome === "lost") watched.lostAttempts += 1;
  }
}

/** Returns how many turns have started, once all have started or no further one will. */
async function awaitStarts(watched: readonly Watched[], signal: AbortSignal): Promise<number> {
  const begunAt = performance.now();
  for (;;) {
    const starts = watched.flatMap((one) => one.starts[0] ?? []);
    const newest = Math.max(...starts, 0);
    const now = performance.now();
    if (starts.length === watched.length || now - begunAt > startWithinMs) return starts.length;
    if (starts.length > 0 && now - newest > settledMs) return starts.length;
    await sleep(lookMs, undefined, { signal });
  }
}

/** Returns the records when all have ended, or their time is over. */
async function awaitEnds(client: Client, watched: readonly Watched[], signal: AbortSignal): Promise<MessageRecord[]> {
  const ids = watched.flatMap(({ messageIds }) => messageIds);
  const deadline = performance.now() + endWithinMs;
  const records = new Map<string, MessageRecord>();
  for (;;) {
    for (const id of ids) {
      const known = records.get(id);
      if (known === undefined || !isTerminal(known)) records.set(id, await client.getMessage(id, {}, { signal }));
    }
    const all = ids.map((id) => records.get(id)!);
    if (all.every(isTerminal) || performance.now() > deadline) return all;
    await sleep(lookMs * 4, undefined, { signal });
  }
}

function judge(watched: readonly Watched[], records: readonly MessageRecord[], killedAt: number): HealthCheck {
  const byId = new Map(records.map((record) => [record.id, record]));
  const faults = watched.flatMap(({ messageIds }) =>
    messageIds.flatMap((id, i) => {
      const record = byId.get(id)!;
      if (!isTerminal(record)) return [`${id} has not ended`];
      const expected = Array.from({ length: i + 1 }, (_, n) => `${n + 1}\n`).join("");
      if (record.status !== "completed") return [`${id} is ${record.status}: ${record.output?.error?.message ?? ""}`];
      const text = textOf(record);
      if (text === expected) return [];
      return [`${id}: the workspace had ${JSON.stringify(text)}, expected ${JSON.stringify(expected)}`];
    }),
  );
  const lost = watched.filter(({ lostAttempts }) => lostAttempts > 0);
  const took = lost.flatMap(({ starts }) => starts.find((at) => at > killedAt) ?? []).map((at) => at - killedAt);
  const longest = took.length === 0 ? "" : `; the last of them ran again after ${seconds(Math.max(...took))}`;
  const found = `${records.length} messages, ${lost.length} turns were on the worker that was killed${longest}`;
  if (faults.length > 0) {
    const shown = [found, ...faults.slice(0, 20)].join("\n  ");
    return fault(
      shown,
      "start a worker: if the messages then end, no worker was left; otherwise keep the database and the logs, and " +
        "report it",
    );
  }
  if (lost.length > 0) return { name, ok: true, found: `${found}; none was lost or doubled`, what_to_do: null };
  return fault(
    `${found}: the killed worker ran no turn, so nothing was tested`,
    "name a worker of this platform, or send more turns with --turns",
  );
}

const name = "kill-test";

function fault(found: string, whatToDo: string): HealthCheck {
  return { name, ok: false, found, what_to_do: whatToDo };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function textOf({ output }: MessageRecord): string {
  return (output?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

async function removeAll(client: Client, agentId: string, watched: readonly Watched[]): Promise<void> {
  for (const { sessionId } of watched) await client.deleteSession(sessionId, { cancel: true }).catch(() => undefined);
  await client.deleteAgent(agentId).catch(() => undefined);
}
