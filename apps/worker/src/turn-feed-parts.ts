// What the two feeds of turns, from the queue and by direct pull, need from their worker.

import type { Claimant, ClaimedTurn } from "@dari/db";
import type { TurnSettlement, TurnSource, TurnTicket } from "@dari/queue";
import type { WorkerContext } from "./context.ts";
import type { Gate } from "./gate.ts";

export interface TurnRun {
  /** How its job is settled. */
  readonly settlement: TurnSettlement;
  /** When its slot is free for another turn: its job does not wait for that. */
  readonly left: Promise<void>;
}

export interface TurnFeedParts {
  readonly gate: Gate;
  /** Absent: direct pull only. */
  readonly source: TurnSource | undefined;
  /** Runs a claimed turn until its end is recorded; never rejects. */
  readonly run: (turn: ClaimedTurn) => Promise<TurnRun>;
  /** Carries out an operator's retry of a failed job. */
  readonly retry: (ticket: TurnTicket) => Promise<TurnSettlement>;
  /** Carries out an operator's promotion of a delayed job; answers whether its retry is due now. */
  readonly promote: (ticket: TurnTicket) => Promise<boolean>;
  /** Called when jobs wait that cannot be fetched, whatever is tried here: only a new process may help. */
  readonly giveUp: (reason: string) => void;
  /** How long no job may come while turns wait. Milliseconds; default 10 s. */
  readonly silentMs?: number;
}

/** What both feeds need of their worker. */
export type FeedContext = Pick<WorkerContext, "db" | "log" | "notifier"> & { readonly claimant: Claimant };
