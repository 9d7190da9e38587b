// Computes how a turn ends that did not complete: after a failure, or because it was stopped.

import type { ClaimedTurn, FinishInput } from "@dari/db";
import { backoffMs, defaultBackoff, failure, isRetryable, type Failure } from "@dari/domain";
import type { HeldLease, StopReason } from "../lease-keeper.ts";
import { classifyFailure } from "./classify-failure.ts";

interface EndingContext {
  readonly settings: { readonly backoffFirstMs: number };
}

/** Returns how a turn ends after a failure: retryable failures end in a retry with its backoff. */
export function toFailureEnding(context: EndingContext, claimed: ClaimedTurn, cause: Failure): FinishInput {
  if (!isRetryable(cause.code)) return { ending: "failed", failure: cause };
  const policy = { ...defaultBackoff, firstMs: context.settings.backoffFirstMs };
  // Claims that ended before the agent was called count for the backoff too.
  const tries = claimed.attemptNumber + claimed.uncountedClaims;
  return { ending: "retry", failure: cause, waitMs: backoffMs(tries, policy, Math.random()) };
}

/**
 * Returns how a stopped turn ends, or undefined if nothing stopped it. If the lease was lost and another worker has
 * claimed the turn, the database ignores this ending. If the reaper has not seen the lost lease yet, the attempt
 * counts, as it would in the reaper, and the retry waits for its backoff.
 */
export function toStopEnding(
  context: EndingContext,
  claimed: ClaimedTurn,
  lease: Pick<HeldLease, "signal">,
): FinishInput | undefined {
  if (!lease.signal.aborted) return undefined;
  switch (lease.signal.reason as StopReason) {
    case "cancelled":
      return { ending: "cancelled" };
    case "released":
      return { ending: "released" };
    case "lost":
      return toFailureEnding(context, claimed, failure("worker_lost"));
  }
}

/** Returns how a turn ends after a step has thrown. If the turn was stopped, the error follows from that. */
export function toErrorEnding(
  context: EndingContext,
  claimed: ClaimedTurn,
  lease: Pick<HeldLease, "signal">,
  error: unknown,
): FinishInput {
  return toStopEnding(context, claimed, lease) ?? toFailureEnding(context, claimed, classifyFailure(error));
}
