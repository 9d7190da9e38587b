// What a key of a person's device may do: never more than the person's role allows at the time of the call.

import { scopesOfRole, type ApiKeyScope, type Role } from "@dari/contract";

/** The granted scopes, cut to the role's. `admin` includes all, so what is left of it is all that the role has. */
export function scopesWithin(role: Role, granted: readonly string[]): readonly ApiKeyScope[] {
  const most = scopesOfRole[role];
  return granted.includes("admin") ? most : most.filter((scope) => granted.includes(scope));
}
