// One attempt at a turn, with a type for each stage. A step takes a stage and returns the next one.

import type { OpenedWorkspace, SavedWorkspace } from "@dari/control/storage";
import type { AskedLimit, Turn } from "@dari/control/turns";
import type { ClaimedTurn, FinishInput } from "@dari/db";
import type { Failure } from "@dari/domain";
import type { AskedInput, OutputPart, Usage } from "@dari/harness";
import type { LentFiles } from "@dari/workspace";
import type { Place } from "../capacity/gate.ts";
import type { WorkerContext } from "../context.ts";
import type { AttemptCleanup } from "./attempt-cleanup.ts";
import type { HeldLease } from "./lease-keeper.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** The claim is held. */
export interface ClaimedAttempt {
  readonly context: WorkerContext;
  readonly claimed: ClaimedTurn;
  readonly lease: HeldLease;
  readonly place: Place;
  readonly watch: Stopwatch;
  /** What the steps must do once the attempt's end is recorded. */
  readonly cleanup: AttemptCleanup;
}

/** The turn is loaded. From now on, the context's logger removes the turn's secrets. */
export interface LoadedAttempt extends ClaimedAttempt {
  readonly turn: Turn;
  /** Objects of the message's recorded answers. The attempt adds those that it stores. */
  readonly answerObjects: string[];
}

/** The image is unpacked and the workspace is restored. */
export interface RestoredAttempt extends LoadedAttempt {
  readonly imageDir: string;
  readonly turnDir: string;
  readonly opened: OpenedWorkspace;
  /** Files of the bundle that the agent sees in its workspace, and that are not saved. */
  readonly lent: LentFiles;
}

/** The agent has ended. No process of it can reach the workspace. */
export interface CalledAttempt extends RestoredAttempt {
  readonly ending: AgentEnding;
}

/** How the attempt ends is known, but not yet recorded. Every earlier stage can lead here. */
export interface ConcludedAttempt {
  readonly attempt: ClaimedAttempt | LoadedAttempt;
  readonly input: FinishInput;
  /** Set if the session's next turn starts from this snapshot once the end is recorded. */
  readonly saved?: SavedWorkspace | undefined;
}

export type AgentEnding = (
  | {
      readonly kind: "completed";
      readonly parts: readonly OutputPart[];
      /** Connections that were refused or failed. */
      readonly lostConnections: readonly string[];
    }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "suspended"; readonly asked: AskedInput }
  /** Stopped at a limit of the message, which asks for a higher one. `failure`: how it ends if the limit stays. */
  | { readonly kind: "limited"; readonly asked: AskedLimit; readonly failure: Failure }
  /** Cancelled, superseded or released: the lease's signal says which. `partialParts`: the agent's output so far. */
  | { readonly kind: "stopped"; readonly partialParts: readonly OutputPart[] }
) & {
  readonly usage?: Usage | undefined;
  /** How many of the messages that the attempt took have reached the agent. Undefined: all. */
  readonly delivered?: number | undefined;
};
