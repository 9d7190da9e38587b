// Generates the load: many organizations and sessions, short turns and a few long, failing, poisonous and cancelled
// ones. Its clients behave as clients should: they send again with the same key until they are answered.

import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Journal, Sent } from "./journal.ts";
import type { Prompt, Task } from "./agent.ts";
import type { Endpoint, Tenant } from "./tenants.ts";

export interface Load {
  /** Minimum number of messages. */
  readonly turns: number;
  readonly perSecond: number;
  /**
   * More messages than a machine can handle wait in the clients, so that the figures show the faults and not the
   * machine.
   */
  readonly openMax: number;
  /** The part of messages that are cancelled. */
  readonly cancelled: number;
  /** What a message asks for, chosen by a number below 1 (default: a little of everything that an agent can do). */
  readonly choose?: (x: number) => Task;
}

export interface Sending {
  /** Number of started messages. */
  readonly begun: number;
  /** Sets how many messages are open. Above its limit nothing more is started. */
  noteOpen(count: number): void;
  /** Resolves once everything is acknowledged. Continues beyond `turns` until `enough` is called. */
  enough(): Promise<void>;
  /** Sends one more message now. Resolves once it is acknowledged. */
  send(tenant: Tenant, what?: SendRequest): Promise<Sent>;
}

/** What is not left to chance. */
export interface SendRequest {
  readonly task?: Task;
  /** How long its turn takes. */
  readonly ms?: number;
  readonly sessionId?: string;
  /** Default: random. A waiting call is acknowledged at its turn's end. */
  readonly delivery?: Sent["delivery"];
}

/** Maximum number of sends without an acknowledgement. More wait. */
const outstandingMax = 200;
const pauseMs = { least: 100, more: 300 };
const twiceAtOnce = 0.03;
const waitsForAnswer = 0.04;
const cancelWithinMs = 400;
/** Longer than any turn that is not stuck. Then a client asks again. In milliseconds. */
const answerWithinMs = 30_000;

export function startSending(journal: Journal, tenants: readonly Tenant[], load: Load, random: () => number): Sending {
  let begun = 0;
  let isEnough = false;
  let open = 0;
  const outstanding = new Set<Promise<unknown>>();
  const begin = (tenant: Tenant, what: SendRequest, cancelled: number): Promise<Sent> => {
    begun += 1;
    const sent = plan(begun, tenant, what, { random, choose: load.choose ?? chooseTask });
    journal.sent.push(sent);
    const twice = random() < twiceAtOnce;
    const cancelAfterMs = random() < cancelled ? random() * cancelWithinMs : undefined;
    const work = carryOut(journal, sent, { twice, cancelAfterMs, random }).then(() => sent);
    outstanding.add(work);
    void work.finally(() => outstanding.delete(work));
    return work;
  };
  const sending = (async (): Promise<void> => {
    const startedAt = performance.now();
    for (let due = 0; begun < load.turns || !isEnough; due += (1_000 / load.perSecond) * (0.5 + random())) {
      const early = startedAt + due - performance.now();
      if (early > 0) await sleep(early);
      while (outstanding.size >= outstandingMax) await Promise.race(outstanding);
      while (open > load.openMax) await sleep(pauseMs.least);
      void begin(pick(tenants, random), {}, load.cancelled);
    }
    await Promise.all(outstanding);
  })();
  return {
    get begun() {
      return begun;
    },
    noteOpen: (count) => void (open = count),
    async enough() {
      isEnough = true;
      await sending;
      await Promise.all(outstanding);
    },
    send: (tenant, what = {}) => begin(tenant, what, 0),
  };
}

export function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)]!;
}

interface Chances {
  readonly random: () => number;
  readonly choose: (x: number) => Task;
}

function plan(number: number, tenant: Tenant, what: SendRequest, { random, choose }: Chances): Sent {
  const long = random() < 0.02;
  const ms = Math.round(long ? 1_500 : 10 + random() * 110);
  const chosen = choose(random());
  const prompt: Prompt = { ...(what.task ?? chosen), key: `turn-${number}`, ms: what.ms ?? ms };
  return {
    tenant,
    sessionId: what.sessionId ?? pick(tenant.sessionIds, random),
    prompt,
    delivery: what.delivery ?? (random() < waitsForAnswer ? "sync" : "async"),
    sentAt: Date.now(),
    acknowledgedAt: undefined,
    messageIds: new Set(),
    cancel: undefined,
    answer: undefined,
  };
}

function chooseTask(x: number): Task {
  if (x < 0.005) return { do: "exit" };
  if (x < 0.01) return { do: "fail", times: 99 };
  if (x < 0.06) return { do: "fail", times: 2 };
  if (x < 0.1) return { do: "ask" };
  return { do: "work" };
}

async function carryOut(
  journal: Journal,
  sent: Sent,
  how: { twice: boolean; cancelAfterMs: number | undefined; random: () => number },
): Promise<void> {
  const sends = [sendUntilAcknowledged(journal, sent, how.random)];
  if (how.twice) sends.push(sendUntilAcknowledged(journal, sent, how.random));
  await Promise.race(sends);
  if (sent.prompt.do === "ask") sends.push(answerWhenAsked(journal, sent, how.random));
  if (how.cancelAfterMs !== undefined) {
    await sleep(how.cancelAfterMs);
    await cancelUntilAnswered(journal, sent, how.random);
  }
  await Promise.all(sends);
}

async function sendUntilAcknowledged(journal: Journal, sent: Sent, random: () => number): Promise<void> {
  const body = { parts: [{ type: "text" as const, text: JSON.stringify(sent.prompt) }] };
  const idempotencyKey = sent.prompt.key;
  const record = await untilAnswered(journal, sent.tenant, random, async (endpoint) => {
    if (sent.delivery === "sync") return sendAndWait(endpoint, sent.sessionId, body, idempotencyKey);
    const at = Date.now();
    const accepted = await endpoint.client.sendMessageAsync(sent.sessionId, body, { idempotencyKey });
    journal.answerMs.push({ at, ms: Date.now() - at });
    return accepted;
  });
  sent.messageIds.add(record.id);
  sent.acknowledgedAt ??= Date.now();
  if (sent.delivery === "sync" && record.completed_at !== null) sent.answer = record;
}

/** Sends with a call that holds the connection until the turn has ended. */
async function sendAndWait(to: Endpoint, sessionId: string, body: object, key: string): Promise<MessageRecord> {
  const response = await fetch(`${to.apiUrl}/v1/sessions/${sessionId}/messages/sync`, {
    method: "POST",
    headers: { authorization: `Bearer ${to.apiKey}`, "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerWithinMs),
  });
  const reply: unknown = await response.json();
  if (!response.ok) throw new ApiError(response.status, reply as object, response.headers);
  return reply as MessageRecord;
}

/** Gives what its agent waits for, once, unless the message ends before. */
async function answerWhenAsked(journal: Journal, sent: Sent, random: () => number): Promise<void> {
  const [id = ""] = sent.messageIds;
  const body = { key: "go", value: sent.prompt.key };
  const options = { idempotencyKey: `${sent.prompt.key}-answer` };
  for (;;) {
    const record = await untilAnswered(journal, sent.tenant, random, ({ client }) => client.getMessage(id));
    if (record.completed_at !== null || record.inputs?.some(({ status }) => status !== "waiting")) return;
    if (record.status === "waiting_for_input") {
      await untilAnswered(journal, sent.tenant, random, async ({ client }) => {
        try {
          return await client.answerInput(id, body, options);
        } catch (error) {
          // Perhaps cancelled in the meantime; its record says so.
          if (error instanceof ApiError && error.status === 409) return record;
          throw error;
        }
      });
    }
    await sleep(pauseMs.least);
  }
}

export async function cancelUntilAnswered(journal: Journal, sent: Sent, random: () => number): Promise<void> {
  const [id] = sent.messageIds;
  if (id === undefined) return;
  const askedAt = Date.now();
  const record = await untilAnswered(journal, sent.tenant, random, ({ client }) => client.cancelMessage(id));
  sent.cancel ??= { askedAt, answered: record.status };
}

/** Tries all APIs until one answers. Notes errors that clients should not see. */
async function untilAnswered(
  journal: Journal,
  tenant: Tenant,
  random: () => number,
  call: (endpoint: Endpoint) => Promise<MessageRecord>,
): Promise<MessageRecord> {
  for (;;) {
    try {
      return await call(pick(tenant.endpoints, random));
    } catch (error) {
      if (error instanceof ApiError) {
        journal.note(`${error.status} ${error.code}`);
        // 408: a server that had no time for the call has not read it.
        if (error.status < 500 && error.status !== 429 && error.status !== 408) {
          journal.faults.push(`a good call was refused: ${error.status} ${error.code}: ${error.detail}`);
          throw error;
        }
      } else journal.note("no answer");
      await sleep(pauseMs.least + random() * pauseMs.more);
    }
  }
}
