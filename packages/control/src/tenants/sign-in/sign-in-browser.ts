// Signs a browser in. The caller has checked who the person is.

import { scopesOfRole, type Role, type SignedIn } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { limits, newId } from "@dari/domain";
import { recordChange } from "../audit/record-change.ts";
import { authenticateKeyById, unauthenticated } from "../keys/authenticate.ts";
import { createSignInSecret, hashSignInSecret, parseSignInSecretKind } from "./sign-in-secret.ts";

/** The secret for the cookie, and the reply. */
export interface BrowserSignIn {
  readonly secret: string;
  readonly validMs: number;
  readonly signedIn: SignedIn;
}

/** Runs in a transaction. `requestId` is for the audit log. Returns undefined if the member is gone. */
export async function signInMember(
  inside: Control,
  who: {
    readonly organizationId: string;
    readonly memberId: string;
    readonly method: "link" | "oidc";
    /** The members behind the link, if any. */
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
  const actor = { ...createPersonActor(organizationId, memberId), requestId };
  await recordChange(inside, actor, { action: "member.sign_in", target: memberId, details: { method } });
  const signedIn = { member_id: memberId, organization_id: organizationId, expires_at: row.expiresAt.toISOString() };
  return { secret: secret.plaintext, validMs, signedIn };
}

/** Returns the person as an actor, for the audit log only. */
export function createPersonActor(organizationId: string, memberId: string): Actor {
  return { organizationId, keyId: "", scopes: [], person: { memberId, role: "member" } };
}

/** @throws AppError `unauthenticated`, with the same text whatever is wrong with the cookie. */
export async function authenticateBrowser(control: Control, secret: string): Promise<Actor> {
  if (parseSignInSecretKind(secret) !== "browser") throw unauthenticated();
  const row = await signIns.findSignInIfUsable(control.db, hashSignInSecret(secret));
  if (row === undefined) throw unauthenticated();
  if (row.apiKeyId !== null) return { ...(await authenticateKeyById(control, row.apiKeyId)), keySignInId: row.id };
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
