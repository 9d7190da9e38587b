// Routes for operators: metrics and the queue board. All others are refused.

import { randomBytes } from "node:crypto";
import { createPlatformMetrics } from "@dari/control/operations";
import { newId } from "@dari/domain";
import { openTurnQueue, turnJobId, type TurnQueue } from "@dari/queue";
import {
  createTestKey,
  createTestMember,
  describeWith,
  requireService,
  signInTestMember,
  startFaultProxy,
  waitUntil,
} from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { cookieOf } from "./people.ts";

let api: TestApi;
beforeAll(async () => {
  const metrics = createPlatformMetrics({ parts: ["api"], byOrganization: false });
  api = await startTestApi({ metrics });
});
afterAll(async () => api[Symbol.asyncDispose]());

const boardSignIn = "/console/sign-in?return_to=%2Fops%2Fqueues";

/** Signs a browser in with a key, as the console does. Returns its cookie. */
async function signIn(of: TestApi, apiKey = of.operator.apiKey): Promise<string> {
  return cookieOf(await of.call("POST", "/v1/me/sign-in", { key: apiKey }));
}

describe("metrics", () => {
  test("are for operators", async () => {
    const read = (key: string | null): Promise<TestReply> => api.call("GET", "/metrics", { key });
    const { apiKey: runKey } = await createTestKey(api.db, api.operator.organizationId, ["run"]);
    const refused = [null, "dari_nonsense", api.org.apiKey, runKey].map(async (key) => (await read(key)).status);
    expect(await Promise.all(refused)).toEqual([401, 401, 403, 403]);
    expect((await api.call("POST", "/metrics", { key: api.operator.apiKey })).status).toBe(405);
    const reply = await read(api.operator.apiKey);
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/plain")]);
  });

  test("count requests by the route's pattern; no path and no organization becomes a label", async () => {
    await api.call("GET", `/v1/sessions/${newId("session")}`);
    await api.call("GET", "/wp-login.php", { key: null });
    await waitUntil(() => api.log.filter(({ fields }) => fields["path"] === "/wp-login.php").length === 1, {
      what: "the last request's line",
    });
    const { text } = await api.call("GET", "/metrics", { key: api.operator.apiKey });
    const line = (name: string, labels: string): string | undefined =>
      text.split("\n").find((one) => one.startsWith(`${name}{${labels}}`));
    const session = 'method="GET",route="/v1/sessions/{session_id}"';
    expect(line("dari_http_requests_total", `${session},status="404"`)).toMatch(/ 1$/);
    expect(line("dari_http_requests_total", 'method="GET",route="unknown",status="404"')).toMatch(/ 1$/);
    expect(line("dari_http_request_seconds_count", session)).toMatch(/ 1$/);
    expect(text).not.toMatch(/wp-login|org_|sess_/);
  });
});

describe("the sign-in of the console", () => {
  const look = async (cookie: string): Promise<number> =>
    (await api.call("GET", "/ops/queues", { key: null, headers: { cookie } })).status;

  test("opens the board until the key, or the organization's right, ends", async () => {
    const { apiKey, keyId } = await createTestKey(api.db, api.operator.organizationId, ["admin"]);
    const cookie = await signIn(api, apiKey);
    // There is no queue here, and only operators see that.
    expect(await look(cookie)).toBe(404);
    expect(await look(`${cookie}x`)).toBe(401);
    const own = [api.operator.organizationId];
    await api.db.pool.query("update organizations set is_operator = false where id = $1", own);
    expect(await look(cookie)).toBe(403);
    await api.db.pool.query("update organizations set is_operator = true where id = $1", own);
    expect(await look(cookie)).toBe(404);
    await api.db.pool.query("update api_keys set revoked_at = now() where id = $1", [keyId]);
    expect(await look(cookie)).toBe(401);
  });

  test("opens nothing for a tenant's key, nor for the device of a person who is no longer an admin", async () => {
    expect(await look(await signIn(api, api.org.apiKey))).toBe(403);
    const { organizationId } = api.operator;
    const { memberId } = await createTestMember(api.db, organizationId, "admin");
    const { cookie: person } = await signInTestMember(api.db, organizationId, memberId);
    const ensured = await api.call("POST", `/v1/organizations/${organizationId}/managed-cli-key/ensure`, {
      key: null,
      body: { device_name: "laptop" },
      headers: { cookie: person, origin: api.url },
    });
    const cookie = await signIn(api, String(ensured.json["api_key"]));
    expect(await look(cookie)).toBe(404);
    await api.db.pool.query("update members set role = 'member' where id = $1", [memberId]);
    expect(await look(cookie)).toBe(403);
  });

  test("is the target of the former sign-in page", async () => {
    const reply = await api.call("GET", "/ops/sign-in", { key: null });
    expect([reply.status, reply.headers.get("location")]).toEqual([303, boardSignIn]);
  });
});

describeWith("redis", "the queue board", () => {
  let queue: TurnQueue;
  let board: TestApi;
  const turn = { organizationId: newId("organization"), sessionId: newId("session") };
  const failed = { ...turn, messageId: newId("message") };
  const failedId = turnJobId({ ...failed, dispatchNumber: 0 });
  const delayed = { ...turn, messageId: newId("message"), dispatchNumber: 1, attemptsLeft: 1 };
  const api = (path: string): string => `/ops/queues/api/queues/turns-default${path}`;

  beforeAll(async () => {
    const prefix = `ops-${randomBytes(6).toString("hex")}`;
    queue = openTurnQueue({ redisUrl: requireService("redis").url, prefix, pool: "default" });
    await waitUntil(() => queue.available, { what: "Redis" });
    const at = new Date();
    await queue.failed.add([{ ...failed, reason: "agent_failed", attempts: 1, acceptedAt: at, failedAt: at }]);
    await queue.deliverLater([{ ...delayed, waitMs: 3_600_000 }]);
    board = await startTestApi({ queue });
  });
  afterAll(async () => {
    await board[Symbol.asyncDispose]();
    await queue.board.obliterate({ force: true });
    await queue.close();
  });

  const counts = (): Promise<Record<string, number>> => queue.counts();
  const before = { waiting: 0, delayed: 1, failed: 1 };
  const put = (path: string, options: Parameters<TestApi["call"]>[2] = {}): Promise<TestReply> =>
    board.call("PUT", api(path), { key: board.operator.apiKey, ...options });

  test("shows an operator the jobs, by key and by cookie", async () => {
    const path = "/ops/queues/api/queues?activeQueue=turns-default&status=failed&page=1";
    const headers = { cookie: await signIn(board) };
    for (const options of [{ key: board.operator.apiKey }, { key: null, headers }]) {
      const { status, text } = await board.call("GET", path, options);
      expect([status, text.includes(failed.messageId)]).toEqual([200, true]);
    }
    const page = await board.call("GET", "/ops/queues", { key: null, headers });
    expect([page.status, page.headers.get("x-powered-by")]).toEqual([200, null]);
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'self';.*frame-ancestors 'none'$/);
    const [, script = ""] = /src="(static\/js\/main[^"]+)"/.exec(page.text) ?? [];
    expect((await board.call("GET", `/ops/queues/${script}`, { key: null, headers })).status).toBe(200);
    expect((await board.call("GET", `/ops/queues/${script}`, { key: null })).status).toBe(401);
  });

  test("sends a person without a cookie to the sign-in, and refuses everybody else", async () => {
    const visit = await board.call("GET", "/ops/queues", { key: null, headers: { accept: "text/html" } });
    expect([visit.status, visit.headers.get("location")]).toEqual([303, boardSignIn]);
    const statuses = async (method: string, path: string): Promise<number[]> => {
      const replies = [null, "dari_nonsense", board.org.apiKey, board.stranger.apiKey].map((key) =>
        board.call(method, path, { key }),
      );
      return (await Promise.all(replies)).map((reply) => reply.status);
    };
    expect(await statuses("GET", api(`/${failedId}`))).toEqual([401, 401, 403, 403]);
    expect(await statuses("PUT", api(`/${failedId}/retry`))).toEqual([401, 401, 403, 403]);
    expect(await statuses("GET", "/ops/queues")).toEqual([401, 401, 403, 403]);
    expect(await counts()).toMatchObject(before);
  });

  test.each([
    ["PUT", "/pause"],
    ["PUT", "/resume"],
    ["PUT", "/empty"],
    ["PUT", "/obliterate"],
    ["PUT", "/clean/failed"],
    ["PUT", "/concurrency"],
    ["PUT", "/rate-limit"],
    ["PUT", "/retry/completed"],
    ["PUT", `/${failedId}/clean`],
    ["POST", "/add"],
    ["PATCH", `/${failedId}/update-data`],
    ["PATCH", `/${delayed.messageId}.1/delay`],
    ["PUT", `/${failedId}/retry/`],
    ["PUT", `/${failedId}/RETRY`],
    ["DELETE", `/${failedId}`],
  ])("%s …%s is off, for operators too", async (method, path) => {
    const body = method === "DELETE" ? {} : { body: {} };
    const reply = await board.call(method, api(path), { key: board.operator.apiKey, ...body });
    expect(reply.status).toBe(405);
    expect(await counts()).toMatchObject(before);
  });

  test("the whole board cannot be paused either", async () => {
    const reply = await board.call("PUT", "/ops/queues/api/queues/pause", { key: board.operator.apiKey });
    expect([reply.status, await queue.board.isPaused()]).toEqual([405, false]);
  });

  test("a cookie alone changes nothing: the request must come from the platform's own page", async () => {
    const cookie = await signIn(board);
    const wish = (more: Record<string, string>): Promise<TestReply> =>
      put(`/${failedId}/retry`, { key: null, headers: { cookie, ...more } });
    const odd = [{}, { origin: "https://evil.example" }, { origin: board.url, "sec-fetch-site": "same-site" }];
    for (const more of odd) expect((await wish(more as Record<string, string>)).status).toBe(403);
    expect(await counts()).toMatchObject(before);
  });

  test("only existing failed jobs are retried", async () => {
    expect((await put(`/${delayed.messageId}.1/retry`)).status).toBe(409);
    expect((await put("/msg_none.1/retry")).status).toBe(409);
    expect((await put("/%E0%A4%A/retry")).status).toBe(404);
    expect(await counts()).toMatchObject(before);
  });

  test("retry and promote put the job where a worker finds it", async () => {
    const cookie = await signIn(board);
    const headers = { cookie, origin: board.url, "sec-fetch-site": "same-origin" };
    expect((await put(`/${failedId}/retry`, { key: null, headers })).status).toBe(204);
    expect(await counts()).toMatchObject({ waiting: 1, delayed: 1, failed: 0 });
    expect((await put(`/${delayed.messageId}.1/promote`)).status).toBe(204);
    expect(await counts()).toMatchObject({ waiting: 2, delayed: 0, failed: 0 });
    expect(board.log.filter(({ event }) => event === "ops.board_wish")).toHaveLength(2);
  });
});

describeWith("redis", "the queue board of a Redis that falls silent", () => {
  test("says so within its time limit, and shows the jobs again once Redis answers", async () => {
    const url = new URL(requireService("redis").url);
    await using proxy = await startFaultProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    const prefix = `ops-${randomBytes(6).toString("hex")}`;
    const queue = openTurnQueue({ redisUrl: url.href, prefix, pool: "default" });
    const silent = await startTestApi({ queue });
    try {
      const ask = (method: string, path: string): Promise<TestReply> =>
        silent.call(method, `/ops/queues/api/${path}`, { key: silent.operator.apiKey });
      await waitUntil(() => queue.available, { what: "Redis" });
      proxy.blackHole();
      const askedAt = performance.now();
      const replies = await Promise.all([
        ask("GET", "queues"),
        ask("GET", "job-schedulers"),
        ask("GET", "queues/turns-default/msg_1.1"),
        ask("PUT", "queues/turns-default/msg_1.1/retry"),
        ask("PUT", "queues/turns-default/promote"),
      ]);
      expect(performance.now() - askedAt).toBeLessThan(10_000);
      expect(replies.map(({ status }) => status)).toEqual([503, 200, 503, 503, 503]);
      for (const { status, text } of replies) if (status === 503) expect(text).toContain("the queue does not answer");
      proxy.forward();
      await waitUntil(() => queue.available, { what: "Redis to answer again" });
      expect((await ask("GET", "queues")).status).toBe(200);
      await queue.board.obliterate({ force: true });
    } finally {
      await silent[Symbol.asyncDispose]();
      await queue.close();
    }
  });
});

test("a board whose Redis is unreachable says so, without internals", async () => {
  const queue = openTurnQueue({ redisUrl: "redis://127.0.0.1:1", prefix: "ops-away", pool: "default" });
  const away = await startTestApi({ queue });
  try {
    const ask = (method: string, path: string): Promise<TestReply> =>
      away.call(method, `/ops/queues/api/queues${path}`, { key: away.operator.apiKey });
    const replies = [await ask("GET", ""), await ask("PUT", "/turns-default/msg_1.1/retry")];
    expect(replies.map(({ status }) => status)).toEqual([503, 503]);
    for (const { text } of replies) expect(text).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|Connection| at /);
  } finally {
    await away[Symbol.asyncDispose]();
    await queue.close();
  }
});
