// Revokes an API key: the next call with it is refused.

import type { ApiKeyRevoked } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, schedules } from "@dari/db";
import { notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

/**
 * Returns the schedules that it created. They continue: they belong to the organization, and a replaced key must not
 * stop them.
 * @throws AppError `not_found`, also for a revoked key.
 */
export async function revokeApiKey(control: Control, actor: Actor, keyId: string): Promise<ApiKeyRevoked> {
  const { organizationId } = actor;
  const left = await withAuditEntry(
    control,
    actor,
    async ({ db }) =>
      (await apiKeys.revokeApiKeyIfLive(db, organizationId, keyId))
        ? schedules.listActiveSchedulesOfKey(db, organizationId, keyId)
        : undefined,
    (ids) => (ids === undefined ? undefined : { action: "api_key.revoke", target: keyId, ...detailsOf(ids) }),
  );
  if (left === undefined) throw notFound("API key");
  return { deleted: true, id: keyId, active_schedules: left };
}

function detailsOf(ids: readonly string[]): { details?: { active_schedules: readonly string[] } } {
  return ids.length === 0 ? {} : { details: { active_schedules: ids } };
}
