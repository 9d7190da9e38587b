// Calls about usage and about current activity.

import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function usageCalls(transport: Transport) {
  const { call } = transport;
  const { derived } = createDeriver(transport);
  return {
    /** Returns the usage of today and the days before, in UTC. */
    getUsage: (days: number, organizationId = "current", options?: CallOptions) =>
      call("getUsage", { path: { organization_id: organizationId }, query: { days }, options }),

    /** How an agent's messages went: failures, durations and tokens by day. */
    getAgentUsage: (agentId: string, days: number, options?: CallOptions) =>
      call("getAgentUsage", { path: { agent_id: agentId }, query: { days }, options }),

    /** What a session's turns have used. It has no prices. */
    getSessionCost: derived("getSessionCost"),

    /** Waiting turns, running turns and workers. For operators. */
    getFleet: derived("getFleet"),
  };
}
