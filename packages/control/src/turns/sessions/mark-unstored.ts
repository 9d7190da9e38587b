// Marks what a request with `store: false` has created.

import type { Actor, Control } from "@dari/control/context";
import { retention } from "@dari/db";

/**
 * Marks a message's session, and the files that were uploaded with the message, in the transaction that creates them.
 * If the process that should delete them dies, a reconciler does it.
 */
export async function markUnstored(
  inside: Control,
  { organizationId }: Actor,
  created: { readonly messageId: string; readonly fileIds: readonly string[] },
): Promise<void> {
  await retention.markUnstored(inside.db, { ...created, organizationId });
}
