// Who an operator is that has shown its key before, and whether it still is one.

import { apiKeys } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { isOperator } from "../organizations/operators.ts";

/** Undefined when the key was revoked or has expired, or its organization no longer looks after the installation. */
export async function resumeOperator(
  control: Control,
  signedIn: { readonly organizationId: string; readonly keyId: string },
): Promise<Actor | undefined> {
  const { organizationId, keyId } = signedIn;
  const [key, usable] = await Promise.all([
    apiKeys.findApiKey(control.db, organizationId, keyId),
    apiKeys.listUsableKeyIds(control.db, [keyId]),
  ]);
  if (key === undefined || !usable.has(keyId)) return undefined;
  const actor = { organizationId, keyId, scopes: key.scopes };
  return (await isOperator(control, actor)) ? actor : undefined;
}
