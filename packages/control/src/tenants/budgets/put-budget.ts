// Sets a limit on what turns may use in each period. A raised limit releases held sessions at once.

import type { BudgetRecord, PutBudgetRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { budgets } from "@dari/db";
import { agentIdFromWire, AppError, requireFound, invalidField, limits, newId, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { isOperator } from "../organizations/operators.ts";
import { renderBudget } from "../views/budget.ts";
import { resumeHeldSessions } from "./resume-held-sessions.ts";

/**
 * There is one budget per target, period and role that set it.
 * @throws AppError `not_found`, `invalid`; `conflict` if the maximum number is reached
 */
export async function putBudget(
  control: Control,
  actor: Actor,
  organizationId: string,
  request: PutBudgetRequest,
): Promise<BudgetRecord> {
  const { max_turns: maxTurns = null, max_turn_seconds: maxTurnSeconds = null, max_tokens: maxTokens = null } = request;
  if (maxTurns === null && maxTurnSeconds === null && maxTokens === null) {
    throw invalidField("max_turns", "expected at least one of max_turns, max_turn_seconds and max_tokens");
  }
  const target = targetOf(organizationId, request);
  const setBy = (await isOperator(control, actor)) ? "operator" : "organization";
  const caps = { maxTurns, maxTurnSeconds, maxTokens };
  const record = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const budget = {
        id: newId("budget"),
        organizationId,
        ...target,
        period: request.period,
        setBy,
        ...caps,
      } as const;
      const put = await budgets.putBudgetIfBelow(inside.db, budget, limits.budgetsPerOrganization);
      if (put.outcome !== "put") throw put.outcome === "full" ? tooMany(setBy) : notFound(target.scope);
      return renderBudget(requireFound(await budgets.findBudget(inside.db, organizationId, put.id), "budget"));
    },
    ({ id, scope, target_id }) => {
      return { action: "budget.put", target: id, organizationId, details: { scope, target_id, ...request } };
    },
  );
  await resumeHeldSessions(control, organizationId);
  return record;
}

function tooMany(setBy: "organization" | "operator"): AppError {
  const most = limits.budgetsPerOrganization;
  const what = setBy === "operator" ? "budgets of operators" : "budgets";
  return new AppError("conflict", `limit reached: ${most} ${what} per organization; delete one first`);
}

function targetOf(organizationId: string, { agent_id: agentId, session_id: sessionId }: PutBudgetRequest) {
  if (agentId !== undefined && sessionId !== undefined) {
    throw invalidField("session_id", "expected agent_id or session_id, not both");
  }
  if (agentId !== undefined) return { scope: "agent", targetId: agentIdFromWire(agentId) } as const;
  if (sessionId !== undefined) return { scope: "session", targetId: sessionId } as const;
  return { scope: "organization", targetId: organizationId } as const;
}
