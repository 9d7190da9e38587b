// Lists an organization's budgets and what is used of them.

import type { BudgetRecord } from "@dari/contract";
import { renderPage, type Control, type PageOf } from "@dari/control/context";
import { budgets, type Page } from "@dari/db";
import { renderBudget } from "../views/budget.ts";

/** @throws AppError `invalid` for a cursor that names none. */
export async function listBudgets(control: Control, organizationId: string, page: Page): Promise<PageOf<BudgetRecord>> {
  return renderPage(await budgets.listBudgets(control.db, organizationId, page), renderBudget);
}
