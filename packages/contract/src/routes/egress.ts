// Which hosts an organization's agents may connect to.

import type { Route } from "./route.ts";
import * as egress from "../schemas/egress.ts";

const path = "/v1/organizations/{organization_id}/egress";

export const egressRoutes = {
  getEgress: {
    method: "GET",
    path,
    scope: "admin",
    allowsOperators: true,
    summary: "Get the hosts that the organization's agents can connect to.",
    reply: egress.EgressRecord,
    status: 200,
  },
  putEgress: {
    method: "PUT",
    path,
    scope: "admin",
    allowsOperators: true,
    summary:
      "Set which hosts the organization's agents may connect to, from their next turns on. Operators' rules are " +
      "stored separately, and the organization cannot change them: both must allow a host.",
    request: egress.PutEgressRequest,
    reply: egress.EgressRecord,
    status: 200,
  },
  deleteEgress: {
    method: "DELETE",
    path,
    scope: "admin",
    allowsOperators: true,
    summary: "Remove the rules: an operator's key removes the operators' rules, an admin key the organization's own.",
    reply: egress.EgressRecord,
    status: 200,
  },
} as const satisfies Record<string, Route>;
