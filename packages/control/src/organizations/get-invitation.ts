// Reads an invitation.

import type { InvitationRecord } from "@dari/contract";
import { members } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { found } from "../refusals.ts";
import { renderMember } from "../views/organization.ts";

/** @throws AppError `not_found` */
export async function getInvitation(control: Control, actor: Actor, invitationId: string): Promise<InvitationRecord> {
  return renderMember(
    found(await members.findInvitation(control.db, actor.organizationId, invitationId), "invitation"),
  );
}
