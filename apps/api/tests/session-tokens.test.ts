// Session tokens: what they say about who sends, when they end, and what limits them.

import { findViolations } from "@dari/db";
import { sessionTokenLimits } from "@dari/domain";
import { createTestAgent, createTestKey, createTestMember, createTestSession, signInTestMember } from "@dari/testkit";
import { createTestOrganization, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { createToken, signToken, tokenOf, uploadText } from "./session-token-fixture.ts";
import { complete } from "./turn.ts";
import { claimIn, preview, watchRaw } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 20_000 } });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

const newSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const saying = (text: string, more: object = {}) => ({ parts: [{ type: "text", text }], ...more });
const send = (sessionId: string, key: string, body: object = saying("hi")) =>
  api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { key, body });
const get = (sessionId: string, key: string) => api.call("GET", `/v1/sessions/${sessionId}`, { key });
const revoke = (sessionId: string) => api.call("DELETE", `/v1/sessions/${sessionId}/tokens`);

test("a token says what it is for, and when it ends", async () => {
  const sessionId = await newSession();
  const endUser = { id: "u1", name: "Zoë" };
  const made = await createToken(api, sessionId, { expires_in: 120, scopes: ["read", "send"], end_user: endUser });
  expect(made).toMatchObject({ session_id: sessionId, scopes: ["send", "read"], end_user: endUser });
  expect(Math.abs(Date.parse(made.expires_at) - Date.now() - 120_000)).toBeLessThan(5_000);
  const plain = await createToken(api, sessionId);
  expect(plain).toMatchObject({ scopes: ["send", "read", "answer", "upload", "cancel"], end_user: null });
  const foreign = await api.call("POST", `/v1/sessions/${sessionId}/tokens`, { key: api.stranger.apiKey, body: {} });
  expect(foreign.status).toBe(404);
});

describe("the end user", () => {
  test("is stamped on each message, and only by the token", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId, { end_user: { id: "u1", name: "Zoë" } });
    const { json: record } = await send(sessionId, key);
    const stamp = { session_token_id: expect.stringMatching(/^stok_/), end_user_id: "u1", end_user_name: "Zoë" };
    expect(record["metadata"]).toEqual(stamp);
    for (const metadata of [{ end_user_id: "u2" }, { end_user_name: "Root" }, { role: "admin" }]) {
      const reply = await send(sessionId, key, saying("hi", { metadata }));
      expect([reply.status, reply.json.detail]).toEqual([422, expect.stringContaining("metadata: a session token")]);
    }
    expect((await send(sessionId, await tokenOf(api, sessionId))).json["metadata"]).toEqual({
      session_token_id: expect.any(String),
    });
    const { json } = await api.call("GET", `/v1/sessions/${sessionId}/transcript`);
    expect(json.data).toMatchObject([{ kind: "user", end_user: { id: "u1", name: "Zoë" } }, { kind: "user" }]);
    expect((json.data as object[])[1]).not.toHaveProperty("end_user");
  });

  test("is in the audit log, with the token", async () => {
    const sessionId = await newSession();
    const { id, token } = await createToken(api, sessionId, { end_user: { id: "u9" } });
    const messageId = (await send(sessionId, token)).json["id"];
    expect((await api.call("POST", `/v1/messages/${messageId}/cancel`, { key: token })).status).toBe(200);
    const { json } = await api.call("GET", "/v1/organizations/current/audit-log?limit=1");
    expect(json.data).toMatchObject([
      { action: "message.cancel", target: messageId, actor_key_id: null, details: { session_token_id: id } },
    ]);
    expect(json.data).toMatchObject([{ details: { end_user: { id: "u9" }, session_token_creator: api.org.keyId } }]);
  });
});

describe("a token ends", () => {
  const ended = "the session token has expired or was revoked; ask for a new one";
  const expectEnded = async (sessionId: string, key: string): Promise<void> => {
    const reply = await get(sessionId, key);
    expect([reply.status, reply.json.code, reply.json.detail]).toEqual([401, "unauthenticated", ended]);
    expect((await send(sessionId, key)).status).toBe(401);
  };

  test("by the database's clock, also if this process's clock is wrong", async () => {
    const sessionId = await newSession();
    const seconds = Math.floor(Date.now() / 1_000);
    await expectEnded(sessionId, signToken(api, sessionId, { expiresAt: seconds - 1 }));
    const { now } = Date;
    const valid = signToken(api, sessionId, { expiresAt: seconds + 60 });
    try {
      Date.now = () => now() + 3_600_000;
      expect((await get(sessionId, valid)).status).toBe(200);
      Date.now = () => now() - 3_600_000;
      const made = await createToken(api, sessionId, { expires_in: 60 });
      expect(Date.parse(made.expires_at)).toBeGreaterThan(now());
    } finally {
      Date.now = now;
    }
  });

  test("when its session's tokens are revoked; others and later ones do not", async () => {
    const [sessionId, otherId] = [await newSession(), await newSession()];
    const [key, other] = [await tokenOf(api, sessionId), await tokenOf(api, otherId)];
    expect((await get(sessionId, key)).status).toBe(200);
    expect(await revoke(sessionId)).toMatchObject({ status: 200, json: { deleted: true } });
    await expectEnded(sessionId, key);
    expect((await get(otherId, other)).status).toBe(200);
    expect((await get(sessionId, await tokenOf(api, sessionId))).status).toBe(200);
    const { json } = await api.call("GET", "/v1/organizations/current/audit-log?limit=1");
    expect(json.data).toMatchObject([{ action: "session.revoke_tokens", target: sessionId }]);
    const path = `/v1/sessions/${sessionId}/tokens`;
    expect((await api.call("DELETE", path, { key: api.stranger.apiKey })).status).toBe(404);
  });

  test("with the key that made it", async () => {
    const sessionId = await newSession();
    const { apiKey, keyId } = await createTestKey(api.db, api.org.organizationId, ["run"]);
    const { token } = await createToken(api, sessionId, {}, { key: apiKey });
    expect((await get(sessionId, token)).status).toBe(200);
    expect((await api.call("DELETE", `/v1/organizations/current/api-keys/${keyId}`)).status).toBe(200);
    await expectEnded(sessionId, token);
  });

  test("with the membership of the person who made it, and not with the sign-in", async () => {
    const sessionId = await newSession();
    const { organizationId } = api.org;
    const { memberId } = await createTestMember(api.db, organizationId);
    const { cookie } = await signInTestMember(api.db, organizationId, memberId);
    const headers = { cookie, origin: api.url };
    const { token } = await createToken(api, sessionId, {}, { key: null, headers });
    const out = await api.call("DELETE", "/v1/me/sign-in", { key: null, headers });
    expect([out.status, (await get(sessionId, token)).status]).toEqual([200, 200]);
    expect((await api.call("DELETE", `/v1/organizations/current/members/${memberId}`)).status).toBe(200);
    await expectEnded(sessionId, token);
  });

  test("with its session", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId);
    expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(200);
    await expectEnded(sessionId, key);
    expect((await api.call("POST", `/v1/sessions/${sessionId}/tokens`, { body: {} })).status).toBe(404);
  });

  test("with its organization", async () => {
    const org = await createTestOrganization(api.db);
    const { agentId: agent } = await createTestAgent(api.db, org.organizationId);
    const sessionId = await createTestSession(api.db, org.organizationId, agent);
    const { token } = await createToken(api, sessionId, {}, { key: org.apiKey });
    expect((await get(sessionId, token)).status).toBe(200);
    const path = `/v1/organizations/${org.organizationId}`;
    expect((await api.call("DELETE", path, { key: api.operator.apiKey })).status).toBe(200);
    await expectEnded(sessionId, token);
  });

  test("if another organization's key, generation or session is in it", async () => {
    const sessionId = await newSession();
    const { organizationId, keyId } = api.stranger;
    for (const claims of [{ organizationId }, { creatorId: keyId }, { creatorId: "" }, { generation: 1 }]) {
      await expectEnded(sessionId, signToken(api, sessionId, claims));
    }
  });
});

test("what is not a token of this installation is refused like an unknown key", async () => {
  const sessionId = await newSession();
  const key = await tokenOf(api, sessionId);
  const [head, signature] = key.split(".");
  for (const forged of [head!, `${head}.`, `${head}.${"A".repeat(43)}`, `${key}.x`, `x${key}`, `dtok_.${signature}`]) {
    const reply = await get(sessionId, forged);
    expect([forged, reply.status, reply.json.detail]).toEqual([forged, 401, "Missing or invalid API key"]);
  }
});

describe("a stream", () => {
  const open = (sessionId: string, key: string) => watchRaw(api, `/v1/sessions/${sessionId}/stream`, { key });

  test("ends when its token expires", async () => {
    const sessionId = await newSession();
    const expiresAt = Math.floor(Date.now() / 1_000) + 2;
    const watching = await open(sessionId, signToken(api, sessionId, { expiresAt }));
    expect(watching.response.status).toBe(200);
    await watching.done;
    expect(Date.now()).toBeGreaterThan(expiresAt * 1_000 - 100);
  });

  test("ends when its token is revoked, and a key's stream does not", async () => {
    const sessionId = await newSession();
    const revoked = await open(sessionId, await tokenOf(api, sessionId));
    const other = await open(sessionId, api.org.apiKey);
    expect((await revoke(sessionId)).status).toBe(200);
    await revoked.done;
    await send(sessionId, api.org.apiKey);
    await waitUntil(() => other.text().includes("user.message"), { what: "the other stream to continue" });
    other.stop();
    await other.done;
  });

  test("does not show what the agent prints", async () => {
    const sessionId = await newSession();
    const watching = await open(sessionId, await tokenOf(api, sessionId));
    await send(sessionId, api.org.apiKey);
    const turn = await claimIn(api, sessionId);
    await waitUntil(
      () => {
        api.previews.send(sessionId, preview(turn, "log", { stream: "stderr", text: "password" }));
        api.previews.send(sessionId, preview(turn, "assistant.text_delta", { text: "answer" }));
        return watching.text().includes("answer");
      },
      { what: "the answer" },
    );
    expect(watching.text()).not.toContain("password");
    watching.stop();
    await watching.done;
    await complete(api, turn);
  });

  test("is one of a limited number", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId);
    const streams = await Promise.all(Array.from({ length: sessionTokenLimits.streams }, () => open(sessionId, key)));
    expect(streams.every(({ response }) => response.status === 200)).toBe(true);
    const refused = await api.call("GET", `/v1/sessions/${sessionId}/stream`, { key });
    expect([refused.status, refused.json.detail]).toEqual([429, expect.stringContaining("of this session token")]);
    const another = await open(sessionId, await tokenOf(api, sessionId));
    expect(another.response.status).toBe(200);
    for (const one of [...streams, another]) one.stop();
    await Promise.all([...streams, another].map(({ done }) => done));
  });
});

describe("a call that waits for its message", () => {
  const sync = (sessionId: string, key: string) =>
    api.call("POST", `/v1/sessions/${sessionId}/messages/sync`, { key, body: saying("wait") });

  test("gets the record so far when its token expires", async () => {
    const sessionId = await newSession();
    const expiresAt = Math.floor(Date.now() / 1_000) + 2;
    const reply = await sync(sessionId, signToken(api, sessionId, { expiresAt }));
    expect([reply.status, reply.json["status"]]).toEqual([202, "queued"]);
  });

  test("gets nothing if its token was revoked", async () => {
    const sessionId = await newSession();
    const waiting = sync(sessionId, await tokenOf(api, sessionId));
    const turn = await claimIn(api, sessionId);
    expect((await revoke(sessionId)).status).toBe(200);
    await complete(api, turn);
    const reply = await waiting;
    expect([reply.status, reply.text.includes("done")]).toEqual([401, false]);
  });
});

describe("files", () => {
  test("that a token uploads are for its session only", async () => {
    const [sessionId, otherId] = [await newSession(), await newSession()];
    const [key, other] = [await tokenOf(api, sessionId), await tokenOf(api, otherId)];
    const uploaded = await uploadText(api, "mine", { key });
    expect(uploaded.status).toBe(201);
    const file_id = String(uploaded.json["id"]);
    const content = `/v1/files/${file_id}/content`;
    const parts = [{ type: "file", file_id }];
    expect([
      (await send(otherId, other, { parts })).status,
      (await api.call("GET", content, { key: other })).status,
    ]).toEqual([422, 404]);
    expect((await api.call("GET", content, { key })).text).toBe("mine");
    // Another token of the session, after a renewal.
    expect((await send(sessionId, await tokenOf(api, sessionId), { parts })).status).toBe(202);
    expect((await api.call("GET", content)).text).toBe("mine");
  });

  test("of the organization can be read after a key has attached them", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId);
    const file_id = String((await uploadText(api, "theirs", {})).json["id"]);
    const content = `/v1/files/${file_id}/content`;
    expect((await api.call("GET", content, { key })).status).toBe(404);
    expect((await send(sessionId, api.org.apiKey, { parts: [{ type: "file", file_id }] })).status).toBe(202);
    expect((await api.call("GET", content, { key })).text).toBe("theirs");
  });

  test("are not found through another caller's idempotency key", async () => {
    const [sessionId, otherId] = [await newSession(), await newSession()];
    const headers = { "idempotency-key": "k1" };
    const first = await uploadText(api, "same", { headers });
    const ids = [first.json["id"]];
    for (const id of [sessionId, otherId]) {
      const reply = await uploadText(api, "same", { headers, key: await tokenOf(api, id) });
      expect([reply.status, reply.headers.get("idempotent-replayed")]).toEqual([201, null]);
      ids.push(reply.json["id"]);
    }
    expect(new Set(ids).size).toBe(3);
    const again = await uploadText(api, "same", { headers, key: await tokenOf(api, sessionId) });
    expect([again.json["id"], again.headers.get("idempotent-replayed")]).toEqual([ids[1], "true"]);
  });
});

test("a token without the scope `cancel` cannot stop a turn by sending", async () => {
  const sessionId = await newSession();
  const key = await tokenOf(api, sessionId, { scopes: ["send", "read"] });
  await send(sessionId, key);
  for (const on_busy of ["interrupt", "rollback"]) {
    const reply = await send(sessionId, key, saying("stop", { on_busy }));
    expect([reply.status, reply.json.detail]).toEqual([403, expect.stringContaining("the scope 'cancel'")]);
  }
  const all = await tokenOf(api, sessionId);
  expect((await send(sessionId, all, saying("stop", { on_busy: "rollback" }))).status).toBe(202);
});

describe("limits", () => {
  test("of a token's messages", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId);
    for (let i = 0; i < sessionTokenLimits.messagesPerMinute; i++)
      expect((await send(sessionId, key)).status).toBe(202);
    const refused = await send(sessionId, key);
    expect([refused.status, refused.json.detail]).toEqual([429, expect.stringContaining("of the session token")]);
    expect((await send(sessionId, await tokenOf(api, sessionId))).status).toBe(202);
    const rollback = saying("enough", { on_busy: "rollback" });
    expect((await send(sessionId, api.org.apiKey, rollback)).status).toBe(202);
  });

  test("of the key that made the tokens are shared by them", async () => {
    const sessionId = await newSession();
    const body = { label: "small", scopes: ["run"], max_messages_per_minute: 2 };
    const { json } = await api.call("POST", "/v1/organizations/current/api-keys", { body });
    const options = { key: String(json["api_key"]) };
    const tokens = [
      (await createToken(api, sessionId, {}, options)).token,
      (await createToken(api, sessionId, {}, options)).token,
    ];
    expect((await send(sessionId, tokens[0]!)).status).toBe(202);
    expect((await send(sessionId, tokens[1]!)).status).toBe(202);
    expect([(await send(sessionId, tokens[0]!)).status, (await send(sessionId, options.key)).status]).toEqual([
      429, 429,
    ]);
  });

  test("of an upload without a length", async () => {
    const sessionId = await newSession();
    // Without a byte, it would be sent with the length 0.
    const body = new ReadableStream({
      start(to) {
        to.enqueue(new TextEncoder().encode("--x"));
        to.close();
      },
    });
    const response = await fetch(`${api.url}/v1/files`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await tokenOf(api, sessionId)}`,
        "content-type": "multipart/form-data; boundary=x",
      },
      body,
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(429);
  });
});

test("no log line has a token", async () => {
  await get(await newSession(), await tokenOf(api, await newSession()));
  expect(JSON.stringify(api.log)).not.toContain("dtok_");
});
