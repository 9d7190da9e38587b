// An organization as a whole, and the installation. Operators reach every organization.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, flagQuery, integerText, listOf, listQuery } from "../schemas/common.ts";
import * as operators from "../schemas/operators.ts";
import { OrganizationRecord } from "../schemas/organizations.ts";

export const operatorRoutes = {
  getOrganization: {
    method: "GET",
    path: "/v1/organizations/{organization_id}",
    scope: "read",
    allowsOperators: true,
    summary: "Get an organization and its limits.",
    reply: OrganizationRecord,
    status: 200,
  },
  updateOrganization: {
    method: "PATCH",
    path: "/v1/organizations/{organization_id}",
    scope: "operator",
    allowsOperators: true,
    summary: "Set an organization's limits. Absent fields keep their values.",
    request: operators.UpdateOrganizationRequest,
    reply: OrganizationRecord,
    status: 200,
  },
  deleteOrganization: {
    method: "DELETE",
    path: "/v1/organizations/{organization_id}",
    scope: "operator",
    allowsOperators: true,
    summary: "Delete an organization and everything that it owns. Its keys end immediately; its audit log is kept.",
    reply: Deleted,
    status: 200,
  },
  listAuditLog: {
    method: "GET",
    path: "/v1/organizations/{organization_id}/audit-log",
    scope: "admin",
    allowsOperators: true,
    summary: "List changes in the organization, with the key that made each, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("audit_entries", operators.AuditEntry),
    status: 200,
  },
  getOperatorHealth: {
    method: "GET",
    path: "/v1/operator/health",
    scope: "operator",
    summary: "Check the installation. Reads every table; do not use it as a health probe.",
    reply: operators.OperatorHealth,
    status: 200,
  },
  checkStore: {
    method: "GET",
    path: "/v1/operator/store-check",
    scope: "operator",
    summary: "Check that stored objects exist and are undamaged, page by page. With `deep=1`, read every byte.",
    query: Type.Object({
      after: Type.Optional(Type.String({ minLength: 1, maxLength: 900 })),
      limit: Type.Optional(
        integerText(1, limits.storeCheckMax, `Objects per step (default ${limits.storeCheckDefault}).`),
      ),
      deep: flagQuery,
    }),
    reply: operators.StoreCheck,
    status: 200,
  },
  resealSecrets: {
    method: "POST",
    path: "/v1/operator/reseal",
    scope: "operator",
    summary: "Encrypt stored secrets again with the current master key, in steps. Can be repeated.",
    request: operators.ResealRequest,
    bodyOptional: true,
    reply: operators.Resealed,
    status: 200,
  },
  retryMessages: {
    method: "POST",
    path: "/v1/messages/retry",
    scope: "admin",
    summary: "Retry the failed messages that match a filter, oldest failure first: all of them or none.",
    request: operators.RetryMessagesRequest,
    reply: operators.MessagesRetried,
    status: 200,
    idempotent: true,
  },
} as const satisfies Record<string, Route>;
