// What people may do by their roles, how they leave, and the audit entries.

import { routes, validate, type AuditEntry, type Role } from "@dari/contract";
import { createTestMember } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { cookieOf, createPeople, tokenOf, type People } from "./people.ts";

let api: TestApi;
let people: People;
let own: string;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  people = await createPeople(api);
  ({ own } = people);
});

const call: People["call"] = (...args) => people.call(...args);
const by: People["by"] = (...args) => people.by(...args);
const open: People["open"] = (...args) => people.open(...args);
const join: People["join"] = (...args) => people.join(...args);

const audited = async (): Promise<AuditEntry[]> => {
  const reply = await call("GET", `${own}/audit-log?limit=100`);
  expect(validate(routes.listAuditLog.reply, reply.json)).toEqual([]);
  return reply.json["audit_entries"] as AuditEntry[];
};

describe("roles", () => {
  const setRole = (who: string | undefined, memberId: string, role: Role): Promise<TestReply> => {
    const path = `${own}/members/${memberId}`;
    return who === undefined ? call("PATCH", path, { body: { role } }) : by(who, "PATCH", path, { role });
  };

  test("are changed by admins and take effect with the next call; only owners change owners", async () => {
    const [owner, admin, member] = [await join("owner"), await join("admin"), await join("member")];
    const raised = await setRole(admin.cookie, member.memberId, "admin");
    expect([raised.status, validate(routes.updateMember.reply, raised.json)]).toEqual([200, []]);
    expect((await by(member.cookie, "GET", `${own}/members`)).status).toBe(200);
    expect((await setRole(admin.cookie, member.memberId, "member")).status).toBe(200);
    expect((await by(member.cookie, "GET", `${own}/members`)).status).toBe(403);
    for (const [memberId, role] of [
      [admin.memberId, "owner"],
      [member.memberId, "owner"],
      [owner.memberId, "member"],
    ] as const) {
      const reply = await setRole(admin.cookie, memberId, role);
      expect([role, reply.status, reply.json.detail]).toEqual([role, 403, expect.stringMatching(/^only owners/)]);
    }
    expect((await by(admin.cookie, "DELETE", `${own}/members/${owner.memberId}`)).status).toBe(403);
    const body = { email: "x@people.example", role: "owner" };
    expect((await by(admin.cookie, "POST", `${own}/invitations`, body)).status).toBe(403);
    expect((await setRole(owner.cookie, admin.memberId, "owner")).status).toBe(200);
    expect((await by(admin.cookie, "GET", "/v1/me")).json).toMatchObject({ member: { role: "owner" } });
  });

  test("an admin cannot become an owner through a key", async () => {
    const [owner, admin] = [await join("owner"), await join("admin")];
    const made = await by(admin.cookie, "POST", `${own}/api-keys`, { label: "mine", scopes: ["admin"] });
    const ensured = await by(admin.cookie, "POST", `${own}/managed-cli-key/ensure`, { device_name: "laptop" });
    const further = await call("POST", `${own}/api-keys`, {
      key: String(made.json["api_key"]),
      body: { label: "further", scopes: ["admin"] },
    });
    for (const { json } of [made, ensured, further]) {
      const key = String(json["api_key"]);
      const body = { role: "member" };
      expect((await call("PATCH", `${own}/members/${owner.memberId}`, { key, body })).status).toBe(403);
      expect((await call("GET", `${own}/members`, { key })).status).toBe(200);
    }
  });

  test("an admin cannot become an owner through another person who becomes one", async () => {
    const [owner, admin, member] = [await join("owner"), await join("admin"), await join("member")];
    const makeLink = (): Promise<TestReply> =>
      by(admin.cookie, "POST", `${own}/members/${member.memberId}/sign-in-link`);
    const asMember = cookieOf(await open(tokenOf((await makeLink()).json)));
    const kept = await makeLink();
    expect((await setRole(owner.cookie, member.memberId, "owner")).status).toBe(200);
    expect((await setRole(asMember, owner.memberId, "member")).status).toBe(403);
    expect((await open(tokenOf(kept.json))).status).toBe(404);
    expect((await makeLink()).status).toBe(403);
    const link = await by(owner.cookie, "POST", `${own}/members/${member.memberId}/sign-in-link`);
    expect((await setRole(cookieOf(await open(tokenOf(link.json))), owner.memberId, "member")).status).toBe(200);
  });

  test("the last owner stays, also when two owners are removed at the same time", async () => {
    const [ann, bob] = [await join("owner", "ann@people.example"), await join("owner", "bob@people.example")];
    const both = await Promise.all([
      setRole(undefined, ann.memberId, "member"),
      setRole(undefined, bob.memberId, "admin"),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [last] = (await call("GET", `${own}/members`)).json["members"] as { id: string; role: string }[];
    const left = [ann, bob].find(({ memberId }) => (last!.role === "owner") === (memberId === last!.id))!;
    const removed = await call("DELETE", `${own}/members/${left.memberId}`);
    expect([removed.status, removed.json.detail]).toEqual([409, expect.stringMatching(/the last owner/)]);
    expect((await setRole(undefined, left.memberId, "owner")).status).toBe(200);
    expect((await by(left.cookie, "GET", "/v1/me")).json).toMatchObject({ member: { role: "owner" } });
    const { memberId } = await createTestMember(api.db, people.org.organizationId, "owner");
    const gone = await Promise.all([left.memberId, memberId].map((id) => call("DELETE", `${own}/members/${id}`)));
    expect(gone.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test("of another organization's members cannot be touched", async () => {
    const { memberId } = await createTestMember(api.db, api.stranger.organizationId);
    expect((await setRole(undefined, memberId, "admin")).status).toBe(404);
    expect((await call("DELETE", `${own}/members/${memberId}`)).status).toBe(404);
    expect((await call("GET", `${own}/members?after=${memberId}`)).status).toBe(422);
  });
});

test("a removed member loses browsers, links and device keys immediately; the organization's keys stay", async () => {
  await join("owner");
  const gone = await join("admin");
  const ensured = await by(gone.cookie, "POST", `${own}/managed-cli-key/ensure`, { device_name: "laptop" });
  const made = await by(gone.cookie, "POST", `${own}/api-keys`, { label: "of all", scopes: ["run"] });
  const link = await call("POST", `${own}/members/${gone.memberId}/sign-in-link`);
  const [deviceKey, key] = [ensured, made].map(({ json }) => String(json["api_key"]));
  const listed = await call("GET", `${own}/members`);
  expect([listed.status, validate(routes.listMembers.reply, listed.json)]).toEqual([200, []]);
  const removed = await call("DELETE", `${own}/members/${gone.memberId}`);
  expect(removed.json).toEqual({ deleted: true, id: gone.memberId });
  expect((await by(gone.cookie, "GET", "/v1/me")).status).toBe(401);
  expect((await call("GET", "/v1/me", { key: deviceKey! })).status).toBe(401);
  expect((await open(tokenOf(link.json))).status).toBe(404);
  expect((await call("GET", "/v1/agents", { key: key! })).status).toBe(200);
  expect((await call("DELETE", `${own}/members/${gone.memberId}`)).status).toBe(404);
});

test("a device key can do what its person can do now, is one per person and device, and signs itself out", async () => {
  await join("owner");
  const [ann, bob] = [await join("admin", "ann@people.example"), await join("admin", "bob@people.example")];
  const ensure = async (cookie: string): Promise<string> => {
    const reply = await by(cookie, "POST", `${own}/managed-cli-key/ensure`, { device_name: "laptop" });
    return String(reply.json["api_key"]);
  };
  const [old, bobs, anns] = [await ensure(ann.cookie), await ensure(bob.cookie), await ensure(ann.cookie)];
  const status = async (key: string): Promise<number> => (await call("GET", `${own}/members`, { key })).status;
  expect([await status(old), await status(bobs), await status(anns)]).toEqual([401, 200, 200]);
  const { rows } = await api.db.pool.query(
    `select 1 from api_keys where member_id = any ($1) and revoked_at is null
      and expires_at between now() + interval '89 days' and now() + interval '91 days'`,
    [[ann.memberId, bob.memberId]],
  );
  expect(rows).toHaveLength(2);
  await call("PATCH", `${own}/members/${ann.memberId}`, { body: { role: "member" } });
  expect([await status(anns), (await call("GET", "/v1/agents", { key: anns })).status]).toEqual([403, 200]);
  expect((await call("DELETE", "/v1/me/sign-in", { key: anns })).json).toEqual({ signed_out: true });
  expect((await call("GET", "/v1/agents", { key: anns })).status).toBe(401);
  expect((await call("DELETE", "/v1/me/sign-in")).status).toBe(409);
});

test("every change is recorded with the person who made it, and without a secret", async () => {
  const owner = await join("owner");
  const guest = await join("member");
  await by(owner.cookie, "PATCH", `${own}/members/${guest.memberId}`, { role: "admin" });
  await by(owner.cookie, "POST", `${own}/members/${guest.memberId}/sign-in-link`);
  await by(owner.cookie, "POST", `${own}/managed-cli-key/ensure`, { device_name: "laptop" });
  await by(guest.cookie, "DELETE", "/v1/me/sign-in");
  await by(owner.cookie, "DELETE", `${own}/members/${guest.memberId}`);
  const entries = (await audited()).reverse();
  expect(entries.map(({ action, actor_member_id }) => [action, actor_member_id])).toEqual([
    ["invitation.create", null],
    ["invitation.accept", owner.memberId],
    ["member.sign_in", owner.memberId],
    ["invitation.create", null],
    ["invitation.accept", guest.memberId],
    ["member.sign_in", guest.memberId],
    ["member.update", owner.memberId],
    ["member.link", owner.memberId],
    ["api_key.create", owner.memberId],
    ["member.sign_out", guest.memberId],
    ["member.remove", owner.memberId],
  ]);
  expect(entries.every((entry) => entry.request_id !== null)).toBe(true);
  expect(JSON.stringify(entries)).not.toMatch(/d(inv|lnk|ses|ari)_[\w-]{43}/);
});
