// Limits on what turns use per period, and the stop of all turns.

import Type from "typebox";
import type { Route } from "./route.ts";
import * as budgets from "../schemas/budgets.ts";
import { Deleted, listOf, listQuery } from "../schemas/common.ts";

export const budgetRoutes = {
  listBudgets: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/budgets",
    scope: "admin",
    allowsOperators: true,
    summary: "List the organization's budgets and how much of each is used, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("budgets", budgets.BudgetRecord),
    status: 200,
  },
  putBudget: {
    method: "PUT",
    path: "/v1/organizations/{organization_id}/budgets",
    scope: "admin",
    allowsOperators: true,
    summary:
      "Set a budget: what the turns of an organization, an agent or a session may use per period. When it is used " +
      "up, messages wait; they continue when you raise it or the next period starts.",
    request: budgets.PutBudgetRequest,
    reply: budgets.BudgetRecord,
    status: 200,
  },
  deleteBudget: {
    method: "DELETE",
    path: "/v1/organizations/{organization_id}/budgets/{budget_id}",
    scope: "admin",
    allowsOperators: true,
    summary: "Delete a budget. Messages that waited for it continue. Only operators delete budgets that operators set.",
    reply: Deleted,
    status: 200,
  },
  getPlatformStop: {
    method: "GET",
    path: "/v1/operator/stop",
    scope: "operator",
    summary: "Get whether operators have stopped all turns.",
    reply: budgets.PlatformStop,
    status: 200,
  },
  stopPlatform: {
    method: "PUT",
    path: "/v1/operator/stop",
    scope: "operator",
    summary: "Stop all organizations from starting turns. Running turns finish; messages are accepted and wait.",
    request: budgets.StopPlatformRequest,
    reply: budgets.PlatformStop,
    status: 200,
  },
  resumePlatform: {
    method: "DELETE",
    path: "/v1/operator/stop",
    scope: "operator",
    summary: "Allow turns to start again.",
    reply: Deleted,
    status: 200,
  },
} as const satisfies Record<string, Route>;
