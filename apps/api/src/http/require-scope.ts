// Checks the scope of a caller.

import { hasScope, type ApiKeyScope } from "@dari/contract";
import type { Actor } from "@dari/control/context";
import { AppError } from "@dari/domain";

/** @throws AppError `forbidden` with the missing scope. */
export function requireScope(actor: Actor, scope: ApiKeyScope): void {
  if (!hasScope(actor.scopes, scope)) throw missingScope(actor, scope);
}

function missingScope({ signInMethod, scopes, sessionToken }: Actor, scope: string): AppError {
  const key = sessionToken === undefined ? "the API key" : "the creator of the session token";
  const [owner, advice] =
    signInMethod === undefined ? [key, "use a key with that scope"] : ["your role", "ask an admin of the organization"];
  const detail = `${owner} does not have the scope '${scope}', which this request requires`;
  return new AppError("forbidden", `${detail} (it has: ${scopes.join(", ") || "none"}); ${advice}`);
}
