// What a session token may call, and on what. Everything else is refused.

import { tokenScopeOf, type RouteName, type SessionTokenScope } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sessionTokens } from "@dari/db";
import { AppError, notFound } from "@dari/domain";

type TokenHolder = Pick<Actor, "sessionToken">;

/** Does nothing for callers without a token. @throws AppError `forbidden` */
export function checkTokenRoute(actor: TokenHolder, name: RouteName): void {
  if (actor.sessionToken === undefined) return;
  const scope = tokenScopeOf(name);
  if (scope === undefined) {
    throw new AppError(
      "forbidden",
      "a session token cannot make this request: it can only use its own session; use an API key on your server",
    );
  }
  requireTokenScope(actor, scope);
}

/** Does nothing for callers without a token. @throws AppError `forbidden` with the missing scope. */
export function requireTokenScope({ sessionToken }: TokenHolder, scope: SessionTokenScope): void {
  if (sessionToken === undefined || sessionToken.scopes.includes(scope)) return;
  const has = sessionToken.scopes.join(", ");
  throw new AppError(
    "forbidden",
    `the session token does not have the scope '${scope}', which this request requires (it has: ${has})`,
  );
}

/**
 * Checks what the path names. Another session gets the same reply whether it exists or not; a message or a file of
 * another session is not found.
 * @throws AppError `forbidden`, `not_found`
 */
export async function checkTokenTarget(
  control: Pick<Control, "db">,
  { sessionToken }: TokenHolder,
  params: Readonly<Record<string, string>>,
): Promise<void> {
  if (sessionToken === undefined) return;
  const { session_id: sessionId, message_id: messageId, file_id: fileId } = params;
  if (sessionId !== undefined && sessionId !== sessionToken.sessionId) {
    throw new AppError("forbidden", `the session token is for another session: ${sessionToken.sessionId}`);
  }
  if (messageId !== undefined && !(await sessionTokens.hasMessage(control.db, sessionToken, messageId))) {
    throw notFound("message");
  }
  if (fileId === undefined) return;
  const own = await sessionTokens.listFilesOf(control.db, sessionToken, [fileId]);
  if (!own.has(fileId)) throw notFound("file");
}
