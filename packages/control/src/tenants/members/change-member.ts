// Changes a member's role, or removes the member. An organization with owners keeps at least one.

import type { Deleted, MemberRecord, UpdateMemberRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { members } from "@dari/db";
import { withAuditEntry } from "../audit/record-change.ts";
import { renderMember } from "../views/organization.ts";
import { canManageOwners, toMemberChangeError } from "./owners.ts";

/**
 * Takes effect with the person's next call, from every browser and key.
 * @throws AppError `not_found`; `forbidden` if an owner is concerned and the caller is not one; `conflict` for the last
 *   owner.
 */
export async function updateMember(
  control: Control,
  actor: Actor,
  memberId: string,
  request: UpdateMemberRequest,
): Promise<MemberRecord> {
  const change = {
    organizationId: actor.organizationId,
    memberId,
    role: request.role,
    managesOwners: canManageOwners(actor),
  };
  const { after } = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const changed = await members.setMemberRoleUnlessLastOwner(inside.db, change);
      if (typeof changed === "string") throw toMemberChangeError(changed);
      return changed;
    },
    ({ before, after: { email, role } }) => ({
      action: "member.update",
      target: memberId,
      details: { email, before, after: role },
    }),
  );
  return renderMember(after);
}

/** Removes a member with all of the person's sign-ins and keys. @throws AppError as `updateMember` */
export async function removeMember(control: Control, actor: Actor, memberId: string): Promise<Deleted> {
  const change = { organizationId: actor.organizationId, memberId, managesOwners: canManageOwners(actor) };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const removed = await members.deleteMemberUnlessLastOwner(inside.db, change);
      if (typeof removed === "string") throw toMemberChangeError(removed);
      return removed;
    },
    ({ email, role }) => ({ action: "member.remove", target: memberId, details: { email, role } }),
  );
  return { deleted: true, id: memberId };
}
