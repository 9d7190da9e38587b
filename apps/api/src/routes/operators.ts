// Operations on a whole organization or the installation: limits, audit log, health, bulk retries.

import { renderList } from "@dari/contract";
import { examinePlatform } from "@dari/control/operations";
import { checkStore } from "@dari/control/storage";
import {
  deleteOrganization,
  getOrganization,
  listAuditLog,
  resealSecrets,
  updateOrganization,
} from "@dari/control/tenants";
import { getBulkRetryReply, retryMessages } from "@dari/control/turns";
import { limits } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import { isFlagSet, readPage } from "../http/query.ts";

/** What an `Idempotency-Key` stores for a dry run. It changed nothing, so a repeated call runs again. */
const dryRun = "dry_run";

export const operatorHandlers: Handlers<
  | "getOrganization"
  | "updateOrganization"
  | "deleteOrganization"
  | "listAuditLog"
  | "getOperatorHealth"
  | "checkStore"
  | "resealSecrets"
  | "retryMessages"
> = {
  async getOrganization({ control, actor, params }) {
    return getOrganization(control, actor, params.organization_id);
  },

  async updateOrganization({ control, actor, params, body }) {
    return updateOrganization(control, actor, params.organization_id, body);
  },

  async deleteOrganization({ control, actor, params }) {
    return deleteOrganization(control, actor, params.organization_id);
  },

  async listAuditLog({ control, params, query }) {
    return renderList("audit_entries", await listAuditLog(control, params.organization_id, readPage(query)));
  },

  async getOperatorHealth({ control }) {
    return examinePlatform(control);
  },

  async checkStore({ control, query }) {
    const limit = Number(query["limit"] ?? limits.storeCheckDefault);
    const { checked, problems, next } = await checkStore(control, {
      after: query["after"],
      limit,
      deep: isFlagSet(query["deep"]),
    });
    return { checked, problems: [...problems], next: next ?? null };
  },

  async resealSecrets({ control, actor, body }) {
    return resealSecrets(control, actor, body ?? {});
  },

  retryMessages: {
    async create({ control, actor, body }) {
      const { entryId, reply } = await retryMessages(control, actor, body);
      return { resourceId: entryId ?? dryRun, reply };
    },
    async read({ control, actor, body }, entryId) {
      if (entryId !== dryRun) return getBulkRetryReply(control, actor, entryId);
      return (await retryMessages(control, actor, body)).reply;
    },
  },
};
