// Revokes an API key: the next call with it is refused.

import type { Deleted } from "@dari/contract";
import { apiKeys } from "@dari/db";
import { onRecord } from "../audit/record-change.ts";
import type { Actor, Control } from "../context.ts";
import { notFound } from "../refusals.ts";

/** @throws AppError `not_found`, also when it was revoked before. */
export async function revokeApiKey(control: Control, actor: Actor, keyId: string): Promise<Deleted> {
  const revoked = await onRecord(
    control,
    actor,
    (inside) => apiKeys.revokeApiKeyIfLive(inside.db, actor.organizationId, keyId),
    (done) => (done ? { action: "api_key.revoke", target: keyId } : undefined),
  );
  if (!revoked) throw notFound("API key");
  return { deleted: true, id: keyId };
}
