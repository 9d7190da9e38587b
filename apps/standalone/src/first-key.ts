// The first organization, and the admin key in connection.json.

import type { Control } from "@dari/control/context";
import { authenticateKey, createApiKey, findFirstOrganizationId, setUpOrganization } from "@dari/control/tenants";

/**
 * Keeps a key that still works. Creates the organization at the very first start, and a new key if the old one is gone.
 */
export async function ensureAdminKey(control: Control, known: string | undefined): Promise<string> {
  if (known !== undefined && (await works(control, known))) return known;
  const organizationId = await findFirstOrganizationId(control.db);
  if (organizationId === undefined) return (await setUpOrganization(control, { name: "Default" })).api_key;
  const actor = { organizationId, keyId: "standalone", scopes: ["admin"] };
  const created = await createApiKey(control, actor, { label: "standalone", scopes: ["admin"] });
  if (created.api_key === undefined) throw new Error("a new key came without its secret");
  return created.api_key;
}

async function works(control: Control, key: string): Promise<boolean> {
  try {
    return (await authenticateKey(control, key)).scopes.includes("admin");
  } catch {
    return false;
  }
}
