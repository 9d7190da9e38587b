// An endpoint that the platform disables, in the record of changes: nobody's key did it.

import { auditEntries, type Database } from "@dari/db";
import { newId } from "@dari/domain";

/** In the transaction that disables it. `details`: why, in a word, and what shows it. */
export async function recordDisabling(
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
