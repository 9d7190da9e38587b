// An attempt whose message has limits, and its requests to models, one step at a time.

import { afterAll, beforeAll, beforeEach, expect } from "@jest/globals";
import { findViolations } from "@dari/control/operations";
import { claimTurn } from "@dari/control/turns";
import { modelPrices, modelRequests, type ClaimedTurn } from "@dari/db";
import { createScrubber, newId, type MessageLimits, type Notifier } from "@dari/domain";
import type { ModelAdmission, ModelResult } from "@dari/gateway";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, type TestDatabase } from "@dari/testkit";
import type { RestoredAttempt } from "../src/turn/attempt.ts";
import { limitModelRequests } from "../src/turn/model-limits/limit-model-requests.ts";
import { createModelRequestRecorder } from "../src/turn/recorders/record-model-requests.ts";

export const notifier: Notifier = {
  notify: () => {},
  subscribe: () => () => undefined,
  close: () => Promise.resolve(),
};
export const log = createLogger({ name: "limit-model-requests", level: "silent" });

export let database: TestDatabase;
export let place: { organizationId: string; agentId: string };

/** Gives the tests of a file a database with prices, and checks the invariants at the end. */
export function useLimitedAttempts(): void {
  beforeAll(async () => {
    database = await createTestDatabase();
    const { organizationId } = await createTestOrganization(database.db);
    const { agentId } = await createTestAgent(database.db, organizationId);
    place = { organizationId, agentId };
  });
  beforeEach(() => putPrices(["m", "gpt-5"]));
  afterAll(async () => {
    expect(await findViolations(database.db)).toEqual([]);
    await database.close();
  });
}

/** Replaces the price list. Output costs ten times as much as input. `input`: micro-dollars for a token. */
export function putPrices(models: readonly string[], input = 1): Promise<unknown> {
  const amounts = { input: input * 1e6, cachedInput: null, cacheWrite: null, output: input * 1e7 };
  const prices = models.map((model) => ({ host: "*", model, ...amounts }));
  return modelPrices.putPriceListIfBelow(database.db, "2026-01-01", prices, 10);
}

const claimant = () => ({ workerId: newId("worker"), leaseMs: 600_000, guarantees: {} });

export async function claim(sessionId: string, dispatchNumber = 1): Promise<ClaimedTurn> {
  const claimed = await claimTurn(database.db, { sessionId, dispatchNumber }, claimant());
  if (claimed.outcome !== "claimed") throw new Error(claimed.outcome);
  return claimed.turn;
}

const stopping = { retries: {} };
export const asking = { limits: { at_limit: "ask" }, retries: { record_answers: true } };

/** `more`: other fields of the turn. */
export async function open(
  limits: MessageLimits,
  claimed?: ClaimedTurn,
  manifest: object = stopping,
  more: object = {},
) {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  if (claimed === undefined) await createTestMessage(database.db, place.organizationId, sessionId);
  const turn = { ...(claimed ?? (await claim(sessionId))), scrubber: createScrubber([]), limits, manifest, ...more };
  await database.db.pool.query("update messages set limits = $1 where id = $2", [limits, turn.messageId]);
  const lease = { signal: new AbortController().signal };
  const attempt = { context: { db: database.db, notifier, log }, turn, lease } as unknown as RestoredAttempt;
  const recorder = createModelRequestRecorder(attempt);
  const stored: string[] = [];
  const limiter = limitModelRequests(attempt, recorder, async () => {
    stored.push(limiter.reached ?? "not reached");
    await recorder.flush();
  })!;
  const ask = (tokensMax: number | null = null, signal = new AbortController().signal, model: string | null = "m") => {
    // One tenth is input.
    const worst = { tokensMax, inputMax: tokensMax === null ? null : Math.floor(tokensMax / 10), model };
    return limiter.admit({ host: "api.openai.com", format: "openai-chat", ...worst }, signal);
  };
  return { turn, recorder, limiter, ask, stored };
}

const result: ModelResult = {
  ...{ model: "gpt-5", finishReason: "stop", cachedInput: null, cacheWrite: null, reasoning: null },
  ...{ input: 60, output: 40, isComplete: true, unread: null, status: 200, durationMs: 1, isRecorded: false },
};

/** Sends an admitted request, whose result the returned function tells. */
export function go(admission: ModelAdmission): (changed?: Partial<ModelResult>) => void {
  if (!admission.isAdmitted) throw new Error(admission.reason);
  const known = Promise.withResolvers<ModelResult>();
  admission.report({ host: "api.openai.com", format: "openai-chat", result: known.promise });
  return (changed = {}) => known.resolve({ ...result, ...changed });
}

export async function rowsOf({ messageId }: ClaimedTurn) {
  const of = { organizationId: place.organizationId, messageId };
  return (await modelRequests.listModelRequests(database.db, of, { limit: 100 }))!.rows;
}

export const refused = (reason: string) =>
  expect.objectContaining({ isAdmitted: false, reason: expect.stringContaining(reason) });
