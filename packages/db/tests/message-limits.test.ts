// Limits that a message is sent with: which turn they are for, and what they are together with those of the manifest.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { turnDetails } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const bounds = { messages: 1, bytes: 1 };
const limitsOf = async (messageId: string) => (await turnDetails.getTurnDetails(scene.db, messageId, bounds)).limits;

async function setManifest(limits: object | null): Promise<void> {
  const added = JSON.stringify(limits === null ? {} : { limits });
  await sql`update versions set manifest = (manifest - 'limits') || ${added}::jsonb`.execute(scene.db.kysely);
}

test("each limit is the lower one of the message and of the manifest", async () => {
  const { messageId } = await scene.accept(await scene.session(), { limits: { requests: 5 } });
  const plain = await scene.send(await scene.session());
  expect([await limitsOf(messageId), await limitsOf(plain)]).toEqual([{ requests: 5 }, undefined]);
  await setManifest({ requests: 3, tokens: 1_000_000_000_000 });
  expect(await limitsOf(messageId)).toEqual({ requests: 3, tokens: 1_000_000_000_000 });
  expect(await limitsOf(plain)).toEqual({ requests: 3, tokens: 1_000_000_000_000 });
  await setManifest({ requests: 9 });
  expect(await limitsOf(messageId)).toEqual({ requests: 5 });
  await setManifest({ cost_usd: 2.5 });
  expect(await limitsOf(plain)).toEqual({ cost_usd: 2.5 });
  const cheaper = await scene.accept(await scene.session(), { limits: { cost_usd: 0.01, tokens: 7 } });
  expect(await limitsOf(cheaper.messageId)).toEqual({ cost_usd: 0.01, tokens: 7 });
  await setManifest(null);
});

test("a retry has the limits of the message, unless it brings others", async () => {
  const session = await scene.session();
  const { messageId } = await scene.accept(session, { limits: { tokens: 7 } });
  const again = await scene.accept(session, { retryOf: messageId });
  const other = await scene.accept(session, { retryOf: messageId, limits: { tokens: 8 } });
  expect(await Promise.all([again, other].map((one) => limitsOf(one.messageId)))).toEqual([
    { tokens: 7 },
    { tokens: 8 },
  ]);
});

test("a message with limits has its own turn, and merges only with equal ones", async () => {
  const session = await scene.session();
  await scene.send(session);
  await scene.claim(session);
  const steering = await scene.accept(session, { onBusy: "steer", limits: { tokens: 7 } });
  expect(steering.steers).toBe(false);
  const { rows } = await sql<{ isSteering: boolean }>`
    select is_steering as "isSteering" from messages where id = ${steering.messageId}`.execute(scene.db.kysely);
  expect(rows).toEqual([{ isSteering: false }]);
  const plain = await scene.accept(session, { onBusy: "merge" });
  expect(plain.ended).toEqual([]);
  const first = await scene.accept(session, { limits: { tokens: 7 } });
  const second = await scene.accept(session, { onBusy: "merge", limits: { tokens: 7 } });
  expect(second.ended).toEqual([first.messageId]);
  expect(await limitsOf(second.messageId)).toEqual({ tokens: 7 });
});
