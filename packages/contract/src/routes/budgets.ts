// Caps on what turns may use, and the stop of all turns.

import Type from "typebox";
import type { Route } from "./route.ts";
import * as budgets from "../schemas/budgets.ts";
import { Deleted, listOf, listQuery } from "../schemas/common.ts";

export const budgetRoutes = {
  listBudgets: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/budgets",
    scope: "admin",
    operatorsToo: true,
    summary: "List the organization's budgets and what is used of them, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("budgets", budgets.BudgetRecord),
    status: 200,
  },
  putBudget: {
    method: "PUT",
    path: "/v1/organizations/{organization_id}/budgets",
    scope: "admin",
    operatorsToo: true,
    summary:
      "Cap what turns use in each period: of the organization, of an agent or of a session. At the cap messages " +
      "wait; raising it lets them go on at once.",
    request: budgets.PutBudgetRequest,
    reply: budgets.BudgetRecord,
    status: 200,
  },
  deleteBudget: {
    method: "DELETE",
    path: "/v1/organizations/{organization_id}/budgets/{budget_id}",
    scope: "admin",
    operatorsToo: true,
    summary: "Delete a budget; what waited for it goes on. Those that operators set, only operators delete.",
    reply: Deleted,
    status: 200,
  },
  getPlatformStop: {
    method: "GET",
    path: "/v1/operator/stop",
    scope: "operator",
    summary: "Whether all turns are stopped.",
    reply: budgets.PlatformStop,
    status: 200,
  },
  stopPlatform: {
    method: "PUT",
    path: "/v1/operator/stop",
    scope: "operator",
    summary: "Let no turn begin, of any organization; those that run end, messages are accepted and wait.",
    request: budgets.StopPlatformRequest,
    reply: budgets.PlatformStop,
    status: 200,
  },
  resumePlatform: {
    method: "DELETE",
    path: "/v1/operator/stop",
    scope: "operator",
    summary: "Let turns begin again.",
    reply: Deleted,
    status: 200,
  },
} as const satisfies Record<string, Route>;
