// The worker: offers slots, runs turns in its slots, builds versions, and shuts down without losing a turn.

import { announceWorker, createWorkerLook, removeWorker } from "@dari/control/turns";
import type { ClaimedTurn } from "@dari/db";
import { release } from "@dari/domain";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import { loop, type HealthChecks, type Loop } from "@dari/runtime";
import { statfs } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { startBuildFeed } from "./build/build-feed.ts";
import type { WorkerContext } from "./context.ts";
import { executeTurn } from "./turn/execute-turn.ts";
import { createGate, startsMax, type Gate, type Place } from "./capacity/gate.ts";
import { createLeaseKeeper, type LeaseKeeper } from "./turn/lease-keeper.ts";
import { toRetrySettlement } from "./feeds/settle-retry.ts";
import { watchMemory } from "./capacity/watch-memory.ts";
import type { MissingCapability } from "./capacity/find-missing-capabilities.ts";
import { startTurnFeed } from "./feeds/turn-feed.ts";
import type { TurnResult } from "./turn/steps/record-end.ts";
import type { TurnRun } from "./feeds/turn-feed-parts.ts";

export interface Worker {
  readonly running: number;
  /** The number of slots that the worker reports, taken and free. */
  readonly offered: number;
  /** The sandbox driver, and whether it isolates, as a text for operators. */
  readonly isolation: string;
  readonly missing: readonly MissingCapability[];
  /** Readiness checks, one per part: whether turns can arrive, run and be recorded. */
  readonly checks: HealthChecks;
  /**
   * Takes no more turns, and waits for running turns until the grace period is over. Then stops and releases the other
   * turns, whose attempts do not count.
   */
  drain(): Promise<void>;
}

const announceEveryMs = 2_000;
/** Time to kill and record stopped turns, and more for each of them, in milliseconds. */
const stopWithinMs = 10_000;
const stopEachMs = 45;

/** If the last announcement is older, the dispatcher ignores this worker. In milliseconds. */
const announcedWithinMs = 3 * announceEveryMs;

export async function startWorker(context: WorkerContext, source: TurnSource | undefined): Promise<Worker> {
  const { settings } = context;
  const gate = createGate({ slots: settings.slots, startsMax, turns: context.turnMemory });
  const leases = createLeaseKeeper({
    db: context.db,
    leaseMs: settings.leaseMs,
    renewMs: settings.renewMs,
    log: context.log,
  });
  const presence = startPresence(context, gate);
  await presence.announced;
  const stopListening = context.notifier.subscribe("cancel", undefined, () => leases.nudge());
  const { workerId, leaseMs } = settings;
  const look = createWorkerLook(context.db);
  const feed = startTurnFeed(
    { ...context, look, claimant: { workerId, leaseMs, guarantees: context.guarantees } },
    {
      gate,
      source,
      run: (turn, place) => runTurn(context, leases, turn, place),
      retry: (ticket) => retryTicket(context, ticket),
      promote: (ticket) => promoteTicket(context, ticket),
      giveUp: settings.giveUp,
    },
  );
  const builds = startBuildFeed(context, look);
  const memory = watchMemory({ gate, room: context.turnMemory.room, log: context.log });
  context.log.info(
    { worker: settings.workerId, slots: settings.slots, sandbox: context.driver.name },
    "worker.started",
  );

  return {
    get running() {
      return gate.taken;
    },
    get offered() {
      return gate.offered;
    },
    isolation: `${context.driver.name}, ${context.guarantees.isolated ? "isolated" : "NOT ISOLATED from this machine"}`,
    missing: context.missing ?? [],
    checks: {
      leases: () => leases.check(),
      feed: () => feed.check(),
      presence: () => presence.check(),
      memory: () => memory.check(),
      serving: () => (gate.closed ? Promise.reject(new Error("the worker is about to stop")) : Promise.resolve()),
    },
    async drain() {
      gate.close();
      presence.nudge();
      await Promise.all([context.pool?.close(), feed.stop(), builds.stop(), endTurns(gate, leases, settings)]);
      await feed.close();
      stopListening();
      await memory.stop();
      await leases.close();
      await presence.stop();
    },
  };
}

async function endTurns(
  gate: Gate,
  leases: LeaseKeeper,
  { graceMs, stopNow }: Pick<WorkerContext["settings"], "graceMs" | "stopNow">,
): Promise<void> {
  const emptied = gate.emptied();
  const grace = sleep(graceMs, undefined, { ref: false, ...(stopNow && { signal: stopNow }) });
  await Promise.race([emptied, grace.catch(() => undefined)]);
  leases.stopAll("released");
  await Promise.race([emptied, sleep(stopWithinMs + stopEachMs * gate.taken, undefined, { ref: false })]);
}

/** Runs one claimed turn. Never rejects. */
async function runTurn(context: WorkerContext, leases: LeaseKeeper, turn: ClaimedTurn, place: Place): Promise<TurnRun> {
  const lease = leases.hold(turn);
  try {
    const { result, released } = await executeTurn(context, turn, lease, place);
    return { settlement: settlementOf(result), released };
  } catch (error) {
    // Nothing was recorded: the lease expires, and the reaper ends the attempt.
    context.log.error({ err: error, session: turn.sessionId, message: turn.messageId }, "turn.not_recorded");
    return { settlement: { kind: "obsolete" }, released: Promise.resolve() };
  } finally {
    lease.release();
  }
}

function settlementOf(result: TurnResult | undefined): TurnSettlement {
  switch (result?.recorded) {
    case "completed":
    case "cancelled":
      return { kind: "completed" };
    case "failed":
      return { kind: "failed", reason: result.reason };
    case "retry":
      return { kind: "retry", reason: result.reason, delayMs: result.waitMs };
    // A suspended session is dispatched again once its input is answered.
    case "suspended":
    case "released":
    case undefined:
      return { kind: "obsolete" };
  }
}

/**
 * Retries a failed job for an operator. Rejects only if the platform fails, whatever state the message or session has.
 */
async function retryTicket(context: WorkerContext, ticket: TurnTicket): Promise<TurnSettlement> {
  const retry = await context.retryJob(ticket);
  context.log.info({ org: ticket.organizationId, message: ticket.messageId, ...retry }, "job.retry");
  return toRetrySettlement(retry);
}

async function promoteTicket(context: WorkerContext, ticket: TurnTicket): Promise<boolean> {
  const promoted = await context.promoteJob(ticket);
  const { organizationId: org, sessionId: session, messageId: message } = ticket;
  if (promoted) context.log.info({ org, session, message }, "job.promoted");
  return promoted;
}

/** Why a worker stops whose release is older than the one before the database's. */
const outdated =
  `this worker's release (${release}) may claim no turns of this database, which a later release has migrated; ` +
  "start a worker of the database's release or of the one before it";

async function freeBytesOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

interface Presence {
  /** Resolves with the first announcement. */
  readonly announced: Promise<void>;
  nudge(): void;
  /** Rejects if the last announcement is so old that the dispatcher ignores this worker. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

function startPresence(context: WorkerContext, gate: Gate): Presence {
  const { settings } = context;
  const stopping = new AbortController();
  let announcedAt = performance.now();
  let hasGivenUp = false;
  const announceNow = async (): Promise<void> => {
    const { availableBytes, neededBytes } = context.turnMemory.room();
    const isAccepted = await announceWorker(context.db, {
      id: settings.workerId,
      pool: settings.pool,
      slots: gate.closed ? settings.slots : gate.offered,
      draining: gate.closed,
      details: {
        pid: process.pid,
        sandbox: context.driver.name,
        guarantees: context.guarantees,
        missing: context.missing ?? [],
        minimumIsolation: context.minimumIsolation ?? "",
        memory: { availableBytes, neededBytes },
        startsMax,
        organizationMax: context.areProcessorsBusy?.() === true ? startsMax : null,
        clockMs: Date.now(),
        disk: { freeBytes: await freeBytesOf(settings.workDir) },
      },
    });
    announcedAt = performance.now();
    // Only once: a second signal would give running turns back.
    if (!isAccepted && !hasGivenUp) settings.giveUp(outdated);
    hasGivenUp ||= !isAccepted;
  };
  const announcing: Loop = loop({
    name: "announce-worker",
    everyMs: announceEveryMs,
    signal: stopping.signal,
    log: context.log,
    runOnce: announceNow,
  });
  return {
    announced: announceNow(),
    nudge: () => announcing.nudge(),
    check() {
      if (performance.now() - announcedAt <= announcedWithinMs) return Promise.resolve();
      return Promise.reject(new Error(`the worker has not reported to the database for ${announcedWithinMs} ms`));
    },
    async stop() {
      stopping.abort();
      await announcing.done;
      await removeWorker(context.db, settings.workerId).catch(() => undefined);
    },
  };
}
