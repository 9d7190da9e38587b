// Computes what a session's turns have used.

import type { SessionCost } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { usage } from "@dari/db";
import { limits, microPerDollar } from "@dari/domain";
import { getSession } from "./get-session.ts";

/** @throws AppError `not_found` */
export async function getSessionCost(control: Control, actor: Actor, sessionId: string): Promise<SessionCost> {
  await getSession(control, actor, sessionId);
  const { organizationId } = actor;
  const max = limits.usageMessagesMax;
  const sums = await usage.sumSessionUsage(control.db, { organizationId, sessionId }, max);
  return {
    scope_kind: "session",
    scope_id: sessionId,
    event_count: sums.turns,
    total_cost_usd: renderTotalCost(sums),
    messages: sums.messages,
    failed: sums.failed,
    turns: sums.turns,
    turn_seconds: Math.round(sums.turnSeconds * 1_000) / 1_000,
    tokens: sums.tokens,
    metered_requests: sums.meteredRequests,
    metered_tokens: sums.meteredTokens,
    metered_cost_microusd: sums.meteredCost,
    unpriced_requests: sums.unpricedRequests,
    usage: sums.byName,
    is_cut: sums.isCut,
  };
}

/** A sum without some of its requests is no total. */
function renderTotalCost({ meteredCost, unpricedRequests, isCut }: usage.SessionUsage): string | null {
  return meteredCost === null || unpricedRequests > 0 || isCut ? null : (meteredCost / microPerDollar).toFixed(6);
}
