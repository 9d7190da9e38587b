// Creates a link that signs a member in. Anyone who has the link can use that member's rights.

import type { SignInLink } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { limits } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { canManageOwners, toMemberChangeError } from "../members/owners.ts";
import { lockInviters } from "./lock-inviters.ts";
import { joinLink } from "./join-link.ts";
import { createSignInSecret } from "./sign-in-secret.ts";

/**
 * `organizationId`: the caller's own, or any if the caller is an operator.
 * @throws AppError `not_found`; `forbidden` for an owner's link if the caller is not one.
 */
export async function createSignInLink(
  control: Control,
  actor: Actor,
  organizationId: string,
  memberId: string,
): Promise<SignInLink> {
  const secret = createSignInSecret("link");
  const link = {
    organizationId,
    memberId,
    secretHash: secret.hash,
    validMs: limits.signInLinkMs,
    managesOwners: canManageOwners(actor),
  };
  const { expiresAt } = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const put = await signIns.putSignInLink(inside.db, { ...link, invitedBy: await lockInviters(inside, actor) });
      if (typeof put === "string") throw toMemberChangeError(put);
      return put;
    },
    () => ({ action: "member.link", target: memberId, organizationId }),
  );
  return { member_id: memberId, url: joinLink(control, secret.plaintext), expires_at: expiresAt.toISOString() };
}
