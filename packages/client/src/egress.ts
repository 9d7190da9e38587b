// Calls about what an organization's agents may connect to.

import { createDeriver } from "./derive-methods.ts";
import type { Transport } from "./transport.ts";

export function egressCalls(transport: Transport) {
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("getEgress", "deleteEgress"),

    /** Takes effect from the next turn. Operators set the organization's limit. */
    putEgress: derived("putEgress"),
  };
}
