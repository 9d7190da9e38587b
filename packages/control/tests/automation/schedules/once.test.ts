// Each due time gives one message, however many reconcilers fire it, and whichever of them is killed.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createTestOrganizations, createTestSession, waitUntil } from "@dari/testkit";
import { openScheduleScene, type ScheduleScene } from "./scene.ts";

let scene: ScheduleScene;
beforeEach(async () => {
  scene = await openScheduleScene();
});
afterEach(async () => scene[Symbol.asyncDispose]());

async function counts(): Promise<unknown> {
  const [row] = await scene.rows(`select (select count(*)::int from schedule_firings) as firings,
    (select count(*)::int from messages) as messages, (select count(*)::int from sessions) as sessions`);
  return row;
}

test("eight concurrent processes send each of thirty due messages once", async () => {
  const ids: string[] = [];
  for (let n = 0; n < 30; n += 1) ids.push((await scene.schedule()).id);
  for (const id of ids) await scene.makeDue(id);
  const all = await Promise.all(Array.from({ length: 8 }, () => scene.fire()));
  expect(all.reduce((sum, one) => sum + one.fired, 0)).toBe(30);
  expect(await counts()).toEqual({ firings: 30, messages: 30, sessions: 30 });
  expect(await scene.fire()).toMatchObject({ fired: 0 });
});

test("a schedule that is being fired is skipped without waiting", async () => {
  const { id } = await scene.schedule();
  await scene.makeDue(id);
  const client = await scene.database.db.pool.connect();
  try {
    await client.query("begin");
    await client.query("select 1 from schedules where id = $1 for no key update", [id]);
    expect(await scene.fire()).toEqual({ fired: 0, skipped: 0, missed: 0, failed: 0 });
    await client.query("rollback");
  } finally {
    client.release();
  }
  expect(await scene.fire()).toMatchObject({ fired: 1 });
});

test("a process that is killed in the middle of a firing leaves nothing of it, and the next one fires it", async () => {
  const sessionId = await createTestSession(scene.database.db, scene.actor.organizationId, scene.agentId);
  const { id } = await scene.schedule({ session_id: sessionId });
  await scene.makeDue(id);
  const client = await scene.database.db.pool.connect();
  try {
    await client.query("set idle_in_transaction_session_timeout = 0");
    await client.query("begin");
    await client.query("select 1 from sessions where id = $1 for update", [sessionId]);
    const script = join(import.meta.dirname, "firing-process.ts");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script], {
      env: { URL: scene.database.url, PATH: process.env["PATH"] },
      stdio: "inherit",
    });
    // It holds the schedule and waits for the session: its firing has begun and cannot end.
    const waits = async (): Promise<boolean> =>
      (
        await scene.rows(`select 1 from pg_locks l join pg_stat_activity a on a.pid = l.pid
          where not l.granted and a.application_name = 'dari-test-firing' and a.datname = current_database()`)
      ).length > 0;
    await waitUntil(waits, { what: "the child's firing", timeoutMs: 150_000 });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    await client.query("rollback");
  } finally {
    client.release(true);
  }
  const gone = async (): Promise<boolean> =>
    (
      await scene.rows(`select 1 from pg_stat_activity where application_name = 'dari-test-firing'
      and datname = current_database()`)
    ).length === 0;
  await waitUntil(gone, { what: "the server to notice" });
  expect(await counts()).toEqual({ firings: 0, messages: 0, sessions: 1 });
  expect(await scene.fire()).toMatchObject({ fired: 1 });
  expect(await counts()).toEqual({ firings: 1, messages: 1, sessions: 1 });
}, 240_000);

test("an organization with many due schedules does not delay another one", async () => {
  for (let n = 0; n < 60; n += 1) await scene.makeDue((await scene.schedule()).id, 60);
  const [other] = await createTestOrganizations(scene.database.db, 1);
  const { organizationId, agentId } = other!;
  await scene.rows(
    `insert into schedules (id, organization_id, agent_id, cron, time_zone, parts, next_due_at)
      values ('sched_other', $1, $2, '0 0 1 1 *', 'UTC', '[{"type": "text", "text": "x"}]', now())`,
    organizationId,
    agentId,
  );
  // A run ends after a while. The next one continues.
  while ((await scene.fire()).fired > 0);
  const [place] = await scene.rows<{ n: number }>(`select n::int from (
    select schedule_id, row_number() over (order by created_at) as n from schedule_firings) f
    where schedule_id = 'sched_other'`);
  expect(place!.n).toBeLessThanOrEqual(2);
  expect(await counts()).toMatchObject({ firings: 61 });
});
