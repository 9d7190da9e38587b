// Sending deliveries: signed, retried by the schedule, recorded, never lost and never sent by two processes at once.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { validate, WebhookPayload } from "@dari/contract";
import {
  deleteWebhookEndpoint,
  getWebhookDelivery,
  getWebhookEndpoint,
  listWebhookDeliveries,
  resendWebhookDelivery,
  rotateWebhookSecret,
  sendWebhookTest,
  sweepWebhooks,
  updateWebhookEndpoint,
} from "@dari/control/outbound";
import { listAuditLog } from "@dari/control/tenants";
import { turns, webhookOutbox } from "@dari/db";
import { limits, webhookAttemptsMax, webhookRetrySeconds } from "@dari/domain";
import { createTestMessage, waitUntil } from "@dari/testkit";
import { isSignedBy, ok, openWebhookScene, startReceiver, type Receiver, type WebhookScene } from "./receiver.ts";

let receiver: Receiver;
let scene: WebhookScene;
beforeEach(async () => {
  receiver = await startReceiver();
  scene = await openWebhookScene(`127.0.0.1:${receiver.port}`);
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Makes all waiting deliveries due, and expires their claims. */
const makeDue = () => scene.rows("update webhook_deliveries set due_at = now() where state = 'pending'");
const place = (endpointId: string) => ({ organizationId: scene.actor.organizationId, endpointId });
const listOf = async (endpointId: string) =>
  (await listWebhookDeliveries(scene.control, place(endpointId), { limit: 100 })).rows;

async function sendDue(sender = scene.sender()): Promise<void> {
  await sender.runOnce();
  await sender.idle();
}

/** Makes only the newest delivery due: a failing endpoint gets one attempt at a time, for whichever is due first. */
async function failTimes(endpointId: string, times: number): Promise<void> {
  const sender = scene.sender();
  for (let attempt = 0; attempt < times; attempt += 1) {
    await scene.rows("update webhook_deliveries set due_at = now() where id = $1", (await listOf(endpointId))[0]?.id);
    await sendDue(sender);
  }
  expect((await listOf(endpointId))[0]?.attempts).toBe(times);
}

test("an event arrives signed, thin, under its own id, and is recorded", async () => {
  const { id, secret } = await scene.endpoint(receiver.url);
  const sessionId = await scene.session();
  const { organizationId } = scene.actor;
  const messageId = await createTestMessage(scene.database.db, organizationId, sessionId);
  await turns.cancelMessageOf(scene.database.db, organizationId, messageId);
  await sendDue();
  const [sent] = receiver.received;
  expect(receiver.received).toHaveLength(1);
  expect(isSignedBy(secret, sent!)).toBe(true);
  expect(sent!.signatures).toHaveLength(1);
  expect(Math.abs(sent!.timestamp - Date.now() / 1_000)).toBeLessThan(60);
  expect(sent!.path).toBe("/hooks?of=us");
  expect(sent!.headers).toMatchObject({ "content-type": "application/json", host: `127.0.0.1:${receiver.port}` });
  const [recorded] = await listOf(id);
  expect(validate(WebhookPayload, JSON.parse(sent!.body))).toEqual([]);
  expect(JSON.parse(sent!.body)).toEqual({
    type: "message.cancelled",
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: {
      id: sent!.id,
      organization_id: organizationId,
      session_id: sessionId,
      sequence_number: recorded!.sequence_number,
      agent_id: scene.agentId,
      message_id: messageId,
    },
  });
  expect(recorded).toMatchObject({
    event_id: sent!.id,
    message_id: messageId,
    status: "delivered",
    attempts: 1,
    response_status: 200,
    response_excerpt: "thanks",
    error: null,
    next_attempt_at: null,
  });
  await sendDue();
  expect(receiver.received).toHaveLength(1);
});

test("a failed delivery is tried again on schedule under the same id, and in the end fails permanently", async () => {
  const { id, secret } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  receiver.answer = (_received, response) => void response.writeHead(500).end("not today");
  const sender = scene.sender({ random: () => 0.5 });
  for (const [index, seconds] of webhookRetrySeconds.entries()) {
    await makeDue();
    await sendDue(sender);
    const [delivery] = await listOf(id);
    expect(delivery).toMatchObject({ status: "pending", attempts: index + 1, response_status: 500 });
    const due = Date.parse(delivery!.next_attempt_at!) - Date.parse(delivery!.attempted_at!);
    expect(Math.abs(due - seconds * 1_000)).toBeLessThan(2_000);
    await sendDue(sender);
  }
  expect(receiver.received).toHaveLength(webhookRetrySeconds.length);
  await makeDue();
  await sendDue(sender);
  const [delivery] = await listOf(id);
  expect(delivery).toMatchObject({
    status: "failed",
    attempts: webhookAttemptsMax,
    response_excerpt: "not today",
    error: "the receiver answered 500",
  });
  expect(new Set(receiver.received.map((one) => one.id)).size).toBe(1);
  expect(new Set(receiver.received.map((one) => one.body)).size).toBe(1);
  expect(receiver.received.every((one) => isSignedBy(secret, one))).toBe(true);
  expect((await getWebhookEndpoint(scene.control, place(id))).status).toBe("enabled");

  receiver.answer = ok;
  await resendWebhookDelivery(scene.control, place(id), scene.actor, delivery!.id);
  await sendDue(sender);
  expect(await getWebhookDelivery(scene.control, place(id), delivery!.id)).toMatchObject({
    status: "delivered",
    attempts: 1,
  });
  expect(receiver.received.at(-1)!.id).toBe(delivery!.event_id);
  expect((await getWebhookEndpoint(scene.control, place(id))).failing_since).toBeNull();
});

test("a receiver that asks for more time gets it", async () => {
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  receiver.answer = (_received, response) => void response.writeHead(429, { "retry-after": "7200" }).end();
  await sendDue();
  const [delivery] = await listOf(id);
  expect(Date.parse(delivery!.next_attempt_at!) - Date.now()).toBeGreaterThan(7_000_000);
});

test("an endpoint that fails for days is disabled with an audit entry; enabling it starts again", async () => {
  const { control, actor } = scene;
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(control, actor, id);
  receiver.answer = (_received, response) => void response.writeHead(503).end();
  await failTimes(id, webhookAttemptsMax - 1);
  expect((await getWebhookEndpoint(control, place(id))).status).toBe("enabled");
  const sixDaysMs = limits.webhookDisableAfterMs + 86_400_000;
  await scene.rows("update webhook_endpoints set failing_since = now() - $1 * interval '1 millisecond'", sixDaysMs);
  await sendWebhookTest(control, actor, id);
  await failTimes(id, 1);
  const disabled = await getWebhookEndpoint(control, place(id));
  expect(disabled).toMatchObject({ status: "disabled", disabled_reason: "failing" });
  const [entry] = (await listAuditLog(control, actor.organizationId, { limit: 1 })).rows;
  expect(entry).toMatchObject({ action: "webhook.disable", target: id, actor_key_id: null });
  expect(scene.log.filter(({ event }) => event === "webhook.disabled")).toHaveLength(1);

  const sent = receiver.received.length;
  await makeDue();
  await sendDue();
  expect(receiver.received).toHaveLength(sent);
  expect((await sweepWebhooks(control)).cancelled).toBe(2);
  const [delivery] = await listOf(id);
  expect(delivery!.status).toBe("cancelled");
  const again = () => resendWebhookDelivery(control, place(id), actor, delivery!.id);
  await expect(again()).rejects.toMatchObject({ code: "conflict" });
  await expect(sendWebhookTest(control, actor, id)).rejects.toMatchObject({ code: "conflict" });

  receiver.answer = ok;
  const enabled = await updateWebhookEndpoint(control, actor, id, { status: "enabled" });
  expect(enabled).toMatchObject({ disabled_reason: null, failing_since: null });
  await again();
  await sendDue();
  expect((await getWebhookDelivery(control, place(id), delivery!.id)).status).toBe("delivered");
});

test("an endpoint with too many pending deliveries is disabled once, with an audit entry, and they end", async () => {
  const { control, actor } = scene;
  const [full, fits] = [await scene.endpoint(receiver.url), await scene.endpoint(receiver.url)];
  for (const { id } of [full, full, full, fits, fits]) await sendWebhookTest(control, actor, id);
  const sweeps = await Promise.all([1, 2, 3].map(() => sweepWebhooks(control, { pendingMax: 2 })));
  expect(sweeps.reduce((sum, { disabled }) => sum + disabled, 0)).toBe(1);
  expect(sweeps.reduce((sum, { cancelled }) => sum + cancelled, 0)).toBe(3);
  const disabled = await getWebhookEndpoint(control, place(full.id));
  expect(disabled).toMatchObject({ status: "disabled", disabled_reason: "backlog", failing_since: null });
  expect((await listOf(full.id)).map(({ status }) => status)).toEqual(["cancelled", "cancelled", "cancelled"]);
  const entries = (await listAuditLog(control, actor.organizationId, { limit: 100 })).rows;
  const details = { reason: "backlog", pending_max: 2 };
  expect(entries.filter(({ action }) => action === "webhook.disable")).toEqual([
    expect.objectContaining({ target: full.id, actor_key_id: null, details }),
  ]);
  const told = scene.log.filter(({ event }) => event === "webhook.disabled");
  expect(told.map(({ fields }) => fields)).toEqual([
    { org: actor.organizationId, endpoint: full.id, reason: "backlog" },
  ]);
  expect((await getWebhookEndpoint(control, place(fits.id))).status).toBe("enabled");
  await updateWebhookEndpoint(control, actor, full.id, { status: "enabled" });
  expect(await sweepWebhooks(control, { pendingMax: 2 })).toEqual({ disabled: 0, cancelled: 0, purged: 0 });
});

test("a receiver that answers 410 is disabled immediately", async () => {
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  receiver.answer = (_received, response) => void response.writeHead(410).end();
  await sendDue();
  expect(await getWebhookEndpoint(scene.control, place(id))).toMatchObject({
    status: "disabled",
    disabled_reason: "gone",
  });
});

test("after a rotation both secrets sign for a day, then the new one alone; no row shows either", async () => {
  const { control, actor } = scene;
  const { id, secret: old } = await scene.endpoint(receiver.url);
  const { secret, old_secret_expires_at: until } = await rotateWebhookSecret(control, actor, id);
  expect(secret).not.toBe(old);
  expect(Math.abs(Date.parse(until!) - Date.now() - 86_400_000)).toBeLessThan(60_000);
  await sendWebhookTest(control, actor, id);
  await sendDue();
  const [both] = receiver.received;
  expect(both!.signatures).toHaveLength(2);
  expect([isSignedBy(secret!, both!), isSignedBy(old, both!)]).toEqual([true, true]);
  await scene.rows("update webhook_secrets set expires_at = now() where expires_at is not null");
  await sendWebhookTest(control, actor, id);
  await sendDue();
  const alone = receiver.received[1]!;
  expect([isSignedBy(secret!, alone), isSignedBy(old, alone)]).toEqual([true, false]);

  for (let more = 1; more < limits.webhookSecretsMax; more += 1) await rotateWebhookSecret(control, actor, id);
  await expect(rotateWebhookSecret(control, actor, id)).rejects.toMatchObject({ code: "conflict" });
  const shown = JSON.stringify([
    await scene.rows("select encode(sealed, 'escape') from webhook_secrets"),
    await scene.rows("select * from webhook_endpoints"),
    await scene.rows("select * from webhook_deliveries"),
    await scene.rows("select * from audit_entries"),
    scene.log,
  ]);
  for (const one of [old, secret!]) expect(shown).not.toContain(one.slice("whsec_".length, 20));
});

test("a delivery that this process cannot sign is not sent, and waits for a process that can", async () => {
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  const elsewhere = await openWebhookScene("");
  await sendDue(scene.sender({}, { sealer: elsewhere.control.sealer }));
  await elsewhere[Symbol.asyncDispose]();
  expect(receiver.received).toEqual([]);
  expect(scene.log.map(({ event }) => event)).toContain("webhook.not_signed");
  expect((await listOf(id))[0]).toMatchObject({ status: "pending", attempts: 0 });
  await makeDue();
  await sendDue();
  expect(receiver.received).toHaveLength(1);
});

test("many senders send each delivery once", async () => {
  const ids = [];
  for (let endpoint = 0; endpoint < 3; endpoint += 1) ids.push((await scene.endpoint(receiver.url)).id);
  for (const id of ids) {
    for (let n = 0; n < 20; n += 1) await sendWebhookTest(scene.control, scene.actor, id);
  }
  const senders = Array.from({ length: 4 }, () => scene.sender());
  await waitUntil(
    async () => {
      await Promise.all(senders.map((sender) => sendDue(sender)));
      return receiver.received.length >= 60;
    },
    { what: "all to be sent", timeoutMs: 30_000 },
  );
  await Promise.all(senders.map((sender) => sendDue(sender)));
  expect(receiver.received).toHaveLength(60);
  expect(new Set(receiver.received.map((one) => one.id)).size).toBe(60);
  const states = await scene.rows("select distinct state, attempts from webhook_deliveries");
  expect(states).toEqual([{ state: "delivered", attempts: 1 }]);
});

test("while a claim is valid no other process sends; then another does, and the late one records nothing", async () => {
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  const { promise: mayAnswer, resolve: answerNow } = Promise.withResolvers<void>();
  receiver.answer = (_received, response) => void mayAnswer.then(() => response.writeHead(500).end("late"));
  const late = scene.sender();
  await late.runOnce();
  await waitUntil(() => receiver.received.length === 1, { what: "the first attempt" });
  await sendDue();
  expect(receiver.received).toHaveLength(1);
  const busy = resendWebhookDelivery(scene.control, place(id), scene.actor, (await listOf(id))[0]!.id);
  await expect(busy).rejects.toMatchObject({ code: "conflict" });

  receiver.answer = ok;
  await makeDue();
  await sendDue();
  expect((await listOf(id))[0]).toMatchObject({ status: "delivered", attempts: 2 });
  answerNow();
  await late.idle();
  expect((await listOf(id))[0]).toMatchObject({ status: "delivered", response_excerpt: "thanks" });
  expect(new Set(receiver.received.map((one) => one.id)).size).toBe(1);
  expect(scene.log.some(({ fields }) => fields["outcome"] === "superseded")).toBe(true);
  expect((await getWebhookEndpoint(scene.control, place(id))).failing_since).toBeNull();
});

test("a process that is killed between the sending and its record: sent again, under the same id", async () => {
  const { id, secret } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  receiver.answer = () => undefined;
  const script = join(import.meta.dirname, "sender-process.ts");
  // Its signatures do not matter here: the claim and its end are real.
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script], {
    env: { URL: scene.database.url, RECEIVER: `127.0.0.1:${receiver.port}`, PATH: process.env["PATH"] },
    stdio: "inherit",
  });
  await waitUntil(() => receiver.received.length === 1, { what: "the child's attempt", timeoutMs: 30_000 });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  receiver.answer = ok;
  await sendDue();
  expect(receiver.received).toHaveLength(1);
  await makeDue();
  await sendDue();
  expect(receiver.received).toHaveLength(2);
  expect(receiver.received[1]!.id).toBe(receiver.received[0]!.id);
  expect(isSignedBy(secret, receiver.received[1]!)).toBe(true);
  expect((await listOf(id))[0]).toMatchObject({ status: "delivered", attempts: 2 });
});

test("a sender that is closed releases unfinished attempts, and does not count them", async () => {
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  receiver.answer = () => undefined;
  const first = scene.sender();
  await first.runOnce();
  await waitUntil(() => receiver.received.length === 1, { what: "the attempt" });
  await first.close();
  expect((await listOf(id))[0]).toMatchObject({ status: "pending", attempts: 0 });
  receiver.answer = ok;
  await sendDue();
  expect((await listOf(id))[0]).toMatchObject({ status: "delivered", attempts: 1 });
});

test("nothing is sent for a deleted endpoint or organization, and the sweep removes what is left", async () => {
  const { control, actor } = scene;
  const [first, second] = [await scene.endpoint(receiver.url), await scene.endpoint(receiver.url)];
  for (const { id } of [first, second]) await sendWebhookTest(control, actor, id);
  await deleteWebhookEndpoint(control, actor, first.id);
  await scene.rows("update organizations set deleted_at = now() where id = $1", actor.organizationId);
  await sendDue();
  expect(receiver.received).toEqual([]);
  expect(await sweepWebhooks(control)).toEqual({ disabled: 0, cancelled: 1, purged: 1 });
  expect(await scene.rows("select id from webhook_endpoints")).toEqual([{ id: second.id }]);
  expect(await scene.rows("select endpoint_id from webhook_secrets")).toEqual([{ endpoint_id: second.id }]);
});

test("ended deliveries are deleted after their retention, pending ones are not", async () => {
  const { id } = await scene.endpoint(receiver.url);
  await sendWebhookTest(scene.control, scene.actor, id);
  await sendDue();
  await sendWebhookTest(scene.control, scene.actor, id);
  expect(await sweepWebhooks(scene.control)).toEqual({ disabled: 0, cancelled: 0, purged: 0 });
  expect(await sweepWebhooks(scene.control, { keepMs: 0 })).toEqual({ disabled: 0, cancelled: 0, purged: 1 });
  expect((await listOf(id)).map(({ status }) => status)).toEqual(["pending"]);
  expect(await webhookOutbox.getBacklog(scene.control.db)).toMatchObject({ pending: 1, notes: 0 });
});

test("the sweep keeps up with two thousand ended deliveries a second, next to other sweeps", async () => {
  const { id } = await scene.endpoint(receiver.url);
  const rows = 24_000;
  await scene.rows(
    `insert into webhook_deliveries
        (id, organization_id, endpoint_id, event_id, type, event_created_at, state, ended_at)
      select 'whdl_' || i, $1, $2, 'evt_' || i, 'message.completed', now(), 'delivered', now()
      from generate_series(1, ${rows}) i`,
    scene.actor.organizationId,
    id,
  );
  const startedAt = performance.now();
  const sweeps = await Promise.all([1, 2].map(() => sweepWebhooks(scene.control, { keepMs: 0 })));
  const seconds = (performance.now() - startedAt) / 1_000;
  expect(sweeps.reduce((sum, { purged }) => sum + purged, 0)).toBe(rows);
  // A sweep runs once a minute and may take 25 s.
  expect((rows / seconds) * (25 / 60)).toBeGreaterThan(2_000);
});
