// What a session has used is summed from its attempts. The answers, which can be large, are not read.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { turns, usage } from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let sessionId: string;
beforeEach(async () => {
  scene = await openScene();
  sessionId = await scene.session();
});
afterEach(() => scene.close());

async function run(ending: "completed" | "retry", used?: Record<string, number>): Promise<void> {
  const turn = await scene.claim(sessionId);
  await turns.markCalledIfHeld(scene.db, turn);
  const failure = ending === "retry" ? ({ code: "agent_error", message: "again" } as const) : undefined;
  const snapshot = ending === "completed" ? emptySnapshot(null) : undefined;
  const output = { parts: [], ...(used && { usage: used }) };
  await turns.finishIfHeld(scene.db, turn, { ending, failure, output, snapshot, waitMs: 0 });
}

const sum = () => usage.sumSessionUsage(scene.db, { organizationId: scene.organizationId, sessionId }, 100);

const forgeAnswers = () =>
  scene.db.pool.query(
    `update messages set output = '{"usage": {"output_tokens": 999}}' where session_id = $1 and output is not null`,
    [sessionId],
  );

test("the usage of every attempt counts, and no answer is read", async () => {
  await scene.send(sessionId);
  await run("retry", { output_tokens: 5, requests: 1 });
  await scene.db.pool.query("select ready_due_retries(10, 0)");
  await run("completed", { output_tokens: 20, requests: 2 });
  await forgeAnswers();
  expect(await sum()).toMatchObject({ turns: 2, tokens: 25, byName: { output_tokens: 25, requests: 3 } });
});

test("a turn that reported no usage counts none, and its answer is not read", async () => {
  await scene.send(sessionId);
  await run("completed");
  await forgeAnswers();
  expect(await sum()).toMatchObject({ turns: 1, tokens: 0, byName: {} });
});

test("an agent's sums begin with the organization's oldest message that was read", async () => {
  const messages = [await scene.send(sessionId), await scene.send(sessionId), await scene.send(sessionId)];
  const { rows } = await scene.db.pool.query("select created_at from messages where id = $1", [messages[1]]);
  const place = { organizationId: scene.organizationId, agentId: "agt_other" };
  const window = { since: new Date(0), afterId: "msg_0", messages: 2 };
  const sums = await usage.sumAgentUsage(scene.db, place, window);
  expect(sums).toMatchObject([{ date: null, messages: 0, looked: 3, firstAt: rows[0].created_at }]);
});
