// Runs one turn from its claim to its end, as docs/ARCHITECTURE.md describes. If the worker dies in between, at most an
// object without a row is left, and the reaper ends the attempt when its lease expires.

import { openWorkspace } from "@dari/control/storage";
import { finishTurn, loadTurn, type Turn } from "@dari/control/turns";
import type { ClaimedTurn, FinishInput, FinishResult } from "@dari/db";
import type { Attempt, RestoredAttempt } from "./attempt.ts";
import { classifyFailure } from "./failures/classify-failure.ts";
import type { WorkerContext } from "../context.ts";
import { toFailureEnding, toStopEnding } from "./failures/choose-ending.ts";
import type { Place } from "../capacity/gate.ts";
import type { HeldLease } from "./lease-keeper.ts";
import { lendBundleFiles } from "./steps/lend-bundle-files.ts";
import { refuseTurn } from "./steps/refuse-turn.ts";
import { runAgent } from "./steps/run-agent.ts";
import { saveTurn } from "./steps/save-turn.ts";
import { createScrubbedLogger, scrubEnding } from "./scrub/scrub-turn.ts";
import { startStopwatch } from "./stopwatch.ts";

export interface TurnResult extends FinishResult {
  /** Why the turn failed, for operators; empty if it did not. */
  readonly reason: string;
  /** Milliseconds until the next attempt, if there is one. */
  readonly waitMs: number;
}

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
  const attempt: Attempt = { context: worker, claimed, lease, place, watch: startStopwatch(), ...nothingYet() };
  try {
    const input = await runSteps(attempt).catch((error: unknown) => inputOfError(attempt, error));
    const result = await finish(attempt, input);
    const { saved, kept } = attempt;
    if (result?.recorded === "completed" && saved !== undefined) kept?.confirm(saved.snapshot.id);
    if (result !== undefined && endings.includes(result.recorded)) {
      deleteAnswers(attempt, result.recorded === "completed");
    }
    const isCommitted = result?.recorded === "completed" || result?.recorded === "suspended";
    return { result, released: releaseDisk(attempt, isCommitted) };
  } catch (error) {
    await releaseDisk(attempt, false);
    throw error;
  }
}

const nothingYet = (): Pick<Attempt, "taken" | "answerObjects"> => ({ taken: [], answerObjects: [] });

/** How a turn's end is recorded if its message has ended with it. */
const endings: readonly string[] = ["completed", "failed", "cancelled"];

/**
 * Deletes the objects whose rows went with the message's end. If the process dies before, the store's sweep does, and
 * also if rows may have become a recording. Those that a replay answers from belong to another message.
 */
function deleteAnswers({ context, turn, answerObjects }: Attempt, isCompleted: boolean): void {
  if (isCompleted && typeof turn?.manifest.retries.record_answers === "object") return;
  const keys = [...answerObjects, ...(turn?.recordedAnswers ?? []).map(({ objectKey }) => objectKey)];
  if (keys.length === 0) return;
  void context.workspaces.blobs.delete(keys).catch((error: unknown) => {
    context.log.warn({ err: error, message: turn?.messageId, objects: keys.length }, "turn.answers_left");
  });
}

/** Loads the claimed turn, restores its workspace, runs its agent and saves the workspace. */
async function runSteps(attempt: Attempt): Promise<FinishInput> {
  const { claimed, lease, watch } = attempt;
  // Tell clients that follow the session that its message is running.
  attempt.context.notifier.notify("session", claimed.sessionId);
  const turn = (attempt.turn = await loadTurn(attempt.context, claimed));
  const context = (attempt.context = {
    ...attempt.context,
    log: createScrubbedLogger(attempt.context.log, turn.scrubber),
  });
  const early = refuseTurn(context, turn) ?? toStopEnding(context, turn, lease);
  if (early !== undefined) return early;

  const image = await context.images.ensure(turn.image);
  try {
    watch.lap("image_ms");
    const restored = await restore(attempt, turn, image.dir);
    watch.lap("restore_ms");
    const ending = await runAgent(restored, image.dir);
    return { ...(await saveTurn(restored, ending)), delivered: ending.delivered };
  } finally {
    image.release();
  }
}

async function restore(attempt: Attempt, turn: Turn, imageDir: string): Promise<RestoredAttempt> {
  const { context } = attempt;
  const turnDir = (attempt.turnDir = context.turnDirectories.allocate());
  const opened = (attempt.opened = await openWorkspace(context.workspaces, turn, turnDir));
  if (opened.restoredFrom !== undefined) {
    const { sessionId: session, headSnapshotId: head } = turn;
    context.log.error({ session, head, restored: opened.restoredFrom }, "workspace.restored_from_older");
  }
  attempt.lent = await lendBundleFiles(context, turn.organizationId, imageDir, turnDir);
  return Object.assign(attempt, { turn, turnDir, opened });
}

function inputOfError({ context, claimed, lease }: Attempt, error: unknown): FinishInput {
  context.log.error({ err: error, session: claimed.sessionId, message: claimed.messageId }, "turn.step_failed");
  return toStopEnding(context, claimed, lease) ?? toFailureEnding(context, claimed, classifyFailure(error));
}

/** Records the end of the turn in one transaction. */
async function finish(
  { context, claimed, turn, watch, taken }: Attempt,
  unscrubbed: FinishInput,
): Promise<TurnResult | undefined> {
  const input = turn === undefined ? unscrubbed : scrubEnding(turn.scrubber, unscrubbed);
  const timings = { queue_ms: turn?.queuedMs ?? 0, ...watch.laps() };
  const result = await finishTurn(context, claimed, claimed.organizationId, { ...input, timings });
  for (const messageId of taken) context.notifier.notify("message", messageId);
  watch.lap("commit_ms");
  context.log.info(
    {
      org: claimed.organizationId,
      agent: turn?.agentId,
      agent_name: turn?.manifest.name,
      session: claimed.sessionId,
      message: claimed.messageId,
      attempt: claimed.attemptId,
      fence: claimed.fence,
      ending: input.ending,
      recorded: result?.recorded ?? "superseded",
      code: input.failure?.code,
      ...timings,
      ...watch.laps(),
    },
    "turn.finished",
  );
  if (result === undefined) return undefined;
  // The queue stores the reason. So use only the code: an agent's error text can contain secrets.
  const refused = input.ending === "completed" && result.recorded === "failed" ? "storage_quota" : "";
  return { ...result, reason: input.failure?.code ?? refused, waitMs: input.waitMs ?? 0 };
}

/** Keeps the disk for the session's next turn if its snapshot is the head, and closes it otherwise. Never rejects. */
async function releaseDisk(
  { context, claimed, turnDir, opened, saved, kept }: Attempt,
  isCommitted: boolean,
): Promise<void> {
  kept?.discard();
  const attempt = claimed.attemptId;
  const released = isCommitted && saved !== undefined ? opened?.disk.keep(saved.tree) : opened?.disk.close();
  await released?.catch((error: unknown) => context.log.warn({ err: error, attempt }, "turn.disk_not_kept"));
  if (turnDir === undefined) return;
  await context.turnDirectories.release(turnDir).catch((error: unknown) => {
    context.log.warn({ err: error, attempt }, "turn.directory_left");
  });
}
