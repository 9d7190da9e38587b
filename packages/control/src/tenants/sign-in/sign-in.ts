// Signs a browser in. Knows neither links nor providers: the caller has checked who the person is.

import { scopesOfRole, type Role, type SignedIn } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { limits, newId } from "@dari/domain";
import { recordChange } from "../audit/record-change.ts";
import { unauthenticated } from "../keys/authenticate.ts";
import { createSignInSecret, hashSignInSecret, kindOfSignInSecret } from "./sign-in-secret.ts";

/** What the browser keeps in its cookie, and what the reply says. */
export interface BrowserSignIn {
  readonly secret: string;
  readonly validMs: number;
  readonly signedIn: SignedIn;
}

/**
 * Within a transaction. `requestId` is for the record of changes. Undefined when the member is gone.
 */
export async function signInMember(
  inside: Control,
  who: {
    readonly organizationId: string;
    readonly memberId: string;
    readonly method: "link" | "oidc";
    /** Members behind the link; absent: none. */
    readonly invitedBy?: readonly string[] | undefined;
  },
  requestId: string | undefined,
): Promise<BrowserSignIn | undefined> {
  const { organizationId, memberId, method, invitedBy } = who;
  const secret = createSignInSecret("browser");
  const id = newId("signIn");
  const validMs = method === "link" ? limits.signInByLinkMs : limits.signInByProviderMs;
  const row = await signIns.insertSignIn(inside.db, {
    id,
    organizationId,
    memberId,
    method,
    secretHash: secret.hash,
    validMs,
    invitedBy,
  });
  if (row === undefined) return undefined;
  const actor = { ...byPerson(organizationId, memberId), requestId };
  await recordChange(inside, actor, { action: "member.sign_in", target: memberId, details: { method } });
  const signedIn = { member_id: memberId, organization_id: organizationId, expires_at: row.expiresAt.toISOString() };
  return { secret: secret.plaintext, validMs, signedIn };
}

/** Who acts by having opened a link or come from the provider, for the record of changes only. */
export function byPerson(organizationId: string, memberId: string): Actor {
  return { organizationId, keyId: "", scopes: [], person: { memberId, role: "member" } };
}

/** @throws AppError `unauthenticated`, in the same words whatever is wrong with the cookie. */
export async function authenticateBrowser(control: Control, secret: string): Promise<Actor> {
  if (kindOfSignInSecret(secret) !== "browser") throw unauthenticated();
  const row = await signIns.findSignInIfUsable(control.db, hashSignInSecret(secret));
  if (row === undefined) throw unauthenticated();
  const role = row.role as Role;
  return {
    organizationId: row.organizationId,
    keyId: row.id,
    scopes: scopesOfRole[role],
    person: { memberId: row.memberId, role },
    managesOwners: row.managesOwners,
    signInMethod: row.method === "oidc" ? "oidc" : "link",
  };
}
