// An organization with people for a test, and their calls: with its key, or with a signed-in browser.

import { routes, validate, type InvitationCreated, type Role } from "@dari/contract";
import { createTestOrganization, type TestOrganization } from "@dari/testkit";
import { expect } from "@jest/globals";
import type { CallOptions, TestApi, TestReply } from "./api-fixture.ts";

export interface People {
  readonly org: TestOrganization;
  /** The organization's path. */
  readonly own: string;
  /** With the organization's admin key. */
  call(method: string, path: string, options?: CallOptions): Promise<TestReply>;
  /** Calls like a browser from the platform's own pages. */
  by(cookie: string, method: string, path: string, body?: unknown): Promise<TestReply>;
  invite(role: Role, email?: string): Promise<InvitationCreated>;
  /** Opens a link with the secret after its `#`. */
  open(token: string, headers?: Record<string, string>): Promise<TestReply>;
  /** Invites a person, who opens the link. */
  join(role: Role, email?: string): Promise<{ readonly memberId: string; readonly cookie: string }>;
}

export async function createPeople(api: TestApi): Promise<People> {
  const org = await createTestOrganization(api.db);
  const own = `/v1/organizations/${org.organizationId}`;
  // All tests come from one address.
  await api.db.pool.query("delete from sign_in_tries");
  const call: People["call"] = (method, path, options = {}) => api.call(method, path, { key: org.apiKey, ...options });
  const invite: People["invite"] = async (role, email = `${role}@people.example`) => {
    const reply = await call("POST", `${own}/invitations`, { body: { email, role } });
    expect([reply.status, validate(routes.createInvitation.reply, reply.json)]).toEqual([201, []]);
    return reply.json as unknown as InvitationCreated;
  };
  const open: People["open"] = (token, headers = {}) =>
    api.call("POST", "/v1/auth/link", { key: null, body: { token }, headers });
  return {
    org,
    own,
    call,
    invite,
    open,
    by(cookie, method, path, body) {
      const headers = { cookie, origin: api.url, "sec-fetch-site": "same-origin" };
      return api.call(method, path, { key: null, body, headers });
    },
    async join(role, email) {
      const reply = await open(tokenOf(await invite(role, email)));
      expect([reply.status, validate(routes.openSignInLink.reply, reply.json)]).toEqual([200, []]);
      return { memberId: String(reply.json["member_id"]), cookie: cookieOf(reply) };
    },
  };
}

/** Returns the text after the `#` of a link. */
export function tokenOf(made: object): string {
  return String((made as { readonly url?: unknown }).url).split("#")[1] ?? "";
}

/** Returns the first cookie that a reply sets, as a browser sends it. */
export function cookieOf(reply: TestReply): string {
  return String(reply.headers.get("set-cookie")?.split(";")[0]);
}
