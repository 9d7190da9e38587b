// Opens an invitation or a sign-in link, which works once.

import { inOneTransaction, type Control } from "@dari/control/context";
import { invitations, members, signIns } from "@dari/db";
import { AppError, newId } from "@dari/domain";
import { recordChange } from "../audit/record-change.ts";
import { createPersonActor, signInMember, type BrowserSignIn } from "./sign-in-browser.ts";
import { insertKeySignIn } from "./sign-in-with-key.ts";
import { hashSignInSecret, parseSignInSecretKind } from "./sign-in-secret.ts";

/** Returns the same error whatever is wrong, so that trying links reveals nothing. */
function notValid(): AppError {
  return new AppError(
    "not_found",
    "this link no longer works: it was used, replaced or revoked, or has expired; ask for a new one",
  );
}

/** @throws AppError `not_found` */
export async function openSignInLink(
  control: Control,
  secret: string,
  requestId: string | undefined,
): Promise<BrowserSignIn> {
  const kind = parseSignInSecretKind(secret);
  if (kind !== "invitation" && kind !== "link" && kind !== "keyLink") throw notValid();
  const hash = hashSignInSecret(secret);
  return inOneTransaction(control, async (inside) => {
    if (kind === "keyLink") {
      const link = await signIns.takeKeySignInLinkIfValid(inside.db, hash);
      const withKey = link && { organizationId: link.organizationId, keyId: link.apiKeyId, requestId };
      const entered = withKey && (await insertKeySignIn(inside, withKey));
      if (entered === undefined) throw notValid();
      return entered;
    }
    const who =
      kind === "invitation"
        ? await acceptInvitation(inside, hash, requestId)
        : await signIns.takeSignInLinkIfValid(inside.db, hash);
    const signedIn = who && (await signInMember(inside, { ...who, method: "link" }, requestId));
    // Thrown in the transaction, so that the link stays unused if its person cannot be signed in.
    if (signedIn === undefined) throw notValid();
    return signedIn;
  });
}

/** Returns undefined if the token is invalid, or the address now belongs to another member. */
async function acceptInvitation(
  inside: Control,
  hash: Buffer,
  requestId: string | undefined,
): Promise<{ organizationId: string; memberId: string } | undefined> {
  const invitation = await invitations.takeInvitationIfValid(inside.db, hash);
  if (invitation === undefined) return undefined;
  const { id, organizationId, email, role } = invitation;
  const member = await members.insertMemberIfNew(inside.db, { id: newId("member"), organizationId, email, role });
  if (member === undefined) return undefined;
  const actor = { ...createPersonActor(organizationId, member.id), requestId };
  await recordChange(inside, actor, { action: "invitation.accept", target: id, details: { email, role } });
  return { organizationId, memberId: member.id };
}
