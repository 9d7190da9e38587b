// What a claim takes, and what is released if it cannot be used.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { sendWebhookTest } from "@dari/control/outbound";
import { withinTransaction, openDatabase, webhookOutbox, withTransaction } from "@dari/db";
import { ok, openWebhookScene, startReceiver, type Receiver, type WebhookScene } from "./receiver.ts";

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

async function dueEndpoints(endpoints: number, each: number): Promise<void> {
  for (let endpoint = 0; endpoint < endpoints; endpoint += 1) {
    const { id } = await scene.endpoint(receiver.url);
    for (let n = 0; n < each; n += 1) await sendWebhookTest(scene.control, scene.actor, id);
  }
}

const bounds: webhookOutbox.ClaimBounds = {
  limit: 3,
  perEndpoint: 4,
  perOrganization: 16,
  busyEndpoints: [],
  busyOrganizations: [],
  leaseMs: 60_000,
};

test("a claim locks only what it takes, whatever else is due; locked rows are skipped", async () => {
  const { db } = scene.database;
  await dueEndpoints(5, 2);
  await withTransaction(db, async (tx) => {
    const claimed = await webhookOutbox.claimDue(withinTransaction(db, tx), bounds);
    expect(claimed).toHaveLength(3);
    const free = await scene.rows<{ id: string }>(`with free as materialized (
      select id from webhook_deliveries where state = 'pending' for update skip locked) select id from free`);
    expect(free).toHaveLength(7);
    const held = new Set(claimed.map(({ id }) => id));
    expect(free.some(({ id }) => held.has(id))).toBe(false);
    // A concurrent call chooses the same oldest ones, waits for no lock and takes none of them.
    const others = await webhookOutbox.claimDue(db, { ...bounds, limit: 10 });
    expect(others.some(({ id }) => held.has(id))).toBe(false);
    expect(others).toHaveLength(7);
  });
});

test("claims whose secrets cannot be read are given back, and cost no attempt", async () => {
  await dueEndpoints(2, 2);
  const owner = openDatabase({ url: scene.database.url, poolMax: 1, applicationName: "dari-test-owner" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => owner.close());
  await owner.pool.query("revoke select on webhook_secrets from dari_app");
  const sender = scene.sender();
  await expect(sender.runOnce()).rejects.toThrow("webhook_secrets");
  const waiting = await scene.rows(`select distinct attempts, claim_token, due_at <= clock_timestamp() as due
    from webhook_deliveries where state = 'pending'`);
  expect(waiting).toEqual([{ attempts: 0, claim_token: null, due: true }]);
  await owner.pool.query("grant select on webhook_secrets to dari_app");
  receiver.answer = ok;
  await sender.runOnce();
  await sender.idle();
  expect(receiver.received).toHaveLength(4);
});
