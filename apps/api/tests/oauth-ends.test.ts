// How connected apps end, what is stored of them, and their limits.

import { authenticateKey } from "@dari/control/tenants";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import {
  approve,
  browse,
  connect,
  createAttempt,
  createPerson,
  decide,
  exchange,
  isAccepted,
  refresh,
  tokensOf,
  type Person,
} from "./oauth-fixture.ts";
import { createPeople, tokenOf } from "./people.ts";

let api: TestApi;
let person: Person;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  person = await createPerson(api);
});

const run = (text: string, values: unknown[] = []) => api.db.pool.query<Record<string, unknown>>(text, values);

describe("an app ends with", () => {
  test("the person's membership, between approval and exchange and after", async () => {
    const owner = await createPerson(api, "owner", person.organizationId);
    const attempt = await createAttempt(api);
    const [app, code] = [await connect(api, person.cookie), await approve(api, person.cookie, attempt)];
    const path = `/v1/organizations/${person.organizationId}/members/${person.memberId}`;
    expect((await browse(api, owner.cookie, "DELETE", path)).status).toBe(200);
    expect(await isAccepted(api, app.access)).toBe(false);
    expect((await refresh(api, app.clientId, app.refresh)).json["error"]).toBe("invalid_grant");
    expect((await exchange(api, attempt, code)).json["error"]).toBe("invalid_grant");
  });

  test("the member whose link signed the browser in", async () => {
    const people = await createPeople(api);
    const admin = await people.join("admin");
    const member = await people.join("member", "m@people.example");
    const link = await people.by(admin.cookie, "POST", `${people.own}/members/${member.memberId}/sign-in-link`);
    const opened = await people.open(tokenOf(link.json));
    const cookie = String(opened.headers.get("set-cookie")?.split(";")[0]);
    const attempt = await createAttempt(api);
    const [app, code] = [await connect(api, cookie), await approve(api, cookie, attempt)];
    expect((await people.call("DELETE", `${people.own}/members/${admin.memberId}`)).status).toBe(200);
    expect(await isAccepted(api, app.access)).toBe(false);
    expect((await exchange(api, attempt, code)).json["error"]).toBe("invalid_grant");
  });

  test("the revocation of its key by an admin, and the deletion of the organization", async () => {
    const people = await createPeople(api);
    const { cookie } = await people.join("member");
    const [first, second] = [await connect(api, cookie), await connect(api, cookie)];
    const { keyId } = await authenticateKey(api.control, first.access);
    expect((await people.call("DELETE", `${people.own}/api-keys/${keyId}`)).status).toBe(200);
    expect((await refresh(api, first.clientId, first.refresh)).json["error"]).toBe("invalid_grant");
    await run("update organizations set deleted_at = clock_timestamp() where id = $1", [people.org.organizationId]);
    expect(await isAccepted(api, second.access)).toBe(false);
  });
});

test("no code or token is stored, logged or in the audit log", async () => {
  const app = await connect(api, person.cookie);
  const next = tokensOf(await refresh(api, app.clientId, app.refresh));
  const rows = await run(`select row_to_json(a)::text as text from connected_apps a
    union all select row_to_json(k)::text from api_keys k union all select row_to_json(e)::text from audit_entries e`);
  const stored = JSON.stringify([rows.rows, api.log]);
  for (const secret of [app.code, app.access, app.refresh, next.access, next.refresh, app.verifier]) {
    expect(stored).not.toContain(secret);
    expect(stored).not.toContain(Buffer.from(secret).toString("hex"));
  }
});

test("the maximum of apps is refused by name", async () => {
  const { request } = await createAttempt(api);
  await connect(api, person.cookie);
  await run(
    `with k as (insert into api_keys (id, organization_id, label, secret_hash, scopes, member_id, is_app)
      select 'key_full' || i || $2, $1, 'app: x', decode(md5('full' || i || $2), 'hex'), '{read}', $2, true
      from generate_series(1, 99) i returning id)
     insert into connected_apps
       (api_key_id, organization_id, client_id, client_name, redirect_uri, code_challenge, ends_at)
     select id, $1, 'x', 'x', 'https://a.example/', 'x', clock_timestamp() + interval '1 day' from k`,
    [person.organizationId, person.memberId],
  );
  const refused = await decide(api, person.cookie, request);
  expect([refused.status, refused.json.detail]).toEqual([409, expect.stringContaining("100 connected apps")]);
  expect((await decide(api, (await createPerson(api, "member", person.organizationId)).cookie, request)).status).toBe(
    200,
  );
});

test("wrong token requests use up an address's limit, and valid ones go on", async () => {
  await using limited = await startTestApi({ settings: { unauthenticatedPerMinute: 5 } });
  const someone = await createPerson(limited);
  const { clientId, refresh: token } = await connect(limited, someone.cookie);
  const statuses = [];
  for (let count = 0; count < 6; count++) statuses.push((await refresh(limited, clientId, "x")).status);
  expect(statuses.slice(-1)).toEqual([429]);
  tokensOf(await refresh(limited, clientId, token));
  expect((await limited.call("POST", "/oauth/register", { key: null, body: {} })).status).toBe(429);
});
