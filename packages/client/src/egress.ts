// Calls about what an organization's agents may connect to.

import type { PutEgressRequest } from "@dari/contract";
import type { CallOptions, Transport } from "./transport.ts";

export function egressCalls({ call }: Transport) {
  const of = (organizationId: string) => ({ path: { organization_id: organizationId } });
  return {
    getEgress: (organizationId = "current", options?: CallOptions) =>
      call("getEgress", { ...of(organizationId), options }),

    /** From the next turns on. Operators set the organization's bound. */
    putEgress: (body: PutEgressRequest, organizationId = "current", options?: CallOptions) =>
      call("putEgress", { ...of(organizationId), body, options }),

    deleteEgress: (organizationId = "current", options?: CallOptions) =>
      call("deleteEgress", { ...of(organizationId), options }),
  };
}
