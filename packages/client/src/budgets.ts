// Calls about caps on what turns may use, and the stop of all turns.

import type { PutBudgetRequest } from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function budgetCalls({ call }: Transport) {
  return {
    listBudgets: (organizationId = "current", page: PageQuery = {}, options?: CallOptions) =>
      call("listBudgets", { path: { organization_id: organizationId }, query: { ...page }, options }),

    /** Of the organization, or of the agent or session that the body names. */
    putBudget: (body: PutBudgetRequest, organizationId = "current", options?: CallOptions) =>
      call("putBudget", { path: { organization_id: organizationId }, body, options }),

    deleteBudget: (id: string, organizationId = "current", options?: CallOptions) =>
      call("deleteBudget", { path: { organization_id: organizationId, budget_id: id }, options }),

    getPlatformStop: (options?: CallOptions) => call("getPlatformStop", { path: {}, options }),

    /** No turn begins, of any organization. For operators. */
    stopPlatform: (reason: string, options?: CallOptions) =>
      call("stopPlatform", { path: {}, body: { reason }, options }),

    resumePlatform: (options?: CallOptions) => call("resumePlatform", { path: {}, options }),
  };
}
