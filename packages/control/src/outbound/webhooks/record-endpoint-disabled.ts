// Records in the audit log that the platform disabled an endpoint. The entry has no key.

import { auditEntries, type Database } from "@dari/db";
import { newId } from "@dari/domain";

/** Runs in the transaction that disables it. `details`: the reason and its evidence. */
export async function recordEndpointDisabled(
  inside: Database,
  endpoint: { readonly organizationId: string; readonly endpointId: string },
  details: { readonly reason: string } & Readonly<Record<string, string | number>>,
): Promise<void> {
  await auditEntries.insertAuditEntry(inside, {
    id: newId("auditEntry"),
    organizationId: endpoint.organizationId,
    actorKeyId: null,
    action: "webhook.disable",
    target: endpoint.endpointId,
    details,
    requestId: null,
  });
}
