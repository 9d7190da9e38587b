// Finds the caller that a session token belongs to.

import { scopesOfRole, type Role } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { coalesceReads, sessionTokens, type SessionTokenClaims, type SessionTokenState } from "@dari/db";
import { AppError } from "@dari/domain";
import { unauthenticated } from "../keys/authenticate.ts";
import { intersectScopes } from "../members/intersect-scopes.ts";
import { readClaims, type SignedClaims } from "./token-text.ts";

/** Tokens that one statement checks. */
const tokensMax = 500;

/** Calls at the same time share a statement. The keys of the read are the claims as JSON. */
const findState = coalesceReads(
  async (db, _group, keys) => {
    const states = await sessionTokens.listTokenStates(
      db,
      keys.map((key) => JSON.parse(key) as SessionTokenClaims),
    );
    const byId = new Map(states.map((state) => [state.id, state]));
    return new Map(
      keys.flatMap((key): [string, SessionTokenState][] => {
        const state = byId.get((JSON.parse(key) as SessionTokenClaims).id);
        return state === undefined ? [] : [[key, state]];
      }),
    );
  },
  { keysMax: tokensMax },
);

export interface AuthenticatedToken {
  /** Undefined if the token has expired, was revoked, or lost its session, its organization or its creator. */
  readonly actor: Actor | undefined;
  /** From which origins browsers can use the organization's tokens. */
  readonly origins: readonly string[];
}

/** @throws AppError `unauthenticated` if the token was not made here. */
export async function authenticateSessionToken(control: Control, token: string): Promise<AuthenticatedToken> {
  const claims = readClaims(control, token);
  if (claims === undefined) throw unauthenticated();
  const state = await stateOf(control, claims);
  const isUsable = state.isLive && state.leftMs > 0;
  return { actor: isUsable ? toActor(claims, state) : undefined, origins: state.origins };
}

/** Returns whether the token was made here. It may have expired. */
export function isKnownToken(control: Control, token: string): boolean {
  return readClaims(control, token) !== undefined;
}

export function unusableToken(): AppError {
  return new AppError("unauthenticated", "the session token has expired or was revoked; ask for a new one");
}

/**
 * Checks the token of a call that has waited. The token may have expired since the call began.
 * @throws AppError `unauthenticated` if it was revoked.
 */
export async function requireLiveToken(control: Control, { sessionToken }: Actor): Promise<void> {
  if (sessionToken === undefined) return;
  if (!(await stateOf(control, sessionToken)).isLive) throw unusableToken();
}

async function stateOf(control: Control, claims: SessionTokenClaims): Promise<SessionTokenState> {
  const { id, organizationId, sessionId, generation, creatorId, expiresAt } = claims;
  const key = JSON.stringify({ id, organizationId, sessionId, generation, creatorId, expiresAt });
  const state = await findState(control.db, "tokens", key);
  if (state === undefined) throw new Error("the state of a session token was not read");
  return state;
}

/** The token never has more scopes than its creator has now. */
function toActor(claims: SignedClaims, state: SessionTokenState): Actor {
  const { maxRequestsPerMinute, maxMessagesPerMinute, maxUploadBytesPerHour } = state;
  return {
    organizationId: claims.organizationId,
    keyId: claims.id,
    scopes: scopesOf(state).filter((scope) => scope === "run" || scope === "read"),
    managesOwners: false,
    rates: { maxRequestsPerMinute, maxMessagesPerMinute, maxUploadBytesPerHour },
    sessionToken: { ...claims, endsAtMs: performance.now() + state.leftMs },
  };
}

function scopesOf({ keyScopes, memberRole }: SessionTokenState): readonly string[] {
  const granted = keyScopes?.includes("admin") === true ? ["run", "read"] : keyScopes;
  if (memberRole === null) return granted ?? [];
  return granted === null ? scopesOfRole[memberRole as Role] : intersectScopes(memberRole as Role, granted);
}
