// Renders budgets for clients.

import type { BudgetRecord } from "@dari/contract";
import type { BudgetRow } from "@dari/db";

export function renderBudget(row: BudgetRow): BudgetRecord {
  return {
    id: row.id,
    // CHECK constraints limit these columns to the contract's values.
    scope: row.scope as BudgetRecord["scope"],
    target_id: row.targetId,
    period: row.period as BudgetRecord["period"],
    set_by: row.setBy as BudgetRecord["set_by"],
    max_turns: row.maxTurns,
    max_turn_seconds: row.maxTurnSeconds,
    max_tokens: row.maxTokens,
    turns: row.turns,
    turn_seconds: Math.round(row.turnSeconds * 1000) / 1000,
    tokens: row.tokens,
    is_exhausted: row.isOver,
    created_at: row.createdAt.toISOString(),
  };
}
