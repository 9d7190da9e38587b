// Computes what a session's turns have used.

import type { SessionCost } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { usage } from "@dari/db";
import { limits } from "@dari/domain";
import { getSession } from "./get-session.ts";

/**
 * Returns the usage without amounts of money, because the platform does not know the prices of models. @throws AppError
 * `not_found`
 */
export async function getSessionCost(control: Control, actor: Actor, sessionId: string): Promise<SessionCost> {
  await getSession(control, actor, sessionId);
  const { organizationId } = actor;
  const max = limits.usageMessagesMax;
  const sums = await usage.sumSessionUsage(control.db, { organizationId, sessionId }, max);
  return {
    scope_kind: "session",
    scope_id: sessionId,
    event_count: sums.turns,
    total_cost_usd: null,
    messages: sums.messages,
    failed: sums.failed,
    turns: sums.turns,
    turn_seconds: Math.round(sums.turnSeconds * 1_000) / 1_000,
    tokens: sums.tokens,
    usage: sums.byName,
    is_cut: sums.isCut,
  };
}
