// What an organization's agents may connect to.

import type { Route } from "./route.ts";
import * as egress from "../schemas/egress.ts";

const path = "/v1/organizations/{organization_id}/egress";

export const egressRoutes = {
  getEgress: {
    method: "GET",
    path,
    scope: "admin",
    operatorsToo: true,
    summary: "What the organization's agents may connect to.",
    reply: egress.EgressRecord,
    status: 200,
  },
  putEgress: {
    method: "PUT",
    path,
    scope: "admin",
    operatorsToo: true,
    summary:
      "Set what the organization's agents may connect to, from their next turns on. What operators set is kept " +
      "beside it, and the organization cannot change it: both must allow a destination.",
    request: egress.PutEgressRequest,
    reply: egress.EgressRecord,
    status: 200,
  },
  deleteEgress: {
    method: "DELETE",
    path,
    scope: "admin",
    operatorsToo: true,
    summary: "Take back what was set: operators what operators set, admins what the organization set.",
    reply: egress.EgressRecord,
    status: 200,
  },
} as const satisfies Record<string, Route>;
