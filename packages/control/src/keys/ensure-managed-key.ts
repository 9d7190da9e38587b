// The key of a person's device, for the command line. There is one per person and device name; a caller that is no
// person gets one of the organization.

import type { EnsureManagedKeyRequest, ManagedKey } from "@dari/contract";
import { apiKeys } from "@dari/db";
import { limits, newId } from "@dari/domain";
import { onRecord } from "../audit/record-change.ts";
import type { Actor, Control } from "../context.ts";
import { letInBy } from "../sign-in/let-in-by.ts";
import { createKeySecret } from "./key-secret.ts";

/**
 * A fresh key with the caller's scopes, for 90 days where the caller is a person. It takes the place of the device's
 * former one, whose plaintext nobody has but the device, and ends with those whose links have let the caller in.
 * @throws AppError `forbidden` when the person's role or sign-in has just changed.
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
    async (inside) => {
      // Its person's own it is in any case: with the membership it ends, and with the role it shrinks.
      const others = (await letInBy(inside, actor)).filter((memberId) => memberId !== actor.person?.memberId);
      return apiKeys.replaceApiKeyByLabel(inside.db, { ...key, letInBy: others });
    },
    ({ id, label, scopes }) => ({
      action: "api_key.create",
      target: id,
      details: { label, scopes, replaces_same_label: true },
    }),
  );
  return { api_key: secret.plaintext };
}
