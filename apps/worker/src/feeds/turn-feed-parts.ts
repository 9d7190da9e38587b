// What the worker gives to its two feeds of turns, which fetch jobs from the queue and pull turns from the database.

import type { WorkerLook } from "@dari/control/turns";
import type { Claimant, ClaimedTurn } from "@dari/db";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import type { WorkerContext } from "../context.ts";
import type { Gate, Place } from "../capacity/gate.ts";

export interface TurnRun {
  /** How to settle the turn's job. */
  readonly settlement: TurnSettlement;
  /** Resolves when the slot is free for another turn, which can be later than the end of the job. */
  readonly released: Promise<void>;
}

export interface TurnFeedParts {
  readonly gate: Gate;
  /** Absent if turns are only pulled from the database. */
  readonly source: TurnSource | undefined;
  /** Runs a claimed turn in its place until its end is recorded. The caller then leaves the place. Never rejects. */
  readonly run: (turn: ClaimedTurn, place: Place) => Promise<TurnRun>;
  /** Retries a failed job for an operator. */
  readonly retry: (ticket: TurnTicket) => Promise<TurnSettlement>;
  /** Promotes a delayed job for an operator. Returns whether its retry is due now. */
  readonly promote: (ticket: TurnTicket) => Promise<boolean>;
  /** Called when waiting jobs cannot be fetched without a restart. */
  readonly giveUp: (reason: string) => void;
  /** How long turns may wait without a job being fetched, in milliseconds (default: 10 s). */
  readonly silentMs?: number;
  /** The interval at which that is checked, in milliseconds (default: 1 s). */
  readonly checkEveryMs?: number;
}

/** The part of the worker that both feeds use. */
export type FeedContext = Pick<WorkerContext, "db" | "log" | "notifier"> & {
  readonly claimant: Claimant;
  readonly look: WorkerLook;
};
