// The key of a person's device, for the command line. There is one per person and device name; a caller that is no
// person gets one of the organization.

import type { EnsureManagedKeyRequest, ManagedKey } from "@dari/contract";
import { apiKeys } from "@dari/db";
import { limits, newId } from "@dari/domain";
import { onRecord } from "../audit/record-change.ts";
import type { Actor, Control } from "../context.ts";
import { createKeySecret } from "./key-secret.ts";

/**
 * A fresh key with the caller's scopes, for 90 days where the caller is a person. It takes the place of the device's
 * former one, whose plaintext nobody has but the device.
 */
export async function ensureManagedKey(
  control: Control,
  actor: Actor,
  request: EnsureManagedKeyRequest,
): Promise<ManagedKey> {
  const secret = createKeySecret();
  const key = {
    id: newId("apiKey"),
    organizationId: actor.organizationId,
    label: `cli: ${request.device_name.trim()}`,
    secretHash: secret.hash,
    scopes: actor.scopes,
    memberId: actor.person?.memberId,
    expiresAt: actor.person && new Date(Date.now() + limits.deviceKeyMs),
    managesOwners: actor.managesOwners ?? true,
    // What bounds the caller bounds what it makes.
    rates: actor.rates,
  };
  await onRecord(
    control,
    actor,
    (inside) => apiKeys.replaceApiKeyByLabel(inside.db, key),
    ({ id, label, scopes }) => ({
      action: "api_key.create",
      target: id,
      details: { label, scopes, replaces_same_label: true },
    }),
  );
  return { api_key: secret.plaintext };
}
