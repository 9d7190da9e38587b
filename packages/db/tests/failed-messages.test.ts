// Failed messages are found with their own indexes only, among many others.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { failedMessages, turns, type Database } from "../src/index.ts";
import { countRowsRead, vacuumAnalyze } from "./rows-read.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
let sessionId: string;
let failedId: string;
beforeAll(async () => {
  scene = await openScene();
  sessionId = await scene.session();
  failedId = await scene.send(sessionId);
  const turn = await scene.claim(sessionId);
  const failure = { code: "timeout", message: "x" } as const;
  await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure });
});
afterAll(() => scene.close());

const { listFailedMessages, lockSessionsAndListRetried } = failedMessages;

test("a failed message is found by the properties that it shares with others", async () => {
  const find = async (filter: object): Promise<unknown> => {
    const all = { organizationId: scene.organizationId, ...filter };
    return (await listFailedMessages(scene.db, all, { limit: 10 }))?.map((row) => row.id);
  };
  expect(await find({})).toEqual([failedId]);
  expect(await find({ organizationId: undefined, errorCode: "timeout", sessionId })).toEqual([failedId]);
  for (const other of [{ organizationId: "org_x" }, { errorCode: "x" }, { sessionId: "s" }, { agentId: "a" }]) {
    expect([other, await find(other)]).toEqual([other, []]);
  }
  await scene.db.pool.query("update messages set copied_from = 'msg_x' where id = $1", [failedId]);
  expect(await find({})).toEqual([]);
  await scene.db.pool.query("update messages set copied_from = null where id = $1", [failedId]);
});

test("the cost does not grow with the messages that did not fail", async () => {
  await scene.db.pool.query(
    `insert into messages (id, organization_id, session_id, sequence_number, state, parts, max_attempts, completed_at,
      failed_at)
    select 'msg_' || n, $1, $2, n + 10, case when n % 100 = 0 then 'failed' else 'cancelled' end, '[]', 1,
      now() - n * interval '1 second', case when n % 100 = 0 then now() - n * interval '1 second' end
    from generate_series(1, 20000) n`,
    [scene.organizationId, sessionId],
  );
  const firstPage = (organizationId: string | undefined): Promise<number> => {
    const list = (bound: Database) => listFailedMessages(bound, { organizationId }, { limit: 100 });
    return countRowsRead(scene.db, list, ["messages", "sessions"]);
  };
  const read = async (): Promise<number[]> => [await firstPage(scene.organizationId), await firstPage(undefined)];
  const withoutStatistics = await read();
  await vacuumAnalyze(scene.url);
  // 201 failed, each with its session.
  for (const rows of [...withoutStatistics, ...(await read())]) expect(rows).toBeLessThan(1_000);
});

test("messages that were retried in the meantime are found once the sessions are locked", async () => {
  expect(await lockSessionsAndListRetried(scene.db, [sessionId], [failedId])).toEqual(new Set());
  await scene.accept(sessionId, { retryOf: failedId });
  expect(await lockSessionsAndListRetried(scene.db, [sessionId], [failedId])).toEqual(new Set([failedId]));
});
