// Revokes an API key: the next call with it is refused.

import type { Deleted } from "@dari/contract";
import { apiKeys } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { notFound } from "../refusals.ts";

/** @throws AppError `not_found`, also when it was revoked before. */
export async function revokeApiKey(control: Control, actor: Actor, keyId: string): Promise<Deleted> {
  const revoked = await apiKeys.revokeApiKeyIfLive(control.db, actor.organizationId, keyId);
  if (!revoked) throw notFound("API key");
  return { deleted: true, id: keyId };
}
