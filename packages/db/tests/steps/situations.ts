// The states of a session in the schedule, and which steps can meet there.

import type { Database } from "../../src/index.ts";
import {
  accept,
  answer,
  appendEvent,
  cancel,
  claim,
  claimRetry,
  dispatchOne,
  expire,
  finish,
  headOf,
  letTimePass,
  markCalled,
  pull,
  raiseLimit,
  reachLimit,
  reap,
  recordStep,
  renew,
  rollBack,
  suspend,
  take,
  undispatch,
  writeHead,
  type Place,
} from "./place.ts";

export interface Step {
  run(place: Place, db: Database): Promise<unknown>;
  /** Whether it skips locked rows and finds nothing (SKIP LOCKED). */
  readonly passes: boolean;
  /** Whether it writes another row, so that it need not wait. */
  readonly writesApart?: boolean;
  readonly sends?: boolean;
}

export interface Situation {
  readonly name: string;
  prepare(place: Place, db: Database): Promise<void>;
  readonly steps: Readonly<Record<string, Step>>;
}

const waiting = (run: Step["run"]): Step => ({ run, passes: false });
const passing = (run: Step["run"]): Step => ({ run, passes: true });
const sending = (onBusy: "enqueue" | "interrupt" | "rollback" | "merge" | "steer"): Step => ({
  run: (place, db) => accept(place, db, { onBusy }),
  passes: false,
  sends: true,
});

const accepts = sending("enqueue");
const rollback = sending("rollback");
const interrupt = sending("interrupt");
const cancelHead = waiting((place, db) => cancel(place, db));
const claimFirst = waiting((place, db) => claim(place, db, 1));
const finishCompleted = waiting((place, db) => finish(place, db, "completed"));

async function ready(place: Place, db: Database, messages: number): Promise<void> {
  for (let i = 0; i < messages; i++) await accept(place, db);
}

async function dispatched(place: Place, db: Database, messages: number): Promise<void> {
  await ready(place, db, messages);
  await dispatchOne(place, db);
}

/** With an expired lease, so that the reaper can act too. */
async function leased(place: Place, db: Database, messages: number): Promise<void> {
  await dispatched(place, db, messages);
  await claim(place, db, 1, 0);
}

async function waitsForRetry(place: Place, db: Database): Promise<void> {
  await leased(place, db, 2);
  await markCalled(place, db);
  await recordStep(place, db);
  await finish(place, db, "retry");
  await letTimePass(place, db);
}

/** Runs a turn behind which two messages steer; the first one is taken. */
async function steered(place: Place, db: Database): Promise<void> {
  await leased(place, db, 1);
  await markCalled(place, db);
  await accept(place, db, { onBusy: "steer" });
  await take(place, db);
  await accept(place, db, { onBusy: "steer" });
}

/** Waits for an overdue input, so that it can expire too. */
async function waitsForInput(place: Place, db: Database): Promise<void> {
  await leased(place, db, 2);
  await markCalled(place, db);
  await recordStep(place, db);
  await suspend(place, db);
  await letTimePass(place, db);
}

/** Waits for a higher limit, overdue as well. */
async function waitsAtLimit(place: Place, db: Database): Promise<void> {
  await leased(place, db, 2);
  await markCalled(place, db);
  await reachLimit(place, db);
  await letTimePass(place, db);
}

async function twoTurns(place: Place, db: Database): Promise<void> {
  for (let dispatchNumber = 1; dispatchNumber <= 2; dispatchNumber++) {
    await dispatched(place, db, 1);
    await claim(place, db, dispatchNumber);
    await markCalled(place, db);
    await finish(place, db, "completed");
  }
  place.head = await headOf(place, db);
}

export const situations: readonly Situation[] = [
  {
    name: "idle",
    prepare: () => Promise.resolve(),
    steps: { accept: accepts, reject: { ...accepts, run: (place, db) => accept(place, db, { onBusy: "reject" }) } },
  },
  {
    name: "ready",
    prepare: (place, db) => ready(place, db, 2),
    steps: {
      accept: accepts,
      merge: sending("merge"),
      rollback,
      dispatch: passing(dispatchOne),
      "cancel of the head": cancelHead,
      "cancel of the tail": waiting((place, db) => cancel(place, db, 1)),
    },
  },
  {
    name: "ready for its last message",
    prepare: (place, db) => ready(place, db, 1),
    steps: { accept: accepts, dispatch: passing(dispatchOne), cancel: cancelHead },
  },
  {
    name: "dispatched",
    prepare: (place, db) => dispatched(place, db, 2),
    steps: {
      accept: accepts,
      rollback,
      claim: claimFirst,
      pull: passing(pull),
      undispatch: waiting((place, db) => undispatch(place, db, 1)),
      reap: passing(reap),
      "cancel of the head": cancelHead,
    },
  },
  {
    name: "leased",
    prepare: (place, db) => leased(place, db, 2),
    steps: {
      accept: accepts,
      interrupt,
      rollback,
      "cancel of the head": cancelHead,
      claim: claimFirst,
      renew: passing(renew),
      "mark called": { run: markCalled, passes: false, writesApart: true },
      event: waiting(appendEvent),
      "recorded step": waiting(recordStep),
      "finish as completed": finishCompleted,
      "finish as retry": waiting((place, db) => finish(place, db, "retry")),
      "finish as suspended": waiting(suspend),
      "finish at a limit": waiting(reachLimit),
      reap: passing(reap),
    },
  },
  {
    name: "leased for its last message",
    prepare: (place, db) => leased(place, db, 1),
    steps: { accept: accepts, cancel: cancelHead, finish: finishCompleted, reap: passing(reap) },
  },
  {
    name: "leased with a message that steers",
    prepare: steered,
    steps: {
      steer: sending("steer"),
      merge: sending("merge"),
      rollback,
      take: waiting(take),
      "cancel of the head": cancelHead,
      "cancel of what is taken": waiting((place, db) => cancel(place, db, 1)),
      "cancel of what waits": waiting((place, db) => cancel(place, db, 2)),
      "finish as completed": finishCompleted,
      "finish as retry": waiting((place, db) => finish(place, db, "retry")),
      "finish as suspended": waiting(suspend),
      "finish at a limit": waiting(reachLimit),
      reap: passing(reap),
    },
  },
  {
    name: "waiting for a retry that is due",
    prepare: waitsForRetry,
    steps: {
      accept: accepts,
      interrupt,
      rollback,
      "claim that takes it": waiting((place, db) => claimRetry(place, db, "take")),
      "claim that yields": waiting((place, db) => claimRetry(place, db, "yield")),
      "ready again": passing(reap),
      "cancel of the head": cancelHead,
    },
  },
  {
    name: "waiting for an input",
    prepare: waitsForInput,
    steps: {
      accept: accepts,
      merge: sending("merge"),
      interrupt,
      rollback,
      answer: waiting((place, db) => answer(place, db)),
      expiry: passing(expire),
      "cancel of the head": cancelHead,
      "write of the head": waiting((place, db) => writeHead(place, db, null)),
    },
  },
  {
    name: "waiting for a higher limit",
    prepare: waitsAtLimit,
    steps: {
      accept: accepts,
      interrupt,
      rollback,
      raise: waiting((place, db) => raiseLimit(place, db)),
      refusal: waiting((place, db) => raiseLimit(place, db, false)),
      expiry: passing(expire),
      "cancel of the head": cancelHead,
      "write of the head": waiting((place, db) => writeHead(place, db, null)),
    },
  },
  {
    name: "idle after a failed message",
    async prepare(place, db) {
      await leased(place, db, 1);
      await finish(place, db, "failed");
    },
    steps: {
      retry: { ...accepts, run: (place, db) => accept(place, db, { retryOf: place.messageIds[0] ?? "" }) },
      accept: accepts,
    },
  },
  {
    name: "idle after two turns",
    prepare: twoTurns,
    steps: {
      accept: accepts,
      "roll back to the first": waiting(rollBack),
      "write of the head": waiting((place, db) => writeHead(place, db, place.head ?? null)),
    },
  },
];
