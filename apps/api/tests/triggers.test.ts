// Triggers over HTTP: created, changed, rotated and deleted; events that send messages, or that come again.

import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { routes, validate } from "@dari/contract";
import { createSealer } from "@dari/control/tenants";
import { createBacklog } from "@dari/control/turns";
import { limits, Redacted } from "@dari/domain";
import { createTestAgent } from "@dari/testkit";
import type { TestReply } from "./api-fixture.ts";
import {
  expectReceipt,
  github,
  openTriggerScene,
  secret,
  slack,
  type CreatedTrigger,
  type TriggerScene,
} from "./trigger-scene.ts";

let scene: TriggerScene;
beforeEach(async () => {
  scene = await openTriggerScene();
});
afterEach(async () => scene[Symbol.asyncDispose]());

describe("a trigger", () => {
  test("is created once per key; its URL and secret are shown once, and stored nowhere", async () => {
    const body = { scheme: "github", text: "x", name: " issues " };
    const headers = { "idempotency-key": "one" };
    const made = await scene.api.call("POST", scene.base, { body, headers });
    const again = await scene.api.call("POST", scene.base, { body, headers });
    expect([made.status, again.status, again.json["id"]]).toEqual([201, 201, made.json["id"]]);
    const { url, secret: shown, ...record } = made.json as CreatedTrigger;
    expect(url).toMatch(new RegExp(`^${scene.api.url}/v1/triggers/dtrg_[\\w-]{43}$`));
    expect(again.json).toEqual(record);
    expect(record).toMatchObject({ name: "issues", has_secret: true, session_key: null, status: "active" });
    const list = await scene.api.call("GET", scene.base);
    expect(validate(routes.listTriggers.reply, list.json)).toEqual([]);
    expect(list.json["triggers"]).toEqual([record]);
    const { rows } = await scene.api.db.pool.query("select row_to_json(t)::text as text from triggers t");
    const stored = JSON.stringify([rows, list.text, scene.api.log, (await auditLog()).text]);
    for (const hidden of [url.slice(-43), shown]) expect(stored).not.toContain(hidden);
  });

  test("is changed field by field, paused and deleted, with audit entries", async () => {
    const { id, url } = await scene.create({ session_key: "{{a}}", when: [{ path: "a", exists: true }] });
    const path = `${scene.base}/${id}`;
    const changed = await scene.api.call("PATCH", path, { body: { text: "new {{a}}", session_key: null } });
    expect(changed.json).toMatchObject({ text: "new {{a}}", session_key: null, when: [{ path: "a", exists: true }] });
    await scene.api.call("PATCH", path, { body: { status: "paused", when: [] } });
    expectReceipt(await scene.post(url, { a: 1 }), 200, "ignored");
    await scene.api.call("PATCH", path, { body: { status: "active" } });
    expectReceipt(await scene.post(url, { a: 1 }), 202, "accepted");
    expect((await scene.messages()).map(({ parts }) => parts)).toEqual([[{ type: "text", text: "new 1" }]]);
    expect((await scene.api.call("DELETE", path)).json).toEqual({ deleted: true, id });
    expect([(await scene.api.call("GET", path)).status, (await scene.post(url, { a: 1 })).status]).toEqual([404, 404]);
    const entries = (await auditLog()).json["audit_entries"] as { action: string; details: unknown }[];
    expect(entries.map(({ action, details }) => [action, details])).toEqual([
      ["trigger.delete", {}],
      ["trigger.update", { changed: ["status"], status: "active" }],
      ["trigger.update", { changed: ["status", "when"], status: "paused" }],
      ["trigger.update", { changed: ["text", "session_key"] }],
      ["trigger.create", { agent_id: scene.agentId, scheme: "none" }],
    ]);
  });

  test("belongs to its agent: another agent's path does not find it", async () => {
    const { id } = await scene.create();
    const other = (await createTestAgent(scene.api.db, scene.api.org.organizationId)).agentId;
    for (const method of ["GET", "DELETE"]) {
      expect((await scene.api.call(method, `/v1/agents/${other}/triggers/${id}`)).status).toBe(404);
    }
    expect((await scene.api.call("GET", `${scene.base}/${id}`)).status).toBe(200);
  });

  test("an agent has at most 50, also if they are created at the same time", async () => {
    await scene.api.db.pool.query(
      `insert into triggers (id, organization_id, agent_id, token_hash, scheme, text_template)
        select 'trig_' || n, $1, $2, int4send(n), 'none', 'x' from generate_series(1, $3) n`,
      [scene.api.org.organizationId, scene.agentId, limits.triggersPerAgent - 1],
    );
    const body = { scheme: "none", text: "x" };
    const replies = await Promise.all([1, 2, 3].map(() => scene.api.call("POST", scene.base, { body })));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
  });

  test("accepts the secret before for a day, and no earlier one", async () => {
    const { id, url } = await scene.create({ scheme: "github", secret });
    const path = `${scene.base}/${id}/rotate-secret`;
    const first = await scene.api.call("POST", path, { body: {} });
    expect(validate(routes.rotateTriggerSecret.reply, first.json)).toEqual([]);
    const second = String(first.json["secret"]);
    const send = async (key: string, a: number) =>
      (await scene.post(url, `{"a":${a}}`, github(`{"a":${a}}`, "1", key))).status;
    expect([await send(secret, 1), await send(second, 2)]).toEqual([202, 202]);
    await scene.api.db.pool.query("update triggers set old_secret_expires_at = clock_timestamp()");
    expect([await send(secret, 3), await send(second, 4)]).toEqual([401, 202]);
    const third = "chosen-by-the-sender";
    const chosen = await scene.api.call("POST", path, { body: { secret: third } });
    expect([chosen.status, chosen.json["secret"]]).toEqual([200, undefined]);
    await scene.api.call("POST", path, { body: {} });
    expect([await send(second, 5), await send(third, 6)]).toEqual([401, 202]);
    const none = await scene.create();
    expect((await scene.api.call("POST", `${scene.base}/${none.id}/rotate-secret`)).status).toBe(409);
  });

  test("refuses everything until the secret of its sender is known", async () => {
    const { id, url, ...made } = await scene.create({ scheme: "slack", text: "{{event.text}}" });
    expect([made["has_secret"], made.secret]).toEqual([false, undefined]);
    const body = '{"type":"event_callback","event_id":"Ev1","event":{"text":"hi"}}';
    for (const key of ["", "null", "undefined", secret])
      expect((await scene.post(url, body, slack(body, key))).status).toBe(401);
    const path = `${scene.base}/${id}/rotate-secret`;
    expect((await scene.api.call("POST", path, { body: {} })).status).toBe(422);
    await scene.api.call("POST", path, { body: { secret } });
    expectReceipt(await scene.post(url, body, slack(body)), 202, "accepted");
  });

  test("keeps its secrets when the master key changes", async () => {
    const { id, url } = await scene.create({ scheme: "github", secret });
    await scene.api.call("POST", `${scene.base}/${id}/rotate-secret`, { body: { secret: "another-one-of-its" } });
    const next = new Redacted(randomBytes(32));
    const before = scene.api.control.sealer;
    const after = createSealer(next);
    const open: typeof before.open = (sealed, context) =>
      sealed.subarray(0, after.currentPrefix.length).equals(after.currentPrefix)
        ? after.open(sealed, context)
        : before.open(sealed, context);
    Object.assign(scene.api.control, { sealer: { ...after, open } });
    let resealed = 0;
    for (let from: string | null = ""; from !== null;) {
      const body = { limit: 1, ...(from === "" ? {} : { after: from }) };
      const step = await scene.api.call("POST", "/v1/operator/reseal", { key: scene.api.operator.apiKey, body });
      expect([step.status, step.text]).toEqual([200, expect.any(String)]);
      resealed += Number(step.json["resealed"]);
      from = step.json["next"] as string | null;
    }
    expect(resealed).toBe(2);
    Object.assign(scene.api.control, { sealer: after });
    for (const key of [secret, "another-one-of-its"]) {
      const body = JSON.stringify({ a: key });
      expectReceipt(await scene.post(url, body, github(body, "1", key)), 202, "accepted");
    }
  });
});

function auditLog(): Promise<TestReply> {
  return scene.api.call("GET", "/v1/organizations/current/audit-log");
}

describe("an event", () => {
  test("sends a message that names its trigger, in a session that the trigger started", async () => {
    const { id, url } = await scene.create({
      text: "Hello {{a}}",
      include_body: true,
      lane: "background",
      name: "hooks",
    });
    const { json } = expectReceipt(await scene.post(url, '{"a": "x" }'), 202, "accepted");
    const [message] = await scene.messages();
    expect(message).toMatchObject({ id: json["message_id"], session_id: json["session_id"] });
    expect(message?.parts).toEqual([
      { type: "text", text: "Hello x" },
      { type: "text", text: '{"a": "x" }' },
    ]);
    expect(message?.metadata).toEqual({ trigger_id: id });
    const record = await scene.api.call("GET", `/v1/messages/${String(json["message_id"])}`);
    expect(record.json).toMatchObject({ status: "queued", lane: "background" });
    const summaries = await scene.api.call("GET", "/v1/session-summaries?started_by=trigger");
    expect(summaries.json["data"]).toMatchObject([{ created_by: { type: "trigger", id, name: "hooks" } }]);
    expect((await scene.api.call("GET", "/v1/session-summaries?started_by=caller")).json["data"]).toEqual([]);
  });

  test("that its sender repeats sends nothing again, also at the same time", async () => {
    const { url } = await scene.create({ scheme: "slack", secret, text: "{{event.text}}" });
    const body = '{"type":"event_callback","event_id":"Ev1","event":{"text":"hi"}}';
    const replies = await Promise.all(Array.from({ length: 8 }, () => scene.post(url, body, slack(body))));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 200, 200, 200, 202]);
    expect(new Set(replies.map(({ json }) => json["message_id"])).size).toBe(1);
    // The body may differ: only the id counts.
    const other = body.replace("hi", "changed");
    expectReceipt(await scene.post(url, other, slack(other)), 200, "duplicate");
    expect([await scene.count("messages"), await scene.count("sessions")]).toEqual([1, 1]);
  });

  test("that was refused leaves nothing, and can be repeated", async () => {
    const { url } = await scene.create({ event_id: "{{id}}" });
    await scene.api.db.pool.query("update organizations set max_backlog = 1");
    expectReceipt(await scene.post(url, { id: 1 }), 202, "accepted");
    const refused = await scene.post(url, { id: 2 });
    expect([refused.status, refused.json.code]).toEqual([429, "limit_exceeded"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    const tables = ["messages", "sessions", "idempotency_keys"];
    expect(await Promise.all(tables.map(scene.count))).toEqual([1, 1, 1]);
    await scene.api.db.pool.query("update organizations set max_backlog = null");
    Object.assign(scene.api.control, { backlog: createBacklog() });
    expectReceipt(await scene.post(url, { id: 2 }), 202, "accepted");
  });

  test("of GitHub is known by its signed body, not by a header that anybody can change", async () => {
    const { url } = await scene.create({ scheme: "github", secret });
    const body = '{"a":"first"}';
    expectReceipt(await scene.post(url, body, github(body, "delivery-1")), 202, "accepted");
    expectReceipt(await scene.post(url, body, github(body, "delivery-2")), 200, "duplicate");
    const other = '{"a":"second"}';
    expectReceipt(await scene.post(url, other, github(other, "delivery-1")), 202, "accepted");
    expect((await scene.messages()).map(({ metadata }) => metadata["trigger_event_id"])).toEqual([
      "delivery-1",
      "delivery-1",
    ]);
    const byHeader = await scene.create({ scheme: "github", secret, event_id: "{{header:X-GitHub-Delivery}}" });
    expectReceipt(await scene.post(byHeader.url, body, github(body, "delivery-1")), 202, "accepted");
    expectReceipt(await scene.post(byHeader.url, body, github(body, "delivery-2")), 202, "accepted");
    expectReceipt(await scene.post(byHeader.url, other, github(other, "delivery-2")), 200, "duplicate");
  });

  test("of one trigger does not hide the same event of another trigger", async () => {
    const [left, right] = [await scene.create({ event_id: "{{a}}" }), await scene.create({ event_id: "{{a}}" })];
    for (const { url } of [left, right]) expectReceipt(await scene.post(url, { a: 1 }), 202, "accepted");
    for (const { url } of [left, right]) expectReceipt(await scene.post(url, { a: 1 }), 200, "duplicate");
  });

  test("that the trigger does not want is answered and stores nothing", async () => {
    const when = [
      { header: "X-GitHub-Event", equals: ["issues"] },
      { path: "action", equals: ["opened"] },
    ];
    const { url } = await scene.create({ scheme: "github", secret, when });
    const [opened, closed] = ['{"action":"opened"}', '{"action":"closed"}'];
    const ignored = expectReceipt(await scene.post(url, closed, github(closed)), 200, "ignored");
    expect(ignored.json["reason"]).toContain("action");
    const ping = { ...github(opened), "x-github-event": "ping" };
    expectReceipt(await scene.post(url, opened, ping), 200, "ignored");
    expect([
      await scene.count("messages"),
      await scene.count("sessions"),
      await scene.count("idempotency_keys"),
    ]).toEqual([0, 0, 0]);
    expectReceipt(await scene.post(url, opened, github(opened)), 202, "accepted");
  });

  test("of Slack: its challenge is answered if it is signed, and other types send nothing", async () => {
    const { url } = await scene.create({ scheme: "slack", secret });
    const challenge = '{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}';
    const answered = await scene.post(url, challenge, slack(challenge));
    expect([answered.status, answered.text]).toEqual([200, '{"challenge":"3eZbrw1a"}']);
    expect((await scene.post(url, challenge)).status).toBe(401);
    const limited = '{"type":"app_rate_limited"}';
    expectReceipt(await scene.post(url, limited, slack(limited)), 200, "ignored");
    const nameless = '{"type":"event_callback","event":{}}';
    expect((await scene.post(url, nameless, slack(nameless))).status).toBe(422);
    expect(await scene.count("messages")).toBe(0);
  });

  test("with missing values: empty or refused as the trigger says, never a session of all", async () => {
    const loose = await scene.create({ text: "[{{a}}]", session_key: "{{thread}}" });
    const refused = await scene.post(loose.url, { a: 1 });
    expect([refused.status, refused.json["errors"]]).toEqual([
      422,
      [{ path: "session_key", message: "the event has no thread" }],
    ]);
    expectReceipt(await scene.post(loose.url, { thread: 1 }), 202, "accepted");
    const strict = await scene.create({ text: "[{{a}}]", missing: "refuse" });
    expect((await scene.post(strict.url, {})).status).toBe(422);
    expect((await scene.messages()).map(({ parts }) => parts[0]?.text)).toEqual(["[]"]);
  });
});

describe("events with one key", () => {
  const keyed = () => scene.create({ text: "{{text}}", session_key: "{{channel}}/{{thread|ts}}" });

  test("go to one session, in order", async () => {
    const { url } = await keyed();
    const first = await scene.post(url, { text: "a", channel: "C", ts: "1" });
    const second = await scene.post(url, { text: "b", channel: "C", ts: "2", thread: "1" });
    const other = await scene.post(url, { text: "c", channel: "C", ts: "3" });
    expect(second.json["session_id"]).toBe(first.json["session_id"]);
    expect(other.json["session_id"]).not.toBe(first.json["session_id"]);
    const session = await scene.api.call("GET", `/v1/sessions/${String(first.json["session_id"])}`);
    expect(session.json).toMatchObject({ name: "C/1" });
  });

  test("make one session, however many come at once", async () => {
    const { url } = await keyed();
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, n) => scene.post(url, { text: String(n), channel: "C", ts: "1" })),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 202));
    expect(new Set(replies.map(({ json }) => json["session_id"])).size).toBe(1);
    expect([await scene.count("sessions"), await scene.count("messages")]).toEqual([1, 12]);
  });

  test.each([
    ["deleted", (id: string) => scene.api.call("DELETE", `/v1/sessions/${id}?cancel=1`)],
    ["completed", (id: string) => scene.api.call("POST", `/v1/sessions/${id}/complete?cancel=1`)],
  ])("start a new session once theirs was %s", async (_how, end) => {
    const { url } = await keyed();
    const event = { text: "a", channel: "C", ts: "1" };
    const first = String((await scene.post(url, event)).json["session_id"]);
    expect((await end(first)).status).toBe(200);
    const replies = await Promise.all([scene.post(url, event), scene.post(url, event)]);
    const [second, third] = replies.map(({ json }) => json["session_id"]);
    expect([second === first, second === third]).toEqual([false, true]);
  });

  test("have a session for each trigger, template and list of values", async () => {
    const [left, right] = [
      await scene.create({ session_key: "{{a}}-{{b}}" }),
      await scene.create({ session_key: "{{a}}-{{b}}" }),
    ];
    await scene.post(left.url, { a: "x-y", b: "z" });
    await scene.post(left.url, { a: "x", b: "y-z" });
    await scene.post(right.url, { a: "x", b: "y-z" });
    await scene.api.call("PATCH", `${scene.base}/${right.id}`, { body: { session_key: "{{a}}-{{b}} " } });
    await scene.post(right.url, { a: "x", b: "y-z" });
    expect(await scene.count("sessions")).toBe(4);
  });

  test("of another organization's trigger never reach a session of this one", async () => {
    const mine = await scene.create({ session_key: "{{a}}" });
    const agent = await createTestAgent(scene.api.db, scene.api.stranger.organizationId);
    const body = { scheme: "none", text: "x", session_key: "{{a}}" };
    const { apiKey: key } = scene.api.stranger;
    const theirs = await scene.api.call("POST", `/v1/agents/${agent.agentId}/triggers`, { key, body });
    const first = await scene.post(mine.url, { a: "shared" });
    const second = await scene.post(String(theirs.json["url"]), { a: "shared" });
    const { rows } = await scene.api.db.pool.query("select id, organization_id from sessions");
    expect(rows).toHaveLength(2);
    const owners = new Map(
      (rows as { id: string; organization_id: string }[]).map((row) => [row.id, row.organization_id]),
    );
    expect(owners.get(String(first.json["session_id"]))).toBe(scene.api.org.organizationId);
    expect(owners.get(String(second.json["session_id"]))).toBe(scene.api.stranger.organizationId);
  });

  test("leave nothing behind when their session is purged", async () => {
    const { url } = await keyed();
    await scene.post(url, { text: "a", channel: "C", ts: "1" });
    await scene.api.db.pool.query("delete from sessions");
    expect(await scene.count("trigger_sessions")).toBe(0);
  });
});

test("an agent that was deleted, or has no version, takes no events", async () => {
  const { url } = await scene.create();
  await scene.api.db.pool.query("update agents set active_version_id = null");
  expect((await scene.post(url, { a: 1 })).status).toBe(409);
  await scene.api.call("DELETE", `/v1/agents/${scene.agentId}`);
  expect((await scene.post(url, { a: 1 })).status).toBe(404);
  expect(await scene.count("sessions")).toBe(0);
});
