// Usage and current activity.

import { getFleet } from "@dari/control/operations";
import { getAgentUsage, getOverview, getUsage } from "@dari/control/tenants";
import { getSessionCost } from "@dari/control/turns";
import { limits } from "@dari/domain";
import type { Handlers } from "../http/call.ts";

export const usageHandlers: Handlers<"getUsage" | "getOverview" | "getAgentUsage" | "getSessionCost" | "getFleet"> = {
  async getUsage({ control, params, query }) {
    return getUsage(control, params.organization_id, Number(query["days"] ?? limits.usageDaysDefault));
  },

  async getOverview({ control, actor, query }) {
    return getOverview(control, actor, Number(query["days"] ?? limits.overviewDaysDefault));
  },

  async getAgentUsage({ control, actor, params, query }) {
    return getAgentUsage(control, actor, params.agent_id, Number(query["days"] ?? limits.usageDaysDefault));
  },

  async getSessionCost({ control, actor, params }) {
    return getSessionCost(control, actor, params.session_id);
  },

  async getFleet({ control }) {
    return getFleet(control);
  },
};
