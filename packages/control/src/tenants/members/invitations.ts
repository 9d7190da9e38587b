// Invitations: a link that makes its opener a member. No mail is sent; an administrator passes the link on.

import type { CreateInvitationRequest, Deleted, InvitationCreated, InvitationRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { invitations, type Page } from "@dari/db";
import { AppError, requireFound, limits, newId, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { createSignInSecret } from "../sign-in/sign-in-secret.ts";
import { lockInviters } from "../sign-in/lock-inviters.ts";
import { joinLink } from "../sign-in/join-link.ts";
import { renderInvitation } from "../views/organization.ts";
import { canManageOwners, ownerRequiredError } from "./owners.ts";

/**
 * Creates an invitation. For an invited address, changes the role and replaces the link. `organizationId`: the caller's
 * own, or any if the caller is an operator.
 * @throws AppError `conflict` if the address belongs to a member; `forbidden` for an owner's role if the caller is not
 *   one.
 */
export async function createInvitation(
  control: Control,
  actor: Actor,
  organizationId: string,
  request: CreateInvitationRequest,
): Promise<InvitationCreated> {
  if (request.role === "owner" && !canManageOwners(actor)) throw ownerRequiredError();
  const secret = createSignInSecret("invitation");
  const invitation = {
    id: newId("invitation"),
    organizationId,
    email: request.email.toLowerCase(),
    role: request.role,
    secretHash: secret.hash,
    validMs: limits.invitationMs,
  };
  const row = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const made = { ...invitation, invitedBy: await lockInviters(inside, actor) };
      const put = await invitations.putInvitationUnlessMember(inside.db, made, limits.invitationsPerOrganization);
      if (put === "member") throw new AppError("conflict", `${request.email} is already a member`);
      if (put === "missing") throw notFound("organization");
      if (put === "full") throw new AppError("conflict", tooMany);
      return put;
    },
    ({ id, email, role }) => ({ action: "invitation.create", target: id, organizationId, details: { email, role } }),
  );
  return { ...renderInvitation(row), url: joinLink(control, secret.plaintext) };
}

const tooMany = `limit reached: ${limits.invitationsPerOrganization} open invitations per organization; revoke some`;

/** @throws AppError `not_found`, also for an accepted invitation. */
export async function getInvitation(
  control: Control,
  organizationId: string,
  invitationId: string,
): Promise<InvitationRecord> {
  return renderInvitation(
    requireFound(await invitations.findInvitation(control.db, organizationId, invitationId), "invitation"),
  );
}

export async function listInvitations(control: Control, actor: Actor, page: Page): Promise<PageOf<InvitationRecord>> {
  return renderPage(await invitations.listInvitations(control.db, actor.organizationId, page), renderInvitation);
}

/** @throws AppError `not_found`, also for an accepted invitation. */
export async function deleteInvitation(control: Control, actor: Actor, invitationId: string): Promise<Deleted> {
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const deleted = await invitations.deleteInvitation(inside.db, actor.organizationId, invitationId);
      if (!deleted) throw notFound("invitation");
    },
    () => ({ action: "invitation.delete", target: invitationId }),
  );
  return { deleted: true, id: invitationId };
}
