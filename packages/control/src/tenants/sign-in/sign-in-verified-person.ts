// Signs in a person whom the identity provider has authenticated: by an existing membership, never by an invitation,
// which only the holder of its link can accept.

import { inOneTransaction, type Control } from "@dari/control/context";
import { members, type VerifiedPerson } from "@dari/db";
import { signInMember, type BrowserSignIn } from "./sign-in-browser.ts";

/**
 * `several_members`: several organizations have a member with this address, and this person has signed in to none.
 */
export type SignInProblem = "no_member" | "several_members";

/**
 * Signs in to the requested organization, or else the last used one, or else the only one. Any organization can add an
 * address, so if there are several, none is chosen. After that, the membership belongs to this subject: another subject
 * of the provider that gets the address later is another person.
 */
export async function signInVerifiedPerson(
  control: Control,
  person: VerifiedPerson,
  options: { readonly organizationId?: string | undefined; readonly requestId: string | undefined },
): Promise<BrowserSignIn | SignInProblem> {
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
