// Gets turns from the queue: fetches a job when a slot is free, claims its turn, runs the turn, and settles the job.

import { claimTurn, type TurnClaim } from "@dari/control/turns";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import { setTimeout as sleep } from "node:timers/promises";
import type { Place } from "../capacity/gate.ts";
import type { FeedContext, TurnFeedParts, TurnRun } from "./turn-feed-parts.ts";

const errorPauseMs = 500;
/** How long a job that cannot run yet is delayed, in milliseconds. */
const retryJobAfterMs = 100;

type JobFeedParts = TurnFeedParts & { readonly source: TurnSource };

interface TicketParts extends JobFeedParts {
  readonly place: Place;
}

export interface JobFeed {
  /** When the loop last made progress: a fetch returned, or the gate opened. By `performance.now()`. */
  readonly progressAt: number;
  readonly done: Promise<void>;
}

export function fetchJobs(context: FeedContext, parts: JobFeedParts, signal: AbortSignal): JobFeed {
  const feed = { progressAt: performance.now() };
  const done = run(context, parts, signal, () => (feed.progressAt = performance.now()));
  return {
    get progressAt() {
      return feed.progressAt;
    },
    done,
  };
}

async function run(
  context: FeedContext,
  parts: JobFeedParts,
  signal: AbortSignal,
  onProgress: () => void,
): Promise<void> {
  const { gate, source } = parts;
  while (!signal.aborted) {
    await gate.opened();
    onProgress();
    if (signal.aborted) return;
    try {
      const ticket = await source.next();
      onProgress();
      if (ticket === undefined) continue;
      const place = signal.aborted ? undefined : gate.tryEnter();
      if (place === undefined) {
        // A direct pull has taken the slot, or this worker stops. Return the job: another worker may have a free slot.
        await ticket.settle({ kind: "later", delayMs: signal.aborted ? 1 : retryJobAfterMs });
        continue;
      }
      void runTicket(context, ticket, { ...parts, place }, signal).finally(place.leave);
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
  parts: TicketParts,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { settlement, released } = await claimAndRun(context, ticket, parts, signal);
    await Promise.all([ticket.settle(settlement), released]);
  } catch (error) {
    // Retry the job. If the claim was committed although the call failed, its lease expires and the reaper ends it.
    context.log.warn({ err: error, session: ticket.sessionId }, "feed.claim_failed");
    await ticket.settle({ kind: "later", delayMs: errorPauseMs });
  }
}

async function claimAndRun(
  context: FeedContext,
  ticket: TurnTicket,
  parts: TicketParts,
  signal: AbortSignal,
): Promise<TurnRun> {
  const waiting = { log: context.log, signal };
  const first = await claimTurn(context.db, ticket, context.claimant, waiting);
  const isPromoted = first.outcome === "early" && ticket.cameEarly && (await parts.promote(ticket));
  const claim = isPromoted ? await claimTurn(context.db, ticket, context.claimant, waiting) : first;
  if (claim.outcome === "claimed") return parts.run(claim.turn, parts.place);
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
      return { kind: "later", delayMs: Math.max(claim.waitMs, retryJobAfterMs) };
    case "outdated":
      // Another worker runs it. This one stops soon (see worker.ts).
      return { kind: "later", delayMs: errorPauseMs };
    case "stale":
      return ticket.wasFailed ? parts.retry(ticket) : { kind: "obsolete" };
  }
}
