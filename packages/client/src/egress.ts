// Calls about what an organization's agents may connect to.

import { deriving } from "./derive.ts";
import type { Transport } from "./transport.ts";

export function egressCalls(transport: Transport) {
  const { derived, derivedAll } = deriving(transport);
  return {
    ...derivedAll("getEgress", "deleteEgress"),

    /** Takes effect from the next turn. Operators set the organization's limit. */
    putEgress: derived("putEgress"),
  };
}
