// Signs in who has come from the identity provider: by a membership that this person has, never by an invitation, which
// only the holder of its link accepts.

import { members, type ProvenPerson } from "@dari/db";
import type { Control } from "../context.ts";
import { inOneTransaction } from "../one-transaction.ts";
import { signInMember, type BrowserSignIn } from "./sign-in.ts";

/**
 * Into the wanted organization, else into the last used. From then on the membership is this subject's: another one of
 * the same provider that comes to have the address is somebody else. Undefined when the person is no member there.
 */
export async function signInProvenPerson(
  control: Control,
  person: ProvenPerson,
  options: { readonly organizationId?: string | undefined; readonly requestId: string | undefined },
): Promise<BrowserSignIn | undefined> {
  return inOneTransaction(control, async (inside) => {
    const proven = { ...person, email: person.email.toLowerCase() };
    const [one] = await members.listMembershipsOf(inside.db, proven, options.organizationId);
    if (one === undefined || !(await members.bindMemberToSubjectIfFree(inside.db, one.id, person))) return undefined;
    const who = { organizationId: one.organizationId, memberId: one.id, method: "oidc" } as const;
    return signInMember(inside, who, options.requestId);
  });
}
