// An organization with one session, the steps of a turn, and their results in words that are the same for every such
// place.

import { newId, type Failure, type OnBusy } from "@dari/domain";
import { createTestAgent, createTestOrganization, createTestSession, testManifest } from "@dari/testkit";
import {
  dispatch,
  findViolations,
  heads,
  messageInputs,
  messageSteps,
  recordedAnswers,
  steering,
  turns,
  type ClaimedTurn,
  type Database,
  type TurnEnding,
} from "../../src/index.ts";
import { emptySnapshot } from "../scene.ts";

export const reapNow = { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 };
export const agentError = { code: "agent_error", message: "it threw" } as const;
export const workerLost = { code: "worker_lost", message: "the worker was lost; send it again" } as const;
const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };

export interface Place {
  readonly organizationId: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** The ids of its messages, in order. */
  readonly messageIds: string[];
  /** The head that the next writer has read. */
  head?: string | null;
  /** The newest claim that this place knows. */
  turn: ClaimedTurn | undefined;
}

export async function openPlace(db: Database, retries: object = testManifest.retries): Promise<Place> {
  const { organizationId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId, { manifest: { ...testManifest, retries } });
  return openSession({ organizationId, agentId }, db);
}

/** Opens another session of the same agent: steps without a session also take open ones elsewhere. */
export async function openSession(
  { organizationId, agentId }: Pick<Place, "organizationId" | "agentId">,
  db: Database,
): Promise<Place> {
  const sessionId = await createTestSession(db, organizationId, agentId);
  return { organizationId, agentId, sessionId, messageIds: [], turn: undefined };
}

/** Returns m1, m2, … for the messages of a place, whatever their ids. */
function labelOf(place: Place, messageId: string | null | undefined): string | null {
  return messageId ? `m${place.messageIds.indexOf(messageId) + 1}` : null;
}

export interface SendOptions {
  readonly onBusy?: OnBusy;
  readonly retryOf?: string;
}

export async function accept(place: Place, db: Database, options: SendOptions = {}) {
  const messageId = newId("message");
  place.messageIds.push(messageId);
  const accepted = await turns.acceptMessage(db, {
    organizationId: place.organizationId,
    sessionId: place.sessionId,
    messageId,
    parts: [{ type: "text", text: "hello" }],
    metadata: {},
    attachments: [],
    dispatchTtlMs: undefined,
    ...options,
  });
  const { outcome, sequenceNumber, schedule, ended, stopping } = accepted;
  const labels = (ended ?? []).map((id) => labelOf(place, id));
  return { outcome, sequenceNumber, schedule, ended: labels, stopping: labelOf(place, stopping) };
}

export async function dispatchOne(place: Place, db: Database) {
  const moved = await dispatch.dispatchIfReady(db, [{ organizationId: place.organizationId, count: 1 }], 0);
  return moved.map((turn) => ({
    dispatchNumber: turn.dispatchNumber,
    message: labelOf(place, turn.messageId),
    attemptsLeft: turn.attemptsLeft,
  }));
}

export function undispatch(place: Place, db: Database, dispatchNumber: number): Promise<number> {
  return dispatch.undispatchIfDispatched(db, [{ sessionId: place.sessionId, dispatchNumber }]);
}

export async function claim(place: Place, db: Database, dispatchNumber: number, leaseMs = claimant.leaseMs) {
  const job = { sessionId: place.sessionId, dispatchNumber };
  const result = await turns.claimIfDispatched(db, job, newId("attempt"), { ...claimant, leaseMs });
  return result.outcome === "claimed" ? took(place, result.turn) : { outcome: result.outcome };
}

/** Like `claim`, for a retry that is due. */
export async function claimRetry(place: Place, db: Database, judgement: "take" | "yield") {
  const job = { sessionId: place.sessionId, dispatchNumber: 1 };
  const result = await turns.claimDueRetry(db, job, newId("attempt"), claimant, judgement);
  return result.outcome === "claimed" ? took(place, result.turn) : { outcome: result.outcome };
}

/** Pulls a turn; undefined if there is none. */
export async function pull(place: Place, db: Database, leaseMs = claimant.leaseMs) {
  const turn = await turns.claimNextIfAny(db, newId("attempt"), { ...claimant, leaseMs });
  return turn === undefined ? undefined : took(place, turn);
}

function took(place: Place, turn: ClaimedTurn) {
  place.turn = turn;
  const { fence, attemptNumber, uncountedClaims } = turn;
  return { outcome: "claimed", message: labelOf(place, turn.messageId), fence, attemptNumber, uncountedClaims };
}

function held(place: Place): ClaimedTurn {
  if (place.turn === undefined) throw new Error("nothing was claimed here");
  return place.turn;
}

export function markCalled(place: Place, db: Database): Promise<boolean> {
  return turns.markCalledIfHeld(db, held(place));
}

export function appendEvent(place: Place, db: Database): Promise<boolean> {
  return turns.appendEventsIfHeld(db, held(place), [{ type: "agent.event", data: {} }]);
}

/** Records the result of a step. */
export function recordStep(place: Place, db: Database): Promise<boolean> {
  return messageSteps.recordStepIfHeld(db, held(place), { name: "charge", ordinal: 1, json: "1" });
}

/** Records an answer of a model. */
export function recordAnswer(place: Place, db: Database): Promise<string> {
  const answer = { digest: "d", ordinal: 1, objectKey: "k", sizeBytes: 1 };
  return recordedAnswers.recordAnswerIfHeld(db, held(place), answer, { rows: 9, bytes: 9 });
}

/** Hands what steers to the running attempt. */
export async function take(place: Place, db: Database) {
  const taken = await steering.takeSteeringIfHeld(db, held(place), 0);
  return taken?.map(({ id }) => labelOf(place, id)) ?? "superseded";
}

/** Returns undefined if it was skipped because the session's row was locked. */
export async function renew(place: Place, db: Database): Promise<"renewed" | "lost" | undefined> {
  // Ignores whether a cancel is seen: an uncommitted one is seen by the next renewal.
  const [answer] = await turns.renewHeldLeases(db, [held(place)], 60_000);
  if (answer === undefined) return "lost";
  return answer.isRenewed ? "renewed" : undefined;
}

export async function headOf(place: Pick<Place, "sessionId">, db: Database): Promise<string | null> {
  const { rows } = await db.pool.query<{ head: string | null }>(
    "select head_snapshot_id as head from sessions where id = $1",
    [place.sessionId],
  );
  return rows[0]?.head ?? null;
}

export async function finish(
  place: Place,
  db: Database,
  ending: TurnEnding,
  waitMs = 0,
  failure: Failure = agentError,
) {
  const turn = held(place);
  const completed = { output: { parts: [] }, snapshot: emptySnapshot(await headOf(place, db)) };
  const rest = ending === "completed" ? completed : { failure, waitMs };
  return (await turns.finishIfHeld(db, turn, { ending, ...rest })) ?? "superseded";
}

/** Returns what a suspended attempt asks for. */
export function askedFor(key: string) {
  return { key, schema: {}, prompt: undefined, waitSeconds: 600, placed: [] };
}

export async function suspend(place: Place, db: Database) {
  const snapshot = emptySnapshot(await headOf(place, db));
  const input = { ending: "suspended", asked: askedFor("approve"), snapshot } as const;
  return (await turns.finishIfHeld(db, held(place), input)) ?? "superseded";
}

/** Ends the attempt at a limit of its message, which asks for a higher one. */
export async function reachLimit(place: Place, db: Database) {
  const snapshot = emptySnapshot(await headOf(place, db));
  const budget = { limit: "requests", value: 3, used: 3, requested: 1, needed: 4 } as const;
  const asked = { ...askedFor(""), schema: { properties: { requests: { default: 6 } } }, budget };
  const failure = { code: "budget_exceeded", message: "limit reached" } as const;
  return (await turns.finishIfHeld(db, held(place), { ending: "suspended", asked, failure, snapshot })) ?? "superseded";
}

export async function answer(place: Place, db: Database, key = "approve", value: unknown = true) {
  const { outcome, schedule } = await messageInputs.answerIfWaiting(db, {
    organizationId: place.organizationId,
    messageId: place.messageIds[0] ?? "",
    key,
    value,
    dispatchTtlMs: undefined,
  });
  return { outcome, schedule };
}

export function raiseLimit(place: Place, db: Database, approved = true) {
  return answer(place, db, "dari:budget-1", { approved });
}

export async function expire(place: Place, db: Database) {
  return (await messageInputs.expireOverdue(db, 10)).map(({ messageId }) => labelOf(place, messageId));
}

export async function cancel(place: Place, db: Database, index = 0): Promise<string> {
  return (await turns.cancelMessageOf(db, place.organizationId, place.messageIds[index] ?? "")).outcome;
}

/** Rolls the session back to its state after the first message. */
export function rollBack({ organizationId, sessionId, messageIds }: Place, db: Database): Promise<string> {
  return heads.rollBackIfIdle(db, { organizationId, sessionId, messageId: messageIds[0] ?? "" });
}

/** A client's change of the workspace, made from `parentId`. */
export function writeHead({ organizationId, sessionId }: Place, db: Database, parentId: string | null) {
  const snapshot = emptySnapshot(parentId);
  return heads.writeHeadIfAtParent(db, { organizationId, sessionId, snapshot, filesChanged: [], whileIdle: true });
}

export async function reap(_place: Place, db: Database) {
  return (await dispatch.reapExpired(db, reapNow)).map(({ was, recorded }) => ({ was, recorded }));
}

/** Returns everything recorded about the session, without ids and times. */
export async function stateOf(place: Place, db: Database): Promise<unknown> {
  const { rows } = await db.pool.query<{ state: unknown }>(
    `select jsonb_build_object(
      'session', (select jsonb_build_array(schedule, pending, fence, dispatch_number, next_sequence_number,
        next_event_number, worker_id, claim_token is not null, head_snapshot_id is not null)
        from sessions where id = $1),
      'messages', (select jsonb_agg(jsonb_build_array(sequence_number, state, attempts, max_attempts, uncounted_claims,
        fence, output, cancel_requested_at is not null, merged_into, steered_into, steered_event,
        interrupted_by, rolled_back_by, snapshot_id is not null, raised_limits)
        order by sequence_number) from messages where session_id = $1),
      'attempts', (select jsonb_agg(jsonb_build_array(fence, number, outcome, called_at is not null,
        steered_messages) order by fence)
        from attempts where session_id = $1),
      'events', (select jsonb_agg(jsonb_build_array(type, message_id, data - 'snapshot_id' - 'expires_at')
        order by sequence_number)
        from events where session_id = $1 and type <> 'session.created'),
      'attachments', (select jsonb_agg(jsonb_build_array(key, state, value) order by number) from message_inputs
        where session_id = $1),
      'steps', (select jsonb_agg(jsonb_build_array(name, ordinal, result)) from message_steps where session_id = $1),
      'answers', (select jsonb_agg(jsonb_build_array(digest, ordinal, object_key)) from recorded_answers
        where session_id = $1),
      'snapshots', (select jsonb_agg(kind order by id) from snapshots where session_id = $1)) as state`,
    [place.sessionId],
  );
  const text = JSON.stringify(rows[0]?.state);
  return JSON.parse(place.messageIds.reduce((all, id, index) => all.replaceAll(id, `m${index + 1}`), text));
}

/** Ends every wait of the place. */
export async function letTimePass(place: Place, db: Database): Promise<void> {
  await db.pool.query(
    `update sessions set lease_until = lease_until - interval '1 hour', ready_at = ready_at - interval '1 hour'
      where id = $1`,
    [place.sessionId],
  );
  await db.pool.query("update message_inputs set expires_at = expires_at - interval '1 hour' where session_id = $1", [
    place.sessionId,
  ]);
}

/** More rounds than any place needs. */
const roundsMax = 30;

/** Runs what is left. Returns the broken promises: what is still open, and every violation in the database. */
export async function faultsAfterDrain(place: Place, db: Database): Promise<unknown[]> {
  const open = await drain(place, db);
  return [...(open > 0 ? [`${open} stuck`] : []), ...(await findViolations(db))];
}

/** Runs what is left. Returns how many messages are stuck. */
export async function drain(place: Place, db: Database): Promise<number> {
  for (let round = 0; round < roundsMax && (await openMessages(place, db)) > 0; round++) {
    await letTimePass(place, db);
    await expire(place, db);
    await reap(place, db);
    await dispatchOne(place, db);
    if ((await pull(place, db)) === undefined) continue;
    await markCalled(place, db);
    await finish(place, db, "completed");
  }
  return openMessages(place, db);
}

async function openMessages(place: Place, db: Database): Promise<number> {
  const { rows } = await db.pool.query<{ n: number }>(
    "select count(*)::int as n from messages where session_id = $1 and completed_at is null",
    [place.sessionId],
  );
  return rows[0]?.n ?? 0;
}

/** Snapshots outlive their sessions, for forks of these. */
export async function deleteSessions(home: Place, db: Database): Promise<void> {
  await db.pool.query("delete from sessions where organization_id = $1", [home.organizationId]);
  await db.pool.query("delete from snapshots where organization_id = $1", [home.organizationId]);
}
