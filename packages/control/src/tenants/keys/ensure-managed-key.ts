// The key of a person's device, for the command line. There is one per person and device name; a caller that is no
// person gets one of the organization.

import type { EnsureManagedKeyRequest, ManagedKey } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, organizations } from "@dari/db";
import { limits, newId, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { lockInviters } from "../sign-in/lock-inviters.ts";
import { createKeySecret } from "./key-secret.ts";

/**
 * Returns a new key with the caller's scopes, for 90 days if the caller is a person. It replaces the device's former
 * key, whose plaintext only the device has. It ends when a member whose link let the caller in loses access.
 * `organizationId`: the caller's own, or one that its key has created. A person who creates an organization is no
 * member of it: the key is then the organization's own, and still ends with the person.
 * @throws AppError `not_found` when the organization has just shut its creator out; `forbidden` when the person's role
 * or sign-in has just changed.
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
    // What bounds the caller bounds what it makes.
    rates: actor.rates,
  };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      // The route has checked this before the transaction; the first key may have been revoked since.
      if (organizationId !== actor.organizationId) {
        const isCreator = await organizations.holdIfCreator(inside.db, actor.keyId, organizationId);
        if (!isCreator) throw notFound("organization");
      }
      // Its person's own it is in any case: with the membership it ends, and with the role it shrinks.
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
