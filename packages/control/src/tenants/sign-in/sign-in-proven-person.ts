// Signs in who has come from the identity provider: by a membership that this person has, never by an invitation, which
// only the holder of its link accepts.

import { inOneTransaction, type Control } from "@dari/control/context";
import { members, type ProvenPerson } from "@dari/db";
import { signInMember, type BrowserSignIn } from "./sign-in.ts";

/** `several_members`: of which the address is one, and that this person has never come into. */
export type NoSignIn = "no_member" | "several_members";

/**
 * Into the wanted organization, else into the last used, else into the only one. Any organization may make an address
 * its member, so that of several that did none is chosen. From then on the membership is this subject's: another one of
 * the same provider that comes to have the address is somebody else.
 */
export async function signInProvenPerson(
  control: Control,
  person: ProvenPerson,
  options: { readonly organizationId?: string | undefined; readonly requestId: string | undefined },
): Promise<BrowserSignIn | NoSignIn> {
  return inOneTransaction(control, async (inside) => {
    const proven = { ...person, email: person.email.toLowerCase() };
    const [one, another] = await members.listMembershipsOf(inside.db, proven, options.organizationId);
    if (one === undefined) return "no_member";
    if (!one.isBound && another !== undefined) return "several_members";
    if (!(await members.bindMemberToSubjectIfFree(inside.db, one.id, person))) return "no_member";
    const who = { organizationId: one.organizationId, memberId: one.id, method: "oidc" } as const;
    return (await signInMember(inside, who, options.requestId)) ?? "no_member";
  });
}
