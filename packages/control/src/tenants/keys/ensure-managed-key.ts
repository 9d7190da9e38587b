// The key of a person's device, for the command line: one per person and device name. A caller that is not a person
// gets a key of the organization.

import type { EnsureManagedKeyRequest, ManagedKey } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, organizations } from "@dari/db";
import { limits, newId, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { lockInviters } from "../sign-in/lock-inviters.ts";
import { createKeySecret } from "./key-secret.ts";

/**
 * Returns a new key with the caller's scopes, for 90 days if the caller is a person. It replaces the device's former
 * key, whose plaintext only the device has. It is revoked when a member whose link let the caller in loses access.
 * `organizationId`: the caller's own, or one that its key has created. A person who creates an organization is not a
 * member of it: the key then belongs to the organization, and is still revoked with the person's access.
 * @throws AppError `not_found` if the organization has just removed its creator's access; `forbidden` if the person's
 *   role or sign-in has just changed.
 */
export async function ensureManagedKey(
  control: Control,
  actor: Actor,
  { organizationId, device_name: deviceName }: EnsureManagedKeyRequest & { readonly organizationId: string },
): Promise<ManagedKey> {
  const secret = createKeySecret();
  const memberId = organizationId === actor.organizationId ? actor.person?.memberId : undefined;
  const key = {
    id: newId("apiKey"),
    organizationId,
    label: `cli: ${deviceName.trim()}`,
    secretHash: secret.hash,
    scopes: actor.scopes,
    memberId,
    expiresAt: actor.person && new Date(Date.now() + limits.deviceKeyMs),
    managesOwners: actor.managesOwners ?? true,
    // The new key has the caller's rate limits.
    rates: actor.rates,
  };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      // The route checked this before the transaction. The first key may have been revoked since.
      if (organizationId !== actor.organizationId) {
        const isCreator = await organizations.lockIfCreator(inside.db, actor.keyId, organizationId);
        if (!isCreator) throw notFound("organization");
      }
      // The key follows its own person's membership and role in any case.
      const others = (await lockInviters(inside, actor)).filter((id) => id !== memberId);
      return apiKeys.replaceApiKeyByLabel(inside.db, { ...key, invitedBy: others });
    },
    ({ id, label, scopes }) => ({
      action: "api_key.create",
      target: id,
      organizationId,
      details: { label, scopes, replaces_same_label: true },
    }),
  );
  return { api_key: secret.plaintext };
}
