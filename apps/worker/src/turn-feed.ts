// Brings turns to free slots: from the queue while it answers, by direct pull otherwise. Both feed one gate.

import { claimTurn, isDispatchLed, pullTurn, type Claimant, type ClaimedTurn } from "@dari/control";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import { loop } from "@dari/runtime";
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkerContext } from "./context.ts";
import type { Gate } from "./gate.ts";

/** Runs a claimed turn to its end and says how its job is settled. */
export type RunTurn = (turn: ClaimedTurn) => Promise<TurnSettlement>;

/** With a queue configured, workers pull once it has been away this long. Milliseconds. */
const queueAwayMs = 1_000;
const pullEveryMs = 250;
const leadCheckEveryMs = 1_000;
const errorPauseMs = 500;
/** Before a job is looked at again that cannot run yet. Milliseconds. */
const lookAgainMs = 100;

export interface TurnFeed {
  /** Fetches nothing more; jobs that run keep their locks. */
  stop(): Promise<void>;
  /** Gives up the queue, once no job runs any more. */
  close(): Promise<void>;
}

export function startTurnFeed(
  context: WorkerContext,
  gate: Gate,
  source: TurnSource | undefined,
  run: RunTurn,
): TurnFeed {
  const stopping = new AbortController();
  const claimant: Claimant = {
    workerId: context.settings.workerId,
    leaseMs: context.settings.leaseMs,
    guarantees: context.guarantees,
  };
  const fetching =
    source === undefined ? Promise.resolve() : fetchJobs(context, gate, source, claimant, run, stopping.signal);
  const pulling = startPulling(context, gate, source, claimant, run, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      pulling.stop();
      await pulling.done;
    },
    async close() {
      await source?.close();
      // A fetch that waits for a Redis that is away never returns; the closed source delivers nothing.
      await Promise.race([fetching, sleep(1_000, undefined, { ref: false })]);
    },
  };
}

async function fetchJobs(
  context: WorkerContext,
  gate: Gate,
  source: TurnSource,
  claimant: Claimant,
  run: RunTurn,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await gate.opened();
    if (signal.aborted) return;
    try {
      const ticket = await source.next();
      if (ticket === undefined) continue;
      if (signal.aborted) {
        await ticket.settle({ kind: "later", delayMs: 1 });
        return;
      }
      const leave = gate.tryEnter();
      if (leave === undefined) {
        // Direct pull has taken the slot; another worker may have one.
        await ticket.settle({ kind: "later", delayMs: lookAgainMs });
        continue;
      }
      void runTicket(context, ticket, claimant, run).finally(leave);
    } catch (error) {
      if (signal.aborted) return;
      context.log.warn({ err: error }, "feed.fetch_failed");
      await sleep(errorPauseMs);
    }
  }
}

async function runTicket(context: WorkerContext, ticket: TurnTicket, claimant: Claimant, run: RunTurn): Promise<void> {
  try {
    const claim = await claimTurn(context.db, ticket, claimant);
    if (claim.outcome === "stale") await ticket.settle({ kind: "obsolete" });
    else if (claim.outcome !== "claimed")
      await ticket.settle({ kind: "later", delayMs: Math.max(claim.waitMs, lookAgainMs) });
    else await ticket.settle(await run(claim.turn));
  } catch (error) {
    // The job is looked at again; if this claim exists after all, its lease expires and the reaper ends it.
    context.log.warn({ err: error, session: ticket.sessionId }, "feed.claim_failed");
    await ticket.settle({ kind: "later", delayMs: errorPauseMs });
  }
}

function startPulling(
  context: WorkerContext,
  gate: Gate,
  source: TurnSource | undefined,
  claimant: Claimant,
  run: RunTurn,
  signal: AbortSignal,
): { done: Promise<void>; stop(): void } {
  let awaySince: number | undefined;
  let told = false;
  let ledSeenAt = performance.now();
  const mayPull = async (): Promise<boolean> => {
    if (source === undefined || told) return true;
    if (!source.available) {
      awaySince ??= performance.now();
      return performance.now() - awaySince >= queueAwayMs;
    }
    awaySince = undefined;
    // A queue that works is no use while nobody fills it.
    if (performance.now() - ledSeenAt < leadCheckEveryMs) return false;
    const led = await isDispatchLed(context.db);
    if (led) ledSeenAt = performance.now();
    return !led;
  };
  const pulling = loop({
    name: "pull-turns",
    everyMs: pullEveryMs,
    signal,
    log: context.log,
    async runOnce() {
      const pull = await mayPull();
      told = false;
      while (pull && gate.free > 0) {
        const leave = gate.tryEnter();
        if (leave === undefined) return;
        const turn = await pullTurn(context.db, claimant).catch((error: unknown) => {
          leave();
          throw error;
        });
        if (turn === undefined) {
          leave();
          return;
        }
        void run(turn).finally(leave);
      }
    },
  });
  const unsubscribe = context.notifier.subscribe("dispatched", undefined, () => {
    told = true;
    pulling.nudge();
  });
  return { done: pulling.done, stop: unsubscribe };
}
