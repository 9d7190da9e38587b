// Deletes a budget and releases the sessions that it held back.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { budgets } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { isOperator } from "../organizations/operators.ts";
import { resumeHeldSessions } from "./resume-held-sessions.ts";

/** @throws AppError `not_found`; `forbidden` if an operator set the budget and the caller is not one. */
export async function deleteBudget(
  control: Control,
  actor: Actor,
  organizationId: string,
  budgetId: string,
): Promise<Deleted> {
  const byOperator = await isOperator(control, actor);
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      if (await budgets.deleteBudgetIfAllowed(inside.db, organizationId, budgetId, byOperator)) return;
      requireFound(await budgets.findBudget(inside.db, organizationId, budgetId), "budget");
      throw new AppError("forbidden", "operators set this budget; only operators can change it");
    },
    () => ({ action: "budget.delete", target: budgetId, organizationId }),
  );
  await resumeHeldSessions(control, organizationId);
  return { deleted: true, id: budgetId };
}
