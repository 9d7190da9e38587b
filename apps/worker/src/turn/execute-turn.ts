// Runs one turn from its claim to its end, as docs/ARCHITECTURE.md describes. If the worker dies in between, at most an
// object without a row is left, and the reaper ends the attempt when its lease expires.

import type { ClaimedTurn } from "@dari/db";
import type { Place } from "../capacity/gate.ts";
import type { WorkerContext } from "../context.ts";
import type { ClaimedAttempt, ConcludedAttempt, LoadedAttempt } from "./attempt.ts";
import { AttemptCleanup } from "./attempt-cleanup.ts";
import { toErrorEnding, toStopEnding } from "./failures/choose-ending.ts";
import type { HeldLease } from "./lease-keeper.ts";
import { loadAttempt } from "./steps/load-attempt.ts";
import { recordEnd, type TurnResult } from "./steps/record-end.ts";
import { refuseTurn } from "./steps/refuse-turn.ts";
import { restoreWorkspace } from "./steps/restore-workspace.ts";
import { runAgent } from "./steps/run-agent.ts";
import { saveTurn } from "./steps/save-turn.ts";
import { startStopwatch } from "./stopwatch.ts";

export interface ExecutedTurn {
  /** The recorded result. Undefined if the claim was superseded. */
  readonly result: TurnResult | undefined;
  /** Resolves when the turn's disk is released. Only the slot's next turn waits for it. Never rejects. */
  readonly released: Promise<void>;
}

/** Executes a claimed turn in its place. If nothing could be recorded, releases the turn's disk and rejects. */
export async function executeTurn(
  worker: WorkerContext,
  claimed: ClaimedTurn,
  lease: HeldLease,
  place: Place,
): Promise<ExecutedTurn> {
  const cleanup = new AttemptCleanup();
  const concluded = await runSteps({ context: worker, claimed, lease, place, watch: startStopwatch(), cleanup });
  const { log } = concluded.attempt.context;
  try {
    const result = await recordEnd(concluded);
    const recorded = result?.recorded;
    const saved = recorded === "completed" || recorded === "suspended" ? concluded.saved : undefined;
    return { result, released: cleanup.run({ recorded, saved }, log, claimed.attemptId) };
  } catch (error) {
    await cleanup.run({ recorded: undefined, saved: undefined }, log, claimed.attemptId);
    throw error;
  }
}

/** Loads the claimed turn, restores its workspace, runs its agent and saves the workspace. Never rejects. */
async function runSteps(claimed: ClaimedAttempt): Promise<ConcludedAttempt> {
  let attempt: ClaimedAttempt | LoadedAttempt = claimed;
  try {
    const loaded = (attempt = await loadAttempt(claimed));
    const { context, turn, lease, watch } = loaded;
    const early = refuseTurn(context, turn) ?? toStopEnding(context, turn, lease);
    if (early !== undefined) return { attempt, input: early };

    using stack = new DisposableStack();
    const image = stack.adopt(await context.images.ensure(turn.image), (held) => held.release());
    watch.lap("image_ms");
    const restored = await restoreWorkspace(loaded, image.dir);
    watch.lap("restore_ms");
    const called = await runAgent(restored);
    return await saveTurn(called);
  } catch (error) {
    const { context, lease } = attempt;
    context.log.error(
      { err: error, session: claimed.claimed.sessionId, message: claimed.claimed.messageId },
      "turn.step_failed",
    );
    return { attempt, input: toErrorEnding(context, claimed.claimed, lease, error) };
  }
}
