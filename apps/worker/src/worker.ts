// A worker: offers slots, fills them with turns, builds versions, and leaves without losing any.

import { announceWorker, removeWorker, type ClaimedTurn } from "@dari/control";
import type { TurnSettlement, TurnSource } from "@dari/queue";
import { loop } from "@dari/runtime";
import { setTimeout as sleep } from "node:timers/promises";
import { startBuildFeed } from "./build-feed.ts";
import type { WorkerContext } from "./context.ts";
import { executeTurn, type TurnResult } from "./execute-turn.ts";
import { createGate, type Gate } from "./gate.ts";
import { createLeaseKeeper, type LeaseKeeper } from "./lease-keeper.ts";
import { startTurnFeed } from "./turn-feed.ts";

export interface Worker {
  readonly running: number;
  /** In words for a person: the sandbox and whether it isolates. */
  readonly isolation: string;
  /** Takes nothing more, lets turns end within the grace, gives the rest back without using an attempt. */
  drain(): Promise<void>;
}

const announceEveryMs = 2_000;
/** For turns that were told to stop: kill, record, remove. Milliseconds. */
const stopWithinMs = 10_000;

export async function startWorker(context: WorkerContext, source: TurnSource | undefined): Promise<Worker> {
  const { settings } = context;
  const gate = createGate(settings.slots);
  const leases = createLeaseKeeper({
    db: context.db,
    leaseMs: settings.leaseMs,
    renewMs: settings.renewMs,
    log: context.log,
  });
  const presence = announce(context, () => gate.closed);
  await presence.announced;
  const stopListening = context.notifier.subscribe("cancel", undefined, () => leases.nudge());
  const feed = startTurnFeed(context, gate, source, (turn) => runTurn(context, leases, turn));
  const builds = startBuildFeed(context);
  context.log.info(
    { worker: settings.workerId, slots: settings.slots, sandbox: context.driver.name },
    "worker.started",
  );

  return {
    get running() {
      return settings.slots - gate.free;
    },
    isolation: `${context.driver.name}, ${context.guarantees.isolated ? "isolated" : "NOT ISOLATED from this machine"}`,
    async drain() {
      gate.close();
      presence.nudge();
      await Promise.all([feed.stop(), builds.stop(), endTurns(gate, leases, settings.graceMs)]);
      await feed.close();
      stopListening();
      await leases.close();
      await presence.stop();
    },
  };
}

async function endTurns(gate: Gate, leases: LeaseKeeper, graceMs: number): Promise<void> {
  const emptied = gate.emptied();
  await Promise.race([emptied, sleep(graceMs, undefined, { ref: false })]);
  leases.stopAll("released");
  await Promise.race([emptied, sleep(stopWithinMs, undefined, { ref: false })]);
}

/** Runs one claimed turn; never rejects. */
async function runTurn(context: WorkerContext, leases: LeaseKeeper, turn: ClaimedTurn): Promise<TurnSettlement> {
  const lease = leases.hold(turn);
  try {
    const result = await executeTurn(context, turn, lease);
    return settlementOf(result);
  } catch (error) {
    // Nothing was recorded: the lease expires, the reaper ends the attempt.
    context.log.error({ err: error, session: turn.sessionId, message: turn.messageId }, "turn.not_recorded");
    return { kind: "obsolete" };
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
    case "released":
    case undefined:
      return { kind: "obsolete" };
  }
}

function announce(
  context: WorkerContext,
  draining: () => boolean,
): { announced: Promise<void>; nudge(): void; stop(): Promise<void> } {
  const { settings } = context;
  const stopping = new AbortController();
  const say = (): Promise<void> =>
    announceWorker(context.db, {
      id: settings.workerId,
      pool: settings.pool,
      slots: settings.slots,
      draining: draining(),
      details: { pid: process.pid, sandbox: context.driver.name, guarantees: context.guarantees },
    });
  const saying = loop({
    name: "announce-worker",
    everyMs: announceEveryMs,
    signal: stopping.signal,
    log: context.log,
    runOnce: say,
  });
  return {
    announced: say(),
    nudge: () => saying.nudge(),
    async stop() {
      stopping.abort();
      await saying.done;
      await removeWorker(context.db, settings.workerId).catch(() => undefined);
    },
  };
}
