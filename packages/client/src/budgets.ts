// Calls about budgets of turns, and the stop of all turns.

import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function budgetCalls(transport: Transport) {
  const { call } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("listBudgets", "deleteBudget", "getPlatformStop", "resumePlatform"),

    /** Sets a budget of the organization, or of the agent or session that the body names. */
    putBudget: derived("putBudget"),

    /** Stops all organizations' turns from starting. For operators. */
    stopPlatform: (reason: string, options?: CallOptions) =>
      call("stopPlatform", { path: {}, body: { reason }, options }),
  };
}
