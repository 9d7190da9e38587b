// One attempt of a turn, with the resources that it holds until it ends.

import type { OpenedWorkspace, SavedWorkspace } from "@dari/control/storage";
import type { Turn } from "@dari/control/turns";
import type { ClaimedTurn } from "@dari/db";
import type { PendingKeep } from "@dari/sandbox-pool";
import type { LentFiles } from "@dari/workspace";
import type { WorkerContext } from "../context.ts";
import type { Place } from "../capacity/gate.ts";
import type { HeldLease } from "./lease-keeper.ts";
import type { Stopwatch } from "./stopwatch.ts";

export interface Attempt {
  /** Once the turn is loaded, the context's logger removes the turn's secrets. */
  context: WorkerContext;
  readonly claimed: ClaimedTurn;
  readonly lease: HeldLease;
  readonly watch: Stopwatch;
  readonly place: Place;
  turn?: Turn;
  turnDir?: string;
  opened?: OpenedWorkspace;
  /** Files of the bundle that the agent sees in its workspace, and that are not saved. */
  lent?: LentFiles;
  /** The messages that steered this attempt. */
  readonly taken: string[];
  /** The objects of answers that this attempt has stored. */
  readonly answerObjects: string[];
  /** Set if the snapshot becomes the session's head, so that the disk is kept for the session's next turn. */
  saved?: SavedWorkspace;
  /** Set once the agent of a session that can keep its sandbox has ended. */
  kept?: PendingKeep | undefined;
}

/** An attempt whose workspace is restored. */
export interface RestoredAttempt extends Attempt {
  readonly turn: Turn;
  readonly turnDir: string;
  readonly opened: OpenedWorkspace;
}
