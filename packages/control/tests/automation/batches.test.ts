// Batches whose process dies: none is created in part, and a started cancellation is finished.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createBatch, finishBatchCancels, readBatchResults, sweepBatches } from "@dari/control/automation";
import type { Control } from "@dari/control/context";
import { emptyDeletedOrganizations } from "@dari/control/storage";
import { withinTransaction, organizations, sessionBatches, withTransaction } from "@dari/db";
import { limits } from "@dari/domain";
import { createTestBatch } from "@dari/testkit";
import { openScheduleScene, type ScheduleScene } from "./schedules/scene.ts";

let scene: ScheduleScene;
beforeEach(async () => {
  scene = await openScheduleScene();
});
afterEach(async () => scene[Symbol.asyncDispose]());

const sessions = Array.from({ length: 5 }, (_, n) => ({ parts: [{ type: "text" as const, text: `${n}` }] }));

test("a connection that is lost before the commit leaves nothing", async () => {
  const lost = withTransaction(scene.database.db, async (tx) => {
    const inside = { ...scene.control, db: withinTransaction(scene.database.db, tx) } as Control;
    await createBatch(inside, scene.actor, { agent_id: scene.agentId, sessions });
    const backends = await scene.rows<{ pid: number }>(`select pid from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`);
    expect(backends).toHaveLength(1);
    await scene.rows("select pg_terminate_backend($1)", backends[0]!.pid);
    await tx.selectFrom("session_batches").select("id").execute();
  });
  await expect(lost).rejects.toThrow();
  for (const table of ["session_batches", "session_batch_items", "sessions", "messages", "events"]) {
    expect([table, await scene.rows(`select 1 from ${table}`)]).toEqual([table, []]);
  }
});

test("what a process began to cancel, the next pass finishes, once", async () => {
  const { id } = await createBatch(scene.control, scene.actor, { agent_id: scene.agentId, sessions });
  const place = { organizationId: scene.actor.organizationId, batchId: id };
  await sessionBatches.requestBatchCancelIfFound(scene.database.db, place);
  expect(await sessionBatches.cancelOpenItems(scene.database.db, place, 2)).toHaveLength(2);
  const told = await Promise.all([finishBatchCancels(scene.control), finishBatchCancels(scene.control)]);
  expect(told.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(3);
  expect(await scene.rows("select distinct state from messages")).toEqual([{ state: "cancelled" }]);
  const ended = await scene.rows("select 1 from events where type = 'message.cancelled'");
  expect(ended).toHaveLength(5);
  expect(await scene.rows("select 1 from session_batches where cancelled_at is not null")).toHaveLength(1);
  expect(await finishBatchCancels(scene.control)).toBe(0);
});

test("long answers are read in pieces of a page's bytes", async () => {
  const { id } = await createBatch(scene.control, scene.actor, { agent_id: scene.agentId, sessions });
  const output = JSON.stringify({ parts: [{ type: "text", text: "x".repeat(limits.pageBytes / 2) }] });
  await scene.rows("update messages set output = $1::jsonb where parts -> 0 ->> 'text' < '3'", output);
  const place = { organizationId: scene.actor.organizationId, batchId: id };
  const pieces: number[] = [];
  for await (const lines of await readBatchResults(scene.control, place)) pieces.push(lines.split("\n").length - 1);
  expect(pieces).toEqual([1, 1, 3]);
});

test("batches are forgotten after their time, and with their organization; sessions stay", async () => {
  const { db } = scene.database;
  await createTestBatch(db, scene.actor.organizationId, scene.agentId);
  expect(await sweepBatches(db)).toBe(0);
  expect(await sweepBatches(db, 0)).toBe(1);
  expect(await scene.rows("select 1 from session_batch_items")).toEqual([]);
  expect(await scene.rows("select 1 from sessions")).toHaveLength(1);
  await createTestBatch(db, scene.actor.organizationId, scene.agentId);
  await organizations.deleteOrganizationIfTenant(db, scene.actor.organizationId);
  await emptyDeletedOrganizations(scene.control, 0, 10);
  expect(await scene.rows("select 1 from session_batches")).toEqual([]);
});

test("many small batches are deleted as fast as they can be created", async () => {
  const { db } = scene.database;
  for (let n = 0; n < 41; n += 1) await createTestBatch(db, scene.actor.organizationId, scene.agentId);
  expect(await sweepBatches(db, 0)).toBe(41);
});
