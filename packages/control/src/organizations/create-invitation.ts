// Invites a person to an organization. Sends nothing: the record is what an administrator passes on.

import type { CreateInvitationRequest, InvitationRecord } from "@dari/contract";
import { members } from "@dari/db";
import { AppError, newId } from "@dari/domain";
import { onRecord } from "../audit/record-change.ts";
import type { Actor, Control } from "../context.ts";
import { renderMember } from "../views/organization.ts";

/** Inviting an address again changes the role. @throws AppError `conflict` when it is a member's. */
export async function createInvitation(
  control: Control,
  actor: Actor,
  request: CreateInvitationRequest,
): Promise<InvitationRecord> {
  const row = await onRecord(
    control,
    actor,
    async (inside) => {
      const invited = await members.putInvitationUnlessMember(inside.db, {
        id: newId("invitation"),
        organizationId: actor.organizationId,
        email: request.email.toLowerCase(),
        role: request.role,
      });
      if (invited === undefined) throw new AppError("conflict", `${request.email} is a member already`);
      return invited;
    },
    ({ id, email, role }) => ({ action: "invitation.create", target: id, details: { email, role } }),
  );
  return renderMember(row);
}
