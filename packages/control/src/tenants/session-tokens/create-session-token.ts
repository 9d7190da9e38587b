// Makes and revokes the tokens of a session.

import { sessionTokenScopes, type CreateSessionTokenRequest, type SessionTokenCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sessionTokens } from "@dari/db";
import { newId, notFound, requireFound, sessionTokenLimits } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { signClaims } from "./token-text.ts";

/**
 * Makes a token. It has no row: it ends with its time, its session's generation, its session, its organization, or the
 * caller.
 * @throws AppError `not_found`
 */
export async function createSessionToken(
  control: Control,
  actor: Actor,
  sessionId: string,
  request: CreateSessionTokenRequest,
): Promise<SessionTokenCreated> {
  const { organizationId, person, signInMethod, keyId } = actor;
  const found = requireFound(await sessionTokens.findGeneration(control.db, organizationId, sessionId), "session");
  const { expires_in: seconds = sessionTokenLimits.secondsDefault, end_user: endUser } = request;
  const scopes = sessionTokenScopes.filter((scope) => request.scopes?.includes(scope) ?? true);
  const id = newId("sessionToken");
  const expiresAt = Math.floor(found.now) + seconds;
  // A sign-in ends earlier than the membership that it stands for.
  const creatorId = signInMethod === undefined ? keyId : (person?.memberId ?? keyId);
  const of = { id, organizationId, sessionId, generation: found.generation, creatorId, expiresAt };
  const token = signClaims(control, { ...of, scopes, ...(endUser === undefined ? {} : { endUser }) });
  control.log.info({ org: organizationId, session: sessionId, token_id: id, seconds }, "session_token.created");
  return {
    id,
    token,
    session_id: sessionId,
    scopes,
    end_user: endUser ?? null,
    expires_at: new Date(expiresAt * 1_000).toISOString(),
  };
}

/** Revokes all tokens of a session, by making them tokens of an earlier generation. @throws AppError `not_found` */
export async function revokeSessionTokens(control: Control, actor: Actor, sessionId: string): Promise<void> {
  const isFound = await withAuditEntry(
    control,
    actor,
    (inside) => sessionTokens.raiseGeneration(inside.db, actor.organizationId, sessionId),
    (isRaised) => (isRaised ? { action: "session.revoke_tokens", target: sessionId } : undefined),
  );
  if (!isFound) throw notFound("session");
}
