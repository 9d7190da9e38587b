// Usage and the state of the fleet.

import type { Route } from "./route.ts";
import { FleetRecord } from "../schemas/fleet.ts";
import { OverviewRecord, overviewQuery } from "../schemas/overview.ts";
import { AgentUsage, SessionCost, UsageRecord, usageQuery } from "../schemas/usage.ts";

export const usageRoutes = {
  getUsage: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/usage",
    scope: "read",
    allowsOperators: true,
    summary:
      "Get what the organization's turns used on the last days, what it stores, and what holds its sessions back.",
    query: usageQuery,
    reply: UsageRecord,
    status: 200,
  },
  getOverview: {
    method: "GET",
    path: "/v1/overview",
    scope: "read",
    summary:
      "Get the organization's turns, failures, durations, tokens and costs by day, what runs now, and what waits for " +
      "a person.",
    query: overviewQuery,
    reply: OverviewRecord,
    status: 200,
  },
  getAgentUsage: {
    method: "GET",
    path: "/v1/agents/{agent_id}/usage",
    scope: "read",
    summary: "Get an agent's failures, durations and tokens of the last days.",
    query: usageQuery,
    reply: AgentUsage,
    status: 200,
  },
  getSessionCost: {
    method: "GET",
    path: "/v1/costs/sessions/{session_id}",
    scope: "read",
    summary: "Get what a session's turns used, without its deleted and copied messages.",
    reply: SessionCost,
    status: 200,
  },
  getFleet: {
    method: "GET",
    path: "/v1/operator/fleet",
    scope: "operator",
    summary:
      "Get which organizations wait, which turns run, and the workers. Reads only what waits and runs, so you can " +
      "poll it.",
    reply: FleetRecord,
    status: 200,
  },
} as const satisfies Record<string, Route>;
