// What the two feeds of turns, from the queue and by direct pull, need from their worker.

import type { Claimant, ClaimedTurn } from "@dari/db";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import type { WorkerContext } from "./context.ts";
import type { Gate } from "./gate.ts";

export interface TurnRun {
  /** How the turn's job is settled. */
  readonly settlement: TurnSettlement;
  /** Resolves when the slot is free for another turn. The job does not wait for that. */
  readonly released: Promise<void>;
}

export interface TurnFeedParts {
  readonly gate: Gate;
  /** Absent if turns are only pulled from the database. */
  readonly source: TurnSource | undefined;
  /** Runs a claimed turn until its end is recorded. Never rejects. */
  readonly run: (turn: ClaimedTurn) => Promise<TurnRun>;
  /** Retries a failed job for an operator. */
  readonly retry: (ticket: TurnTicket) => Promise<TurnSettlement>;
  /** Promotes a delayed job for an operator. Returns whether its retry is due now. */
  readonly promote: (ticket: TurnTicket) => Promise<boolean>;
  /** Called when waiting jobs cannot be fetched without a restart. */
  readonly giveUp: (reason: string) => void;
  /** How long turns may wait without a job being fetched, in milliseconds (default: 10 s). */
  readonly silentMs?: number;
}

/** The part of the worker that both feeds use. */
export type FeedContext = Pick<WorkerContext, "db" | "log" | "notifier"> & { readonly claimant: Claimant };
