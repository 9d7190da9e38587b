// The caller of an operation.

import type { EndUser, Role, SessionTokenScope } from "@dari/contract";
import type { KeyRates, SessionTokenClaims } from "@dari/db";

/** The caller of an operation. Every query is limited to its organization. */
export interface Actor {
  readonly organizationId: string;
  /** The id of the key, or of the sign-in or the session token that is used instead of a key. */
  readonly keyId: string;
  readonly scopes: readonly string[];
  /** Set for a sign-in and for the key of a person's device; undefined for the organization's own keys. */
  readonly person?: Person | undefined;
  /** How the person signed in with this browser; undefined if the call has a key. */
  readonly signInMethod?: "link" | "oidc" | undefined;
  /** The sign-in of a browser with the key; undefined if the call itself has the key. */
  readonly keySignInId?: string | undefined;
  /** Whether the caller may create, change and remove owners, within its scopes (default: true). */
  readonly managesOwners?: boolean | undefined;
  /** Set if the call has a session token. Such a caller can use only this session. */
  readonly sessionToken?: UsedSessionToken | undefined;
  /** Whether a connected app makes the call. Such a caller can only use `/mcp` (default: false). */
  readonly isApp?: boolean | undefined;
  /** The own rate limits of the key, or of the key that made the token; undefined if it has none. */
  readonly rates?: KeyRates | undefined;
  /** The call's id for the audit log; undefined outside of a call. */
  readonly requestId?: string | undefined;
}

/** The member behind a call, with the role at the time of the call. */
export interface Person {
  readonly memberId: string;
  readonly role: Role;
}

/** The session token of a call. */
export interface UsedSessionToken extends SessionTokenClaims {
  readonly scopes: readonly SessionTokenScope[];
  readonly endUser?: EndUser | undefined;
  /** When it expires, as a time of `performance.now()`. */
  readonly endsAtMs: number;
}
