// Gets turns from the queue: takes a job when a slot is free, claims its turn, and settles the job by the turn's end.

import { claimTurn, type TurnClaim } from "@dari/control/turns";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import { setTimeout as sleep } from "node:timers/promises";
import type { FeedContext, TurnFeedParts, TurnRun } from "./turn-feed-parts.ts";

const errorPauseMs = 500;
/** How long a job that cannot run yet is delayed, in milliseconds. */
const lookAgainMs = 100;

type JobFeedParts = TurnFeedParts & { readonly source: TurnSource };

export interface JobFeed {
  /** When a fetch last returned, or the gate was closed, by the process's own clock in milliseconds. */
  readonly turnedAt: number;
  readonly done: Promise<void>;
}

export function fetchJobs(context: FeedContext, parts: JobFeedParts, signal: AbortSignal): JobFeed {
  const feed = { turnedAt: performance.now() };
  const done = run(context, parts, signal, () => (feed.turnedAt = performance.now()));
  return {
    get turnedAt() {
      return feed.turnedAt;
    },
    done,
  };
}

async function run(context: FeedContext, parts: JobFeedParts, signal: AbortSignal, turned: () => void): Promise<void> {
  const { gate, source } = parts;
  while (!signal.aborted) {
    await gate.opened();
    turned();
    if (signal.aborted) return;
    try {
      const ticket = await source.next();
      turned();
      if (ticket === undefined) continue;
      const leave = signal.aborted ? undefined : gate.tryEnter();
      if (leave === undefined) {
        // Direct pull has taken the slot, or this worker stops. Another worker may have a slot.
        await ticket.settle({ kind: "later", delayMs: signal.aborted ? 1 : lookAgainMs });
        continue;
      }
      void runTicket(context, ticket, parts, signal).finally(leave);
    } catch (error) {
      if (signal.aborted) return;
      if (source.available) context.log.warn({ err: error }, "feed.fetch_failed");
      await sleep(errorPauseMs);
    }
  }
}

async function runTicket(
  context: FeedContext,
  ticket: TurnTicket,
  parts: JobFeedParts,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { settlement, released } = await runOf(context, ticket, parts, signal);
    await Promise.all([ticket.settle(settlement), released]);
  } catch (error) {
    // The job is tried again. If this claim does exist, its lease expires and the reaper ends it.
    context.log.warn({ err: error, session: ticket.sessionId }, "feed.claim_failed");
    await ticket.settle({ kind: "later", delayMs: errorPauseMs });
  }
}

async function runOf(
  context: FeedContext,
  ticket: TurnTicket,
  parts: JobFeedParts,
  signal: AbortSignal,
): Promise<TurnRun> {
  const waiting = { log: context.log, signal };
  const first = await claimTurn(context.db, ticket, context.claimant, waiting);
  const isPromoted = first.outcome === "early" && ticket.cameEarly && (await parts.promote(ticket));
  const claim = isPromoted ? await claimTurn(context.db, ticket, context.claimant, waiting) : first;
  if (claim.outcome === "claimed") return parts.run(claim.turn);
  return { settlement: await settlementOf(claim, ticket, parts), released: Promise.resolve() };
}

/** Returns how to settle a job without a turn. */
async function settlementOf(
  claim: Exclude<TurnClaim, { outcome: "claimed" }>,
  ticket: TurnTicket,
  parts: JobFeedParts,
): Promise<TurnSettlement> {
  switch (claim.outcome) {
    case "early":
    case "held":
      // The row decides when a retry is due: another machine's clock may have released the job too early.
      return { kind: "later", delayMs: Math.max(claim.waitMs, lookAgainMs) };
    case "stale":
      return ticket.wasFailed ? parts.retry(ticket) : { kind: "obsolete" };
  }
}
