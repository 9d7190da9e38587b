// Clients, dispatchers, workers that die and freeze, and a reaper, concurrently. Records outside the database
// what each was answered.

import { newId } from "@dari/domain";
import { dispatch, messageInputs, steering, turns, type ClaimedTurn, type Database } from "../../src/index.ts";
import { emptySnapshot } from "../scene.ts";
import { accept, agentError, askedFor, cancel, headOf, openPlace, reapNow, type Place } from "./place.ts";

export interface WorkloadOptions {
  readonly seed: number;
  readonly sessions: number;
  readonly messagesEach: number;
  readonly workers: number;
}

/** The answers that each got, and what must not have happened. */
export interface Book {
  readonly places: readonly Place[];
  readonly accepted: Map<string, { sessionId: string; sequenceNumber: number }>;
  /** Counted calls of the entrypoint. */
  readonly called: Map<string, number>;
  /** Message → the endings that workers were told are recorded. */
  readonly recorded: Map<string, string[]>;
  /** Message that steered → the turns whose last or suspended attempt was handed it. */
  readonly delivered: Map<string, string[]>;
  readonly faults: string[];
}

/** A worker gives up after this many tries, so that a stuck workload ends. */
const looksMax = 1_500;
const frozenLooksMax = 400;
const livingLeaseMs = 60_000;

interface Run extends Book {
  readonly db: Database;
  readonly random: () => number;
  readonly jobs: { sessionId: string; dispatchNumber: number }[];
  /** Sessions on which a worker works that neither dies nor freezes. */
  readonly living: Map<string, number>;
  /** Message → when a worker or client learned that it has ended, on a clock that counts the run's events. */
  readonly endedAt: Map<string, number>;
  readonly tick: () => number;
  isOver: boolean;
}

export async function runWorkload(db: Database, options: WorkloadOptions): Promise<Book> {
  const places: Place[] = [];
  for (let i = 0; i < options.sessions; i++) places.push(await openPlace(db));
  let clock = 0;
  const run: Run = {
    db,
    places,
    random: randomOf(options.seed),
    jobs: [],
    living: new Map(),
    endedAt: new Map(),
    accepted: new Map(),
    called: new Map(),
    recorded: new Map(),
    delivered: new Map(),
    faults: [],
    tick: () => ++clock,
    isOver: false,
  };
  const clients = places.map((place) => client(run, place, options.messagesEach));
  const others = [
    dispatcher(run),
    dispatcher(run),
    reaper(run, Promise.all(clients)),
    ...Array.from({ length: options.workers }, (_, index) => worker(run, `w${index}`)),
  ];
  await Promise.all([...clients, ...others]);
  return run;
}

async function client(run: Run, place: Place, messages: number): Promise<void> {
  for (let i = 0; i < messages; i++) {
    const onBusy = pick(run, { interrupt: 0.08, rollback: 0.08, merge: 0.08, reject: 0.06, steer: 0.25 }) ?? "enqueue";
    const before = place.messageIds.length;
    const answer = await accept(place, run.db, { onBusy });
    const messageId = place.messageIds[before] ?? "";
    if (answer.outcome === "accepted") {
      run.accepted.set(messageId, { sessionId: place.sessionId, sequenceNumber: answer.sequenceNumber });
      for (const label of answer.ended) hasEnded(run, place.messageIds[Number(label?.slice(1)) - 1] ?? "");
    }
    if (run.random() < 0.15) {
      const index = Math.floor(run.random() * place.messageIds.length);
      if ((await cancel(place, run.db, index)) === "cancelled") hasEnded(run, place.messageIds[index] ?? "");
    }
  }
}

function hasEnded(run: Run, messageId: string): void {
  run.endedAt.set(messageId, run.tick());
}

async function dispatcher(run: Run): Promise<void> {
  while (!run.isOver) {
    const shares = run.places.map(({ organizationId }) => ({ organizationId, count: 1 }));
    const isLost = run.random() < 0.2;
    const moved = await dispatch.dispatchIfReady(run.db, shares, isLost ? 0 : livingLeaseMs);
    if (isLost) continue;
    // Deliveries are doubled, and some are repeated much later.
    for (const job of moved) run.jobs.push(job, ...(run.random() < 0.2 ? [job] : []));
  }
}

async function reaper(run: Run, clients: Promise<unknown>): Promise<void> {
  let areClientsDone = false;
  void clients.then(() => (areClientsDone = true));
  for (let look = 0; look < looksMax; look++) {
    await dispatch.reapExpired(run.db, reapNow);
    await answerAll(run);
    const { rows } = await run.db.pool.query<{ open: number }>("select sum(pending)::int as open from sessions");
    if (areClientsDone && rows[0]?.open === 0) break;
  }
  run.isOver = true;
}

/** Answers everything, twice at once. */
async function answerAll(run: Run): Promise<void> {
  const { rows } = await run.db.pool.query<{ organizationId: string; messageId: string; key: string }>(
    `select organization_id as "organizationId", message_id as "messageId", key from message_inputs
      where state = 'waiting'`,
  );
  for (const waiting of rows) {
    const give = () => messageInputs.answerIfWaiting(run.db, { ...waiting, value: 1, dispatchTtlMs: undefined });
    const taken = (await Promise.all([give(), give()])).filter(({ outcome }) => outcome === "answered");
    if (taken.length > 1) run.faults.push(`${waiting.messageId}: ${waiting.key} was answered twice`);
  }
}

async function worker(run: Run, workerId: string): Promise<void> {
  for (let look = 0; look < looksMax && !run.isOver; look++) {
    const fate = pick(run, { "dies early": 0.06, dies: 0.06, freezes: 0.08 }) ?? "lives";
    const claimant = { workerId, leaseMs: fate === "lives" ? livingLeaseMs : 0, guarantees: {} };
    const startedAt = run.tick();
    const job = run.jobs.shift();
    const turn = await claimOne(run, job, claimant);
    if (turn === undefined) continue;
    if ((run.endedAt.get(turn.messageId) ?? Infinity) < startedAt)
      run.faults.push(`${turn.messageId} ran after its end`);
    const holder = run.living.get(turn.sessionId);
    // The reply to a lost claim may arrive late.
    if (holder !== undefined && holder < turn.fence)
      run.faults.push(`${turn.sessionId}: ${turn.fence} began beside ${holder}`);
    if (fate === "lives") await live(run, turn);
    else if (fate !== "dies early") {
      await call(run, turn);
      if (fate === "freezes") await wakeTooLate(run, turn);
    }
  }
}

async function claimOne(
  run: Run,
  job: { sessionId: string; dispatchNumber: number } | undefined,
  claimant: turns.Claimant,
): Promise<ClaimedTurn | undefined> {
  if (job === undefined) return turns.claimNextIfAny(run.db, newId("attempt"), claimant);
  let result = await turns.claimIfDispatched(run.db, job, newId("attempt"), claimant);
  if (result.outcome === "due") {
    const judgement = run.random() < 0.5 ? "take" : "yield";
    result = await turns.claimDueRetry(run.db, job, newId("attempt"), claimant, judgement);
  }
  return result.outcome === "claimed" ? result.turn : undefined;
}

async function call(run: Run, turn: ClaimedTurn): Promise<boolean> {
  const isHeld = await turns.markCalledIfHeld(run.db, turn);
  if (isHeld) run.called.set(turn.messageId, (run.called.get(turn.messageId) ?? 0) + 1);
  return isHeld;
}

async function live(run: Run, turn: ClaimedTurn): Promise<void> {
  const { db } = run;
  run.living.set(turn.sessionId, turn.fence);
  const isHeld =
    (await call(run, turn)) &&
    (await turns.appendEventsIfHeld(db, turn, [{ type: "agent.event", data: {} }])) &&
    (await turns.renewHeldLeases(db, [turn], livingLeaseMs)).length === 1;
  const taken = await takeTwice(run, turn);
  const ending = pick(run, { retry: 0.15, failed: 0.05, released: 0.1, suspended: 0.1 }) ?? "completed";
  const input =
    ending === "completed" || ending === "suspended"
      ? { ...(await completion(run, turn)), asked: askedFor(`k${turn.fence}`) }
      : { failure: agentError, waitMs: 0 };
  run.living.delete(turn.sessionId);
  const result = await turns.finishIfHeld(db, turn, { ending, ...input });
  if (!isHeld || result === undefined) {
    run.faults.push(`${turn.messageId}: claim ${turn.fence} was taken from a living worker`);
    return;
  }
  if (result.recorded === "released" || result.recorded === "suspended")
    run.called.set(turn.messageId, (run.called.get(turn.messageId) ?? 0) - 1);
  if (["retry", "released"].includes(result.recorded)) return;
  for (const id of taken) run.delivered.set(id, [...(run.delivered.get(id) ?? []), turn.messageId]);
  if (result.recorded === "suspended") return;
  run.recorded.set(turn.messageId, [...(run.recorded.get(turn.messageId) ?? []), result.recorded]);
  hasEnded(run, turn.messageId);
}

/** Takes what steers the turn, twice, and loses the reply to some takes. Returns the ids. */
async function takeTwice({ db, random }: Run, turn: ClaimedTurn): Promise<string[]> {
  const received: string[] = [];
  for (let n = 0; n < 2; n++) {
    if (random() < 0.2) await steering.takeSteeringIfHeld(db, turn, received.length);
    const taken = (await steering.takeSteeringIfHeld(db, turn, received.length)) ?? [];
    received.push(...taken.map(({ id }) => id));
  }
  return received;
}

async function completion(run: Run, turn: ClaimedTurn) {
  return { output: { parts: [] }, snapshot: emptySnapshot(await headOf(turn, run.db)) };
}

/** Sleeps until its claim is lost, then writes as if nothing had happened. */
async function wakeTooLate(run: Run, turn: ClaimedTurn): Promise<void> {
  const { db } = run;
  for (let look = 0; ; look++) {
    const { rows } = await db.pool.query<{ held: boolean }>(
      "select claim_token is not distinct from $2 as held from sessions where id = $1",
      [turn.sessionId, turn.token],
    );
    if (rows[0]?.held !== true) break;
    // No worker takes it; it is reported as open.
    if (look > frozenLooksMax) return;
  }
  const writes: Record<string, unknown> = {
    call: await turns.markCalledIfHeld(db, turn),
    event: await turns.appendEventsIfHeld(db, turn, [{ type: "agent.event", data: {} }]),
    take: (await steering.takeSteeringIfHeld(db, turn, 0)) !== undefined,
    renewal: (await turns.renewHeldLeases(db, [turn], livingLeaseMs)).length > 0,
    finish:
      (await turns.finishIfHeld(db, turn, { ending: "completed", ...(await completion(run, turn)) })) !== undefined,
  };
  for (const [name, isTaken] of Object.entries(writes)) {
    if (isTaken === true) run.faults.push(`${turn.messageId}: the late ${name} of claim ${turn.fence} was taken`);
  }
}

/** Returns a name by its probability; undefined for the rest up to 1. */
function pick<N extends string>(run: Run, weights: Readonly<Record<N, number>>): N | undefined {
  let left = run.random();
  for (const [name, weight] of Object.entries<number>(weights)) {
    if (left < weight) return name as N;
    left -= weight;
  }
  return undefined;
}

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
