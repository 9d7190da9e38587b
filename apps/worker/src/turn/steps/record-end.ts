// Records the end of a turn in one transaction.

import { finishTurn } from "@dari/control/turns";
import type { FinishResult } from "@dari/db";
import type { ConcludedAttempt } from "../attempt.ts";
import { scrubEnding } from "../scrub/scrub-turn.ts";

export interface TurnResult extends FinishResult {
  /** Why the turn failed, for operators; empty if it did not. */
  readonly reason: string;
  /** Milliseconds until the next attempt, if there is one. */
  readonly waitMs: number;
}

/** Returns undefined if the claim was superseded. */
export async function recordEnd({ attempt, ...concluded }: ConcludedAttempt): Promise<TurnResult | undefined> {
  const { context, claimed, watch } = attempt;
  const turn = "turn" in attempt ? attempt.turn : undefined;
  const input = turn === undefined ? concluded.input : scrubEnding(turn.scrubber, concluded.input);
  const timings = { queue_ms: turn?.queuedMs ?? 0, ...watch.laps() };
  const result = await finishTurn(context, claimed, claimed.organizationId, { ...input, timings });
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
