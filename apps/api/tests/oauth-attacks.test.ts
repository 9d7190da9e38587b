// Attacks on the sign-in of MCP clients: stolen codes and tokens, wrong clients and redirects, other sites, and people
// who leave.

import { purgeDeleted, type StorageContext } from "@dari/control/storage";
import { authenticateKey } from "@dari/control/tenants";
import { apiKeys } from "@dari/db";
import { createTestKey } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import {
  answerOf,
  approve,
  ask,
  browse,
  connect,
  createAttempt,
  createPerson,
  decide,
  exchange,
  isAccepted,
  postForm,
  redirectUri,
  refresh,
  registerClient,
  shownTo,
  tokensOf,
  type Person,
} from "./oauth-fixture.ts";

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
const endsOf = async (organizationId: string): Promise<unknown[]> =>
  (
    await run(
      `select details ->> 'reason' as reason from audit_entries
       where organization_id = $1 and action = 'app.end' order by id`,
      [organizationId],
    )
  ).rows.map(({ reason }) => reason);

describe("a stolen code", () => {
  test("is useless without the verifier, for another client or address, and stays good for its owner", async () => {
    const attempt = await createAttempt(api);
    const code = await approve(api, person.cookie, attempt);
    const other = await registerClient(api, { client_name: "Other" });
    for (const wrong of [
      { code_verifier: "x".repeat(43) },
      { client_id: other },
      { redirect_uri: "http://127.0.0.1:1/callback" },
      { code: `${code.slice(0, -1)}${code.endsWith("A") ? "B" : "A"}` },
      { code: code.replace("dcod_", "dref_") },
    ]) {
      const reply = await exchange(api, attempt, code, wrong);
      expect([wrong, reply.status, reply.json["error"]]).toEqual([wrong, 400, "invalid_grant"]);
    }
    expect((await exchange(api, attempt, code, { code_verifier: "short" })).json["error"]).toBe("invalid_request");
    const elsewhere = await exchange(api, attempt, code, { resource: "https://other.example/mcp" });
    expect(elsewhere.json["error"]).toBe("invalid_target");
    // OAuth 2.1 sends no redirect URI here.
    tokensOf(await exchange(api, attempt, code, { redirect_uri: "" }));
    // Nor can its thief end the app.
    expect((await exchange(api, attempt, code, { code_verifier: "x".repeat(43) })).json["error"]).toBe("invalid_grant");
    expect((await exchange(api, attempt, code, { client_id: other })).json["error"]).toBe("invalid_grant");
    expect(await endsOf(person.organizationId)).toEqual([]);
  });

  test("ends the app when it is used again", async () => {
    const app = await connect(api, person.cookie);
    const again = await exchange(api, app, app.code);
    expect([again.status, again.json["error"]]).toEqual([400, "invalid_grant"]);
    expect(await isAccepted(api, app.access)).toBe(false);
    expect((await refresh(api, app.clientId, app.refresh)).json["error"]).toBe("invalid_grant");
    expect(await endsOf(person.organizationId)).toEqual(["code_reused"]);
  });

  test("is exchanged once of ten times at once", async () => {
    const attempt = await createAttempt(api);
    const code = await approve(api, person.cookie, attempt);
    const replies = await Promise.all(Array.from({ length: 10 }, () => exchange(api, attempt, code)));
    const good = replies.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    expect(await isAccepted(api, tokensOf(good[0]!).access)).toBe(false);
    expect(await endsOf(person.organizationId)).toEqual(["code_reused"]);
  });

  test("expires, and then leaves nothing", async () => {
    const attempt = await createAttempt(api);
    const code = await approve(api, person.cookie, attempt);
    await run(
      "update connected_apps set ends_at = clock_timestamp() - interval '2 minutes' where organization_id = $1",
      [person.organizationId],
    );
    expect((await exchange(api, attempt, code)).json["error"]).toBe("invalid_grant");
    await purgeDeleted({ db: api.db } as StorageContext);
    const keys = await run("select 1 from api_keys where member_id = $1", [person.memberId]);
    expect(keys.rows).toEqual([]);
    expect((await exchange(api, attempt, code)).json["error"]).toBe("invalid_grant");
  });
});

describe("a stolen refresh token", () => {
  test("ends the app when both holders have used it", async () => {
    const app = await connect(api, person.cookie);
    const next = tokensOf(await refresh(api, app.clientId, app.refresh));
    await run("update connected_apps set changed_at = clock_timestamp() - interval '31 seconds'");
    const stolen = await refresh(api, app.clientId, app.refresh);
    expect([stolen.status, stolen.json["error"]]).toEqual([400, "invalid_grant"]);
    expect(await isAccepted(api, next.access)).toBe(false);
    expect((await refresh(api, app.clientId, next.refresh)).json["error"]).toBe("invalid_grant");
    expect(await endsOf(person.organizationId)).toEqual(["refresh_token_reused"]);
  });

  test("of two generations ago ends the app at once", async () => {
    const app = await connect(api, person.cookie);
    const second = tokensOf(await refresh(api, app.clientId, app.refresh));
    const third = tokensOf(await refresh(api, app.clientId, second.refresh));
    expect((await refresh(api, app.clientId, app.refresh)).json["error"]).toBe("invalid_grant");
    expect(await isAccepted(api, third.access)).toBe(false);
  });

  test("is refused to another client, forged, or of a later generation, and ends nothing", async () => {
    const app = await connect(api, person.cookie);
    const other = await registerClient(api, { client_name: "Other" });
    expect((await refresh(api, other, app.refresh)).json["error"]).toBe("invalid_grant");
    for (const forged of [
      app.refresh.replace(".1.", ".2."),
      app.refresh.replace(".1.", ".0."),
      `${app.refresh}x`,
      "x",
    ]) {
      expect((await refresh(api, app.clientId, forged)).json["error"]).toBe("invalid_grant");
    }
    const target = await refresh(api, app.clientId, app.refresh, { resource: `${api.url}/v1` });
    expect(target.json["error"]).toBe("invalid_target");
    expect(await isAccepted(api, app.access)).toBe(true);
    expect(await endsOf(person.organizationId)).toEqual([]);
  });
});

describe("a request to the person", () => {
  test.each([
    ["javascript:alert(1)//https://a.example"],
    ["data:text/html,x"],
    ["http://example.com/callback"],
    ["https://user@example.com/callback"],
    ["https://example.com/callback#x"],
    ["https://example.com\\@evil.example/"],
    ["https://exa mple.com/"],
    ["https://еxample.com/"],
    ["myapp://callback"],
    ["cursor://evil/oauth/callback"],
    ["http://127.0.0.1.evil.example/"],
    ["http://localhost@evil.example/"],
    ["https:claude.ai/x"],
    ["https:///claude.ai/x"],
    [`https://example.com/${"x".repeat(500)}`],
    ["//example.com/"],
    [""],
  ])("cannot lead to %s", async (uri) => {
    const refused = await api.call("POST", "/oauth/register", {
      key: null,
      body: { redirect_uris: [redirectUri, uri] },
    });
    expect([refused.status, refused.json["error"]]).toEqual([400, "invalid_redirect_uri"]);
    const { request } = await createAttempt(api, { redirect_uri: uri });
    for (const reply of [await ask(api, person.cookie, request), await decide(api, person.cookie, request, "deny")]) {
      expect([reply.status, reply.json["redirect_to"]]).toEqual([422, undefined]);
    }
  });

  test.each([
    ["another path", "http://127.0.0.1:33418/callback/"],
    ["another host of this computer", "http://localhost:33418/callback"],
    ["a query", `${redirectUri}?x=1`],
    ["https", "https://127.0.0.1:33418/callback"],
  ])("cannot lead to %s than was registered", async (_, uri) => {
    const { request } = await createAttempt(api, { redirect_uri: uri });
    expect((await ask(api, person.cookie, request)).json.detail).toContain("has not registered this address");
    const web = await createAttempt(
      api,
      { redirect_uri: "https://a.example:444/cb" },
      { redirect_uris: ["https://a.example/cb"] },
    );
    expect((await ask(api, person.cookie, web.request)).status).toBe(422);
  });

  test("can use another port of this computer, and the redirect of Cursor", async () => {
    const port = await createAttempt(api, { redirect_uri: "http://127.0.0.1:50123/callback" });
    tokensOf(await exchange(api, port, await approve(api, person.cookie, port)));
    const cursor = "cursor://anysphere.cursor-mcp/oauth/callback";
    const uris = [cursor, "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"];
    const app = await createAttempt(api, { redirect_uri: cursor }, { client_name: "Cursor", redirect_uris: uris });
    expect((await ask(api, person.cookie, app.request)).json).toMatchObject({ redirect_kind: "this_computer" });
    tokensOf(await exchange(api, app, await approve(api, person.cookie, app)));
  });

  test.each([
    [{ response_type: "token" }, "unsupported_response_type"],
    [{ code_challenge_method: "plain" }, "invalid_request"],
    [{ code_challenge: "" }, "invalid_request"],
    [{ scope: "admin" }, "invalid_scope"],
    [{ resource: "https://other.example/mcp" }, "invalid_target"],
    [{ resource: "x" }, "invalid_target"],
    [{ resource: "data:text/html,/mcp" }, "invalid_target"],
  ])("with %j shows the problem, and only the client is told", async (wrong, error) => {
    const { request } = await createAttempt(api, wrong);
    expect((await ask(api, person.cookie, request)).json["problem"]).toMatchObject({ error });
    expect((await decide(api, person.cookie, request)).status).toBe(422);
    const answer = answerOf(await decide(api, person.cookie, request, "deny"));
    expect(Object.fromEntries(answer)).toMatchObject({ error, state: "a state", iss: api.url });
  });

  test("of a client that was not registered here is refused", async () => {
    const { clientId, request } = await createAttempt(api);
    const [, text = ""] = /^dcli_([^.]+)\./.exec(clientId) ?? [];
    const evil = Buffer.from(JSON.stringify(["Evil", "https://evil.example/"])).toString("base64url");
    for (const id of [clientId.replace(text, evil), "dcli_x", "https://client.example/metadata.json", ""]) {
      const reply = await ask(api, person.cookie, { ...request, client_id: id, redirect_uri: "https://evil.example/" });
      expect(reply.status).toBe(422);
      expect((await decide(api, person.cookie, { ...request, client_id: id }, "deny")).status).toBe(422);
    }
  });

  test("names the client in plain text", async () => {
    const name = "Cl\u202eaude\u0000\u200b\u3164\n  Code <b>x</b> ".padEnd(300, "y");
    const { request } = await createAttempt(api, {}, { client_name: name });
    const shown = String((await ask(api, person.cookie, request)).json["client_name"]);
    expect(shown).toMatch(/^Claude ?Code <b>x<\/b> y+$/);
    expect([...shown]).toHaveLength(100);
    for (const nameless of [undefined, " \u200b ", 7]) {
      const { request: other } = await createAttempt(api, {}, { client_name: nameless });
      expect((await ask(api, person.cookie, other)).json["client_name"]).toBe("127.0.0.1:33418");
    }
  });

  test("is decided only on the platform's own pages, by people", async () => {
    const { request } = await createAttempt(api);
    const { cookie } = person;
    const body = { decision: "approve", ...(await shownTo(api, cookie)), ...request };
    for (const headers of [
      { cookie, origin: "https://evil.example" },
      { cookie, origin: "null" },
      { cookie, origin: api.url, "sec-fetch-site": "cross-site" },
      { cookie },
    ]) {
      const reply = await api.call("POST", "/v1/me/app-authorization", { key: null, body, headers });
      expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
    }
    const { apiKey } = await createTestKey(api.db, person.organizationId, ["admin"]);
    for (const key of [apiKey, null]) {
      const reply = await api.call("POST", "/v1/me/app-authorization", { key, body });
      expect(reply.status).toBe(key === null ? 401 : 403);
    }
    expect(
      (await run("select 1 from connected_apps where organization_id = $1", [person.organizationId])).rows,
    ).toEqual([]);
  });

  test("with a repeated parameter does not reach the page", async () => {
    const { request } = await createAttempt(api);
    const query = `${new URLSearchParams(request).toString()}&redirect_uri=https%3A%2F%2Fevil.example`;
    expect((await api.call("GET", `/oauth/authorize?${query}`, { key: null })).status).toBe(422);
    const form = "grant_type=refresh_token&client_id=a&client_id=b&refresh_token=x";
    expect((await postForm(api, "/oauth/token", form)).json["error"]).toBe("invalid_request");
  });
});

test.each([
  ["no client", { grant_type: "refresh_token" }, "invalid_client"],
  ["a client of before a new master key", { grant_type: "refresh_token", client_id: "dcli_x.y" }, "invalid_client"],
  ["a NUL", { grant_type: "refresh_token", client_id: "a\0b" }, "invalid_request"],
  ["nothing", {}, "invalid_request"],
])("a token request with %s is refused", async (_, form, error) => {
  const reply = await postForm(api, "/oauth/token", form);
  expect([reply.status >= 400 && reply.status < 500, reply.json["error"]]).toEqual([true, error]);
});

test.each([
  [{}],
  [{ redirect_uris: [] }],
  [{ redirect_uris: "https://a.example" }],
  [{ redirect_uris: [7] }],
  [{ redirect_uris: Array.from({ length: 11 }, (_, n) => `https://a.example/${n}`) }],
  [[]],
  [{ redirect_uris: Array.from({ length: 10 }, (_, n) => `https://a.example/${"x".repeat(300)}${n}`) }],
])("a registration of %j is refused", async (body) => {
  const reply = await api.call("POST", "/oauth/register", { key: null, body });
  expect([reply.status, reply.json["error"]]).toEqual([
    400,
    expect.stringMatching(/^invalid_(redirect_uri|client_metadata)$/),
  ]);
});

test("an approval is for the person and the organization that the page has shown", async () => {
  const { request } = await createAttempt(api);
  const other = await createPerson(api);
  const colleague = await createPerson(api, "member", person.organizationId);
  for (const { cookie } of [other, colleague]) {
    const body = { decision: "approve", ...(await shownTo(api, cookie)), ...request };
    const reply = await browse(api, person.cookie, "POST", "/v1/me/app-authorization", body);
    expect([reply.status, reply.json.detail]).toEqual([409, expect.stringContaining("as someone else")]);
  }
  const alone = { decision: "approve", organization_id: person.organizationId, ...request };
  expect((await browse(api, person.cookie, "POST", "/v1/me/app-authorization", alone)).status).toBe(409);
});

test("a stream of an app goes on while its app can renew its token, and ends with the app", async () => {
  const { access } = await connect(api, person.cookie);
  const { keyId } = await authenticateKey(api.control, access);
  await run("update api_keys set expires_at = clock_timestamp() where id = $1", [keyId]);
  expect(await isAccepted(api, access)).toBe(false);
  expect(await apiKeys.listUsableKeyIds(api.db, [keyId])).toEqual(new Set([keyId]));
  await apiKeys.revokeApiKeyIfLive(api.db, person.organizationId, keyId);
  expect(await apiKeys.listUsableKeyIds(api.db, [keyId])).toEqual(new Set());
});

test("the holder of one app's tokens cannot keep the platform busy", async () => {
  const app = await connect(api, person.cookie);
  const replies = await Promise.all(Array.from({ length: 25 }, () => refresh(api, app.clientId, app.refresh)));
  const statuses = replies.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(20);
  const other = await connect(api, person.cookie);
  tokensOf(await refresh(api, other.clientId, other.refresh));
});
