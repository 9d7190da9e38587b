// Loads a claimed turn with its secrets.

import { loadTurn } from "@dari/control/turns";
import type { ClaimedAttempt, LoadedAttempt } from "../attempt.ts";
import type { AttemptOutcome } from "../attempt-cleanup.ts";
import { createScrubbedLogger } from "../scrub/scrub-turn.ts";

export async function loadAttempt(attempt: ClaimedAttempt): Promise<LoadedAttempt> {
  const { claimed, cleanup } = attempt;
  // Tell clients that follow the session that its message is running.
  attempt.context.notifier.notify("session", claimed.sessionId);
  const turn = await loadTurn(attempt.context, claimed);
  const context = { ...attempt.context, log: createScrubbedLogger(attempt.context.log, turn.scrubber) };
  const answerObjects = turn.recordedAnswers.map(({ objectKey }) => objectKey);
  const loaded = { ...attempt, context, turn, answerObjects };
  cleanup.defer("turn.recorded_answers_left", (outcome) => deleteAnswers(loaded, outcome));
  return loaded;
}

/** How a turn's end is recorded if its message has ended with it. */
const endings: readonly (string | undefined)[] = ["completed", "failed", "cancelled"];

/**
 * Deletes the objects whose rows went with the message's end, in the background. If the process dies before, the
 * store's sweep does, and also if rows may have become a recording. Those that a replay answers from belong to another
 * message.
 */
function deleteAnswers({ context, turn, answerObjects: keys }: LoadedAttempt, { recorded }: AttemptOutcome): void {
  if (!endings.includes(recorded) || keys.length === 0) return;
  if (recorded === "completed" && typeof turn.manifest.retries.record_answers === "object") return;
  void context.workspaces.blobs.delete(keys).catch((error: unknown) => {
    context.log.warn({ err: error, message: turn.messageId, objects: keys.length }, "turn.recorded_answers_left");
  });
}
