// Lists an organization's budgets with their usage.

import type { BudgetRecord } from "@dari/contract";
import { renderPage, type Control, type PageOf } from "@dari/control/context";
import { budgets, type Page } from "@dari/db";
import { renderBudget } from "../views/budget.ts";

/** @throws AppError `invalid` for an unknown cursor. */
export async function listBudgets(control: Control, organizationId: string, page: Page): Promise<PageOf<BudgetRecord>> {
  return renderPage(await budgets.listBudgets(control.db, organizationId, page), renderBudget);
}
