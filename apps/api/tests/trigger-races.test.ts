// What happens to triggers at the same time as events, rotations and deletions; and what identifies large events.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { sealedValues, triggers } from "@dari/db";
import { expectReceipt, openTriggerScene, secret, type TriggerScene } from "./trigger-scene.ts";

let scene: TriggerScene;
beforeEach(async () => {
  scene = await openTriggerScene();
});
afterEach(async () => scene[Symbol.asyncDispose]());

test("large numbers keep their digits in ids and texts", async () => {
  const { url } = await scene.create({ text: "{{id}}", event_id: "{{id}}", session_key: "{{id}}" });
  for (const id of ["9007199254740992", "9007199254740993", "1e999", "1e998"]) {
    expectReceipt(await scene.post(url, `{"id":${id}}`), 202, "accepted");
    expectReceipt(await scene.post(url, `{"id":${id}}`), 200, "duplicate");
  }
  const texts = (await scene.messages()).map(({ parts }) => parts[0]?.text);
  expect(texts).toEqual(["9007199254740992", "9007199254740993", "1e999", "1e998"]);
  expect(await scene.count("sessions")).toBe(4);
  const large = (id: string) => `{"id":${id},"b":"${"x".repeat(262_144)}"}`;
  const refused = await scene.post(url, large("9007199254740995"));
  expect([refused.status, refused.json["errors"]]).toMatchObject([422, [{ path: "session_key" }]]);
  expectReceipt(await scene.post(url, large("7")), 202, "accepted");
  const deep = `{"id":1e999,"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
  expect((await scene.post(url, deep)).json["errors"]).toEqual([{ path: "body", message: "expected less nesting" }]);
});

test("an event whose trigger is paused after it was found is ignored, and can be repeated", async () => {
  const { url } = await scene.create({ event_id: "{{id}}" });
  const { rates } = scene.api.control;
  const take: typeof rates.take = async (actor, kind, amount) => {
    if (kind === "messages") await scene.api.db.pool.query("update triggers set status = 'paused'");
    return rates.take(actor, kind, amount);
  };
  Object.assign(scene.api.control, { rates: { take } });
  expectReceipt(await scene.post(url, { id: 1 }), 200, "ignored");
  Object.assign(scene.api.control, { rates });
  await scene.api.db.pool.query("update triggers set status = 'active'");
  expectReceipt(await scene.post(url, { id: 1 }), 202, "accepted");
});

test("a secret that a rotation moves while it is resealed is resealed where it is", async () => {
  const { id } = await scene.create({ scheme: "github", secret });
  const { db } = scene.api;
  const after = { ownerId: "", name: "" };
  const [value] = await sealedValues.listSealedWithOtherKey(db, Buffer.from("other"), after, 1);
  const next = Buffer.from("the next one");
  await db.pool.query(
    "update triggers set old_secret = secret, secret = $1, old_secret_expires_at = clock_timestamp()",
    [next],
  );
  const resealed = Buffer.from("resealed");
  expect(await sealedValues.replaceSealedIfUnchanged(db, value!, resealed)).toBe(true);
  const { rows } = await db.pool.query("select id, secret, old_secret from triggers");
  expect(rows).toEqual([{ id, secret: next, old_secret: resealed }]);
  // Resealing erases what is no longer accepted.
  await scene.api.call("POST", "/v1/operator/reseal", { key: scene.api.operator.apiKey, body: {} });
  expect((await db.pool.query("select old_secret from triggers")).rows).toEqual([{ old_secret: null }]);
});

test("a trigger with many keys is deleted in pieces; a repeated call continues after a failure", async () => {
  const { id, url } = await scene.create({ session_key: "{{a}}" });
  for (let a = 0; a < 5; a += 1) expectReceipt(await scene.post(url, { a }), 202, "accepted");
  const place = { organizationId: scene.api.org.organizationId, agentId: scene.agentId, triggerId: id };
  const bounds = { rows: 2, piecesMax: 1 };
  expect(await triggers.emptyTrigger(scene.api.db, { ...place, agentId: "agt_x" }, bounds)).toBe("missing");
  expect(await triggers.emptyTrigger(scene.api.db, place, bounds)).toBe("unfinished");
  expect(await scene.count("trigger_sessions")).toBe(3);
  expectReceipt(await scene.post(url, { a: 6 }), 200, "ignored");
  expect((await scene.api.call("GET", `${scene.base}/${id}`)).json).toMatchObject({ status: "paused" });
  expect((await scene.api.call("DELETE", `${scene.base}/${id}`)).status).toBe(200);
  expect([await scene.count("trigger_sessions"), await scene.count("sessions")]).toEqual([0, 5]);
});

test("a change of a deleted agent's trigger leaves no audit entry", async () => {
  const { id } = await scene.create();
  await scene.api.call("DELETE", `/v1/agents/${scene.agentId}`);
  expect((await scene.api.call("PATCH", `${scene.base}/${id}`, { body: { name: "x" } })).status).toBe(404);
  const log = await scene.api.call("GET", "/v1/organizations/current/audit-log");
  expect(log.text).not.toContain("trigger.update");
});
