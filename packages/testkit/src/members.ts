// People for tests: members, and their signed-in browsers.

import { createHash, randomBytes } from "node:crypto";
import { invitations, members, signIns, type Database } from "@dari/db";
import { newId } from "@dari/domain";

export interface TestMember {
  readonly memberId: string;
  readonly email: string;
}

export async function createTestMember(
  db: Database,
  organizationId: string,
  role: "owner" | "admin" | "member" = "member",
): Promise<TestMember> {
  const id = newId("member");
  const email = `${id.slice(-10)}@people.example`;
  const row = await members.insertMemberIfNew(db, { id, organizationId, email, role });
  if (row === undefined) throw new Error(`the organization has a member ${email} already`);
  return { memberId: id, email };
}

/** Signs a browser in as the member, and returns the value of the cookie that the platform would set. */
export async function signInTestMember(
  db: Database,
  organizationId: string,
  memberId: string,
  method: "link" | "oidc" = "link",
): Promise<{ readonly signInId: string; readonly cookie: string }> {
  const secret = `dses_${randomBytes(32).toString("base64url")}`;
  const secretHash = createHash("sha256").update(secret).digest();
  const id = newId("signIn");
  const signIn = { id, organizationId, memberId, secretHash, method, validMs: 3_600_000 };
  if ((await signIns.insertSignIn(db, signIn)) === undefined) throw new Error("there is no such member");
  return { signInId: id, cookie: `dari_sign_in=${secret}` };
}

export async function createTestInvitation(db: Database, organizationId: string): Promise<string> {
  const id = newId("invitation");
  const invitation = {
    id,
    organizationId,
    email: `${id.slice(-10)}@people.example`,
    role: "member",
    secretHash: randomBytes(32),
    validMs: 3_600_000,
  };
  const put = await invitations.putInvitationUnlessMember(db, invitation, 1_000);
  if (typeof put === "string") throw new Error(`the invitation was not made: ${put}`);
  return id;
}
