// What is used and what is going on: for people who watch.

import type { Route } from "./route.ts";
import { FleetRecord } from "../schemas/fleet.ts";
import { SessionCost, UsageRecord, usageQuery } from "../schemas/usage.ts";

export const usageRoutes = {
  getUsage: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/usage",
    scope: "read",
    operatorsToo: true,
    summary: "What the organization's turns used on the last days, what it keeps, and what holds its sessions back.",
    query: usageQuery,
    reply: UsageRecord,
    status: 200,
  },
  getSessionCost: {
    method: "GET",
    path: "/v1/costs/sessions/{session_id}",
    scope: "read",
    summary: "What a session's turns have used, without its deleted and copied messages. Money is not known.",
    reply: SessionCost,
    status: 200,
  },
  getFleet: {
    method: "GET",
    path: "/v1/operator/fleet",
    scope: "operator",
    summary:
      "Which organizations wait, which turns run, and the workers. Costs what waits and runs: for looking often.",
    reply: FleetRecord,
    status: 200,
  },
} as const satisfies Record<string, Route>;
