// Reads an API key's record, which does not contain the secret.

import type { ApiKeyRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderApiKey } from "../views/organization.ts";

/** @throws AppError `not_found`, also for a revoked key. */
export async function getApiKey(control: Control, actor: Actor, keyId: string): Promise<ApiKeyRecord> {
  return renderApiKey(requireFound(await apiKeys.findApiKey(control.db, actor.organizationId, keyId), "API key"));
}
