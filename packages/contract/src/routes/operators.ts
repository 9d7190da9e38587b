// What concerns an organization as a whole or the installation. Operators reach every organization.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, flag, integerText, listOf, listQuery } from "../schemas/common.ts";
import * as operators from "../schemas/operators.ts";
import { OrganizationRecord } from "../schemas/organizations.ts";

export const operatorRoutes = {
  getOrganization: {
    method: "GET",
    path: "/v1/organizations/{organization_id}",
    scope: "read",
    operatorsToo: true,
    summary: "Get an organization and its limits.",
    reply: OrganizationRecord,
    status: 200,
  },
  updateOrganization: {
    method: "PATCH",
    path: "/v1/organizations/{organization_id}",
    scope: "operator",
    operatorsToo: true,
    summary: "Set an organization's limits. What is absent stays as it is.",
    request: operators.UpdateOrganizationRequest,
    reply: OrganizationRecord,
    status: 200,
  },
  deleteOrganization: {
    method: "DELETE",
    path: "/v1/organizations/{organization_id}",
    scope: "operator",
    operatorsToo: true,
    summary: "Delete an organization with all that it owns. Its keys end at once; its record of changes stays.",
    reply: Deleted,
    status: 200,
  },
  listAuditLog: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/audit-log",
    scope: "admin",
    operatorsToo: true,
    summary: "List what was changed in the organization and by which key, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("audit_entries", operators.AuditEntry),
    status: 200,
  },
  getOperatorHealth: {
    method: "GET",
    path: "/v1/operator/health",
    scope: "operator",
    summary: "Examine the installation. Reads every table: for people, not for a probe.",
    reply: operators.OperatorHealth,
    status: 200,
  },
  checkStore: {
    method: "GET",
    path: "/v1/operator/store-check",
    scope: "operator",
    summary: "Look whether the objects that rows name are stored and whole, in steps. `deep=1` reads every byte.",
    query: Type.Object({
      after: Type.Optional(Type.String({ minLength: 1, maxLength: 900 })),
      limit: Type.Optional(
        integerText(1, limits.storeCheckMax, `Objects of one step; ${limits.storeCheckDefault} when absent.`),
      ),
      deep: flag,
    }),
    reply: operators.StoreCheck,
    status: 200,
  },
  resealSecrets: {
    method: "POST",
    path: "/v1/operator/reseal",
    scope: "operator",
    summary: "Seal stored secrets under the current master key, in steps. Repeating it changes nothing more.",
    request: operators.ResealRequest,
    bodyOptional: true,
    reply: operators.Resealed,
    status: 200,
  },
  retryMessages: {
    method: "POST",
    path: "/v1/messages/retry",
    scope: "admin",
    summary: "Send the failed messages that a filter names again, oldest failure first, all or none of them.",
    request: operators.RetryMessagesRequest,
    reply: operators.MessagesRetried,
    status: 200,
    idempotent: true,
  },
} as const satisfies Record<string, Route>;
