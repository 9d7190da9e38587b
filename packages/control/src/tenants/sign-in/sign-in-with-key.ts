// Signs a browser in with an API key. The cookie allows what the key allows, and ends with the key.

import type { KeySignInLink } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { AppError, limits, newId } from "@dari/domain";
import { recordChange } from "../audit/record-change.ts";
import { unauthenticated } from "../keys/authenticate.ts";
import { joinLink } from "./join-link.ts";
import type { BrowserSignIn } from "./sign-in-browser.ts";
import { createSignInSecret } from "./sign-in-secret.ts";

/** @throws AppError `conflict` if the caller is a signed-in browser; `unauthenticated` if the key has just ended. */
export async function signInWithKey(control: Control, actor: Actor): Promise<BrowserSignIn> {
  requireKey(actor);
  const signedIn = await inOneTransaction(control, (inside) => insertKeySignIn(inside, actor));
  if (signedIn === undefined) throw unauthenticated();
  return signedIn;
}

/** Runs in a transaction. Returns undefined if the key is no longer valid. */
export async function insertKeySignIn(
  inside: Control,
  actor: Pick<Actor, "organizationId" | "keyId" | "person" | "requestId">,
): Promise<BrowserSignIn | undefined> {
  const { organizationId, keyId, person } = actor;
  const secret = createSignInSecret("browser");
  const validMs = limits.signInByKeyMs;
  const row = await signIns.insertKeySignIn(inside.db, {
    id: newId("signIn"),
    organizationId,
    apiKeyId: keyId,
    secretHash: secret.hash,
    validMs,
    keep: limits.signInsPerKey,
  });
  if (row === undefined) return undefined;
  await recordChange(inside, { ...actor, scopes: [] }, { action: "api_key.sign_in", target: keyId });
  return {
    secret: secret.plaintext,
    validMs,
    signedIn: {
      member_id: person?.memberId ?? null,
      organization_id: organizationId,
      expires_at: row.expiresAt.toISOString(),
    },
  };
}

/**
 * Creates a link that signs a browser in with the caller's key, once. It replaces the key's earlier link.
 * @throws AppError as `signInWithKey`
 */
export async function createKeySignInLink(control: Control, actor: Actor): Promise<KeySignInLink> {
  requireKey(actor);
  const secret = createSignInSecret("keyLink");
  const { organizationId, keyId: apiKeyId } = actor;
  const link = { organizationId, apiKeyId, secretHash: secret.hash, validMs: limits.keySignInLinkMs };
  const row = await signIns.putKeySignInLink(control.db, link);
  if (row === undefined) throw unauthenticated();
  return { url: joinLink(control, secret.plaintext), expires_at: row.expiresAt.toISOString() };
}

function requireKey({ signInMethod, keySignInId }: Actor): void {
  if (signInMethod === undefined && keySignInId === undefined) return;
  throw new AppError("conflict", "this browser is already signed in; send the API key in `Authorization` instead");
}
