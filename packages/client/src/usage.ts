// Calls about what is used and what is going on.

import type { CallOptions, Transport } from "./transport.ts";

export function usageCalls({ call }: Transport) {
  return {
    /** Of today and the days before it, of UTC. */
    getUsage: (days: number, organizationId = "current", options?: CallOptions) =>
      call("getUsage", { path: { organization_id: organizationId }, query: { days }, options }),

    /** Who waits, what runs, who works. For operators. */
    getFleet: (options?: CallOptions) => call("getFleet", { path: {}, options }),
  };
}
