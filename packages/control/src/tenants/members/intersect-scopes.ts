// Limits the key of a person's device to the person's current role.

import { scopesOfRole, type ApiKeyScope, type Role } from "@dari/contract";

/** Returns the granted scopes that the role has. A granted `admin` becomes all scopes of the role. */
export function intersectScopes(role: Role, granted: readonly string[]): readonly ApiKeyScope[] {
  const most = scopesOfRole[role];
  return granted.includes("admin") ? most : most.filter((scope) => granted.includes(scope));
}
