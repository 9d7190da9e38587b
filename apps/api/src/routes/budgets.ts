// Limits on what turns use, and the stop of all turns.

import { renderList } from "@dari/contract";
import {
  deleteBudget,
  getPlatformStop,
  listBudgets,
  putBudget,
  resumePlatform,
  stopPlatform,
} from "@dari/control/tenants";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const budgetHandlers: Handlers<
  "listBudgets" | "putBudget" | "deleteBudget" | "getPlatformStop" | "stopPlatform" | "resumePlatform"
> = {
  async listBudgets({ control, params, query }) {
    return renderList("budgets", await listBudgets(control, params.organization_id, readPage(query)));
  },

  async putBudget({ control, actor, params, body }) {
    return putBudget(control, actor, params.organization_id, body);
  },

  async deleteBudget({ control, actor, params }) {
    return deleteBudget(control, actor, params.organization_id, params.budget_id);
  },

  async getPlatformStop({ control }) {
    return getPlatformStop(control);
  },

  async stopPlatform({ control, actor, body }) {
    return stopPlatform(control, actor, body.reason);
  },

  async resumePlatform({ control, actor }) {
    return resumePlatform(control, actor);
  },
};
