// Calls about what is used and what is going on.

import type { CallOptions, Transport } from "./transport.ts";

export function usageCalls({ call }: Transport) {
  return {
    /** Of today and the days before it, of UTC. */
    getUsage: (days: number, organizationId = "current", options?: CallOptions) =>
      call("getUsage", { path: { organization_id: organizationId }, query: { days }, options }),

    /** What a session's turns have used; money is not known. */
    getSessionCost: (sessionId: string, options?: CallOptions) =>
      call("getSessionCost", { path: { session_id: sessionId }, options }),

    /** Who waits, what runs, who works. For operators. */
    getFleet: (options?: CallOptions) => call("getFleet", { path: {}, options }),
  };
}
