// Calls about what an organization's agents may connect to.

import { deriving } from "./derive.ts";
import type { Transport } from "./transport.ts";

export function egressCalls(transport: Transport) {
  const { derived, derivedAll } = deriving(transport);
  return {
    ...derivedAll("getEgress", "deleteEgress"),

    /** From the next turns on. Operators set the organization's bound. */
    putEgress: derived("putEgress"),
  };
}
