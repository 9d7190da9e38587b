// Windows of several keys, used by several processes at once.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { rateWindows, withTransaction, type RateRequest } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";
import { untilWaiting } from "./until-waiting.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

test("keys of an organization without its own limit are counted in one order", async () => {
  const takeOf = (keyId: string): RateRequest => ({
    ...{ organizationId: scene.organizationId, keyId, kind: "requests", seconds: 60, want: 1, whole: true, spare: 0 },
    ...{ quota: undefined, keyQuota: 10 },
  });
  const take = (...keys: string[]) => rateWindows.takeFromRateWindows(scene.db, keys.map(takeOf));
  await take("key_1", "key_2");
  const taken: ReturnType<typeof take>[] = [];
  await withTransaction(scene.db, async (tx) => {
    await sql`select 1 from rate_windows where key_id = 'key_1' for update`.execute(tx);
    taken.push(take("key_1", "key_2"));
    await untilWaiting(scene.db, 1);
    taken.push(take("key_2", "key_1"));
    await untilWaiting(scene.db, 2);
  });
  const answers = (await Promise.all(taken)).flat();
  expect(answers.map(({ keyRemaining }) => keyRemaining)).toEqual([8, 8, 7, 7]);
});
