// What a due time causes: the message, the record, and the next due time, and what can prevent it.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { fireSchedules, sweepFirings, updateSchedule } from "@dari/control/automation";
import { emptyDeletedOrganizations } from "@dari/control/storage";
import { putBudget } from "@dari/control/tenants";
import { createBacklog, listMessages } from "@dari/control/turns";
import { agents, budgets, organizations, sessions, type Database } from "@dari/db";
import { limits, newId } from "@dari/domain";
import { createTestFile, createTestSession } from "@dari/testkit";
import { openScheduleScene, type ScheduleScene } from "./scene.ts";

let scene: ScheduleScene;
let db: Database;
beforeEach(async () => {
  scene = await openScheduleScene();
  db = scene.database.db;
});
afterEach(async () => scene[Symbol.asyncDispose]());

const place = () => ({ organizationId: scene.actor.organizationId });

/** Makes it due, fires, and returns the record. */
async function fireOnce(scheduleId: string, secondsAgo?: number) {
  await scene.makeDue(scheduleId, secondsAgo);
  await scene.fire();
  return (await scene.firings(scheduleId))[0]!;
}

test("a new session each time, with the message, its schedule and its due time", async () => {
  const made = await scene.schedule({ name: "daily", metadata: { topic: "news" } });
  expect(made).toMatchObject({ status: "active", overlap: "skip", session_id: null, last_fired_at: null });
  expect(new Date(made.next_due_at!).toISOString()).toMatch(/-01-01T00:00:00\.000Z$/);
  expect(await scene.fire()).toEqual({ fired: 0, skipped: 0, missed: 0, failed: 0 });
  const firing = await fireOnce(made.id);
  expect(firing).toMatchObject({ outcome: "fired", reason: null, messageState: "queued", missedCount: null });
  const [session] = await scene.rows(
    "select name, metadata, schedule, pending, agent_id from sessions where id = $1",
    firing.sessionId,
  );
  expect(session).toEqual({
    name: "daily",
    metadata: { topic: "news" },
    schedule: "ready",
    pending: 1,
    agent_id: scene.agentId,
  });
  const { rows: messages } = await listMessages(scene.control, scene.actor, firing.sessionId!, { limit: 10 });
  expect(messages).toMatchObject([
    {
      id: firing.messageId,
      parts: [{ type: "text", text: "good morning" }],
      metadata: { topic: "news", schedule_id: made.id, schedule_due_at: firing.dueAt.toISOString() },
    },
  ]);
  const after = await scene.get(made.id);
  expect(after.next_due_at).toBe(made.next_due_at);
  expect(Date.parse(after.last_fired_at!)).toBeGreaterThanOrEqual(firing.dueAt.getTime());
  expect(await scene.fire()).toEqual({ fired: 0, skipped: 0, missed: 0, failed: 0 });
});

test("skip: while the previous message is open, nothing is sent; when it has ended, the next one is", async () => {
  const { id } = await scene.schedule();
  const first = await fireOnce(id);
  expect(await fireOnce(id)).toMatchObject({ outcome: "skipped", reasonCode: "overlap", messageId: null });
  await sessions.completeSessionIfOpen(db, { ...place(), sessionId: first.sessionId!, cancel: true });
  const third = await fireOnce(id);
  expect(third).toMatchObject({ outcome: "fired" });
  expect(third.sessionId).not.toBe(first.sessionId);
  expect((await scene.firings(id)).map((row) => row.outcome)).toEqual(["fired", "skipped", "fired"]);
});

test("allow: concurrently; in one session, after it", async () => {
  const { id } = await scene.schedule({ overlap: "allow" });
  const first = await fireOnce(id);
  const second = await fireOnce(id);
  expect([second.outcome, second.sessionId === first.sessionId]).toEqual(["fired", false]);
  const sessionId = await createTestSession(db, scene.actor.organizationId, scene.agentId);
  const fixed = await scene.schedule({ session_id: sessionId, overlap: "allow" });
  expect(fixed.agent_id).toBe(scene.agentId);
  await fireOnce(fixed.id);
  expect(await fireOnce(fixed.id)).toMatchObject({ outcome: "fired", sessionId });
  expect(await scene.rows("select pending from sessions where id = $1", sessionId)).toEqual([{ pending: 2 }]);
});

test("replace: the message before is cancelled, and only that", async () => {
  const sessionId = await createTestSession(db, scene.actor.organizationId, scene.agentId);
  const { id } = await scene.schedule({ session_id: sessionId, overlap: "replace" });
  const other = await scene.schedule({ session_id: sessionId, overlap: "allow" });
  const first = await fireOnce(id);
  const others = await fireOnce(other.id);
  const second = await fireOnce(id);
  const states = await scene.rows<{ id: string; state: string }>(
    "select id, state from messages order by sequence_number",
  );
  expect(states).toEqual([
    { id: first.messageId, state: "cancelled" },
    { id: others.messageId, state: "queued" },
    { id: second.messageId, state: "queued" },
  ]);
});

test("a session that rejects while it is busy: skipped, and nothing of it stays", async () => {
  const sessionId = await createTestSession(db, scene.actor.organizationId, scene.agentId);
  await scene.rows("update sessions set on_busy = 'reject' where id = $1", sessionId);
  const { id } = await scene.schedule({ session_id: sessionId, overlap: "allow" });
  const other = await scene.schedule({ session_id: sessionId, overlap: "replace" });
  const first = await fireOnce(id);
  expect(await fireOnce(other.id)).toMatchObject({ outcome: "skipped", reasonCode: "session_busy" });
  // Its previous message is open: cancelling it would be useless, so it is not cancelled.
  await scene.rows("update schedules set last_message_id = $2 where id = $1", other.id, first.messageId);
  await scene.rows("update messages set state = 'running', fence = 1 where id = $1", first.messageId);
  expect(await fireOnce(other.id)).toMatchObject({ outcome: "skipped", reasonCode: "session_busy" });
  expect(await scene.rows("select cancel_requested_at from messages")).toEqual([{ cancel_requested_at: null }]);
});

test("times that passed during a downtime are missed, in one record; a recent one is sent once", async () => {
  const { id } = await scene.schedule({ cron: "* * * * *" });
  expect(await fireOnce(id, 3_600)).toMatchObject({ outcome: "fired" });
  const [fired, missed, ...rest] = await scene.firings(id);
  expect(rest).toEqual([]);
  expect(missed).toMatchObject({ outcome: "missed", reasonCode: "late", messageId: null });
  expect(missed!.missedCount).toBeGreaterThanOrEqual(59);
  expect(missed!.reason).toMatch(
    /^\d+ due times passed while the platform was down or behind; missed messages are not sent later$/,
  );
  expect(fired!.dueAt.getTime() - missed!.dueAt.getTime()).toBeGreaterThan(3_500_000);
  const late = await scene.schedule();
  expect(await fireOnce(late.id, limits.scheduleLateMs / 1_000 + 60)).toMatchObject({
    outcome: "missed",
    missedCount: 1,
    reason: "the due time passed while the platform was down or behind; missed messages are not sent later",
  });
  expect(await scene.rows("select count(*)::int as n from messages")).toEqual([{ n: 1 }]);
});

test("a due time that has its record is not fired again, whatever the clock says", async () => {
  const { id } = await scene.schedule({ overlap: "allow" });
  const { dueAt } = await fireOnce(id);
  await scene.rows("update schedules set next_due_at = $2 where id = $1", id, dueAt);
  expect(await scene.fire()).toEqual({ fired: 0, skipped: 0, missed: 0, failed: 0 });
  expect(await scene.firings(id)).toHaveLength(1);
  expect((await scene.get(id)).next_due_at).toMatch(/-01-01T/);
});

test("a deleted agent, an ended session: failed, and paused, with an audit entry", async () => {
  const sessionId = await createTestSession(db, scene.actor.organizationId, scene.agentId);
  const fixed = await scene.schedule({ session_id: sessionId });
  const each = await scene.schedule();
  await sessions.completeSessionIfOpen(db, { ...place(), sessionId, cancel: false });
  await agents.softDeleteAgentIfLive(db, scene.actor.organizationId, scene.agentId);
  expect(await fireOnce(each.id)).toMatchObject({ outcome: "failed", reasonCode: "agent_deleted" });
  await scene.rows("update agents set deleted_at = null");
  expect(await fireOnce(fixed.id)).toMatchObject({ outcome: "failed", reasonCode: "session_ended" });
  expect(await scene.get(each.id)).toMatchObject({
    status: "paused",
    paused_reason: "agent_deleted",
    next_due_at: null,
  });
  expect(await scene.get(fixed.id)).toMatchObject({ status: "paused", paused_reason: "session_ended" });
  const resumed = updateSchedule(scene.control, scene.actor, fixed.id, { status: "active" });
  await expect(resumed).rejects.toMatchObject({ code: "conflict", detail: "the schedule's session has ended" });
  expect(await updateSchedule(scene.control, scene.actor, each.id, { status: "active" })).toMatchObject({
    status: "active",
    paused_reason: null,
    next_due_at: expect.any(String),
  });
  const entries = await scene.rows(
    "select target, actor_key_id, details from audit_entries where action = 'schedule.pause' order by id",
  );
  expect(entries).toEqual([
    { target: each.id, actor_key_id: null, details: { reason: "agent_deleted" } },
    { target: fixed.id, actor_key_id: null, details: { reason: "session_ended" } },
  ]);
});

test("a message that would only wait is not sent: a stop of all turns, a budget that is used up", async () => {
  const { id } = await scene.schedule();
  await budgets.putPlatformStop(db, "maintenance");
  expect(await fireOnce(id)).toMatchObject({ outcome: "skipped", reasonCode: "paused" });
  await budgets.deletePlatformStop(db);
  const request = { period: "day", max_turns: 1, agent_id: scene.agentId } as const;
  const budget = await putBudget(scene.control, scene.actor, scene.actor.organizationId, request);
  await scene.rows("update budgets set turns = 1 where id = $1", budget.id);
  expect(await fireOnce(id)).toMatchObject({ outcome: "skipped", reasonCode: "budget" });
  await scene.rows("update budgets set max_turns = 2");
  expect(await fireOnce(id)).toMatchObject({ outcome: "fired" });
});

test("limits are recorded as failures, and leave no session behind", async () => {
  const { id } = await scene.schedule({ overlap: "allow" });
  await scene.rows("update organizations set max_sessions = 1");
  await fireOnce(id);
  expect(await fireOnce(id)).toMatchObject({ outcome: "failed", reasonCode: "quota_exceeded" });
  await scene.rows("update organizations set max_sessions = null, max_backlog = 1");
  // A new backlog counts again, like a process that has just started.
  await scene.makeDue(id);
  await fireSchedules({ ...scene.control, backlog: createBacklog() });
  expect((await scene.firings(id))[0]).toMatchObject({ outcome: "failed", reasonCode: "backlog_full" });
  expect(await scene.rows("select count(*)::int as n from sessions")).toEqual([{ n: 1 }]);
  const agentId = newId("agent");
  await scene.rows(
    "insert into agents (id, organization_id, name) values ($1, $2, 'empty')",
    agentId,
    scene.actor.organizationId,
  );
  const empty = await scene.schedule({ agent_id: agentId });
  await scene.rows("update organizations set max_backlog = null");
  expect(await fireOnce(empty.id)).toMatchObject({
    outcome: "failed",
    reasonCode: "not_possible",
    reason: "the agent has no version that is ready or being built",
  });
  expect(await scene.get(empty.id)).toMatchObject({ status: "active" });
});

test("messages per minute are spent as by a call", async () => {
  await scene.rows("update organizations set max_messages_per_minute = 1");
  const { id } = await scene.schedule({ overlap: "allow" });
  expect(await fireOnce(id)).toMatchObject({ outcome: "fired" });
  expect(await fireOnce(id)).toMatchObject({ outcome: "failed", reasonCode: "rate_limited" });
});

test("a file that was deleted in the meantime: failed, until the parts are changed", async () => {
  const fileId = await createTestFile(db, scene.actor.organizationId, "plan.txt");
  const { id } = await scene.schedule({ parts: [{ type: "file", file_id: fileId }], overlap: "allow" });
  const fired = await fireOnce(id);
  const [sent] = await scene.rows<{ parts: unknown }>("select parts from messages where id = $1", fired.messageId);
  expect(sent!.parts).toEqual([{ type: "file", file_id: fileId, path: "/input/plan.txt" }]);
  await scene.rows("update files set deleted_at = now()");
  expect(await fireOnce(id)).toMatchObject({ outcome: "failed", reasonCode: "file_deleted" });
});

test("a paused schedule is not due, and its missed times are not sent later", async () => {
  const { id } = await scene.schedule({ cron: "* * * * *" });
  await updateSchedule(scene.control, scene.actor, id, { status: "paused" });
  expect(await scene.get(id)).toMatchObject({ status: "paused", paused_reason: "manual", next_due_at: null });
  const resumed = await updateSchedule(scene.control, scene.actor, id, { status: "active" });
  const [{ now }] = (await scene.rows<{ now: Date }>("select clock_timestamp() as now")) as [{ now: Date }];
  expect(Date.parse(resumed.next_due_at!)).toBeGreaterThan(now.getTime() - 1_000);
  expect(await scene.firings(id)).toEqual([]);
});

test("an organization that is deleted fires nothing more, and its schedules go with what it owned", async () => {
  const { id } = await scene.schedule();
  await organizations.deleteOrganizationIfTenant(db, scene.actor.organizationId);
  await scene.makeDue(id);
  expect(await scene.fire()).toEqual({ fired: 0, skipped: 0, missed: 0, failed: 0 });
  await emptyDeletedOrganizations(scene.control, 0, 10);
  expect(await scene.rows("select id from schedules")).toEqual([]);
});

test("a schedule that cannot be fired delays no other, and stays due", async () => {
  const broken = await scene.schedule();
  const whole = await scene.schedule();
  await scene.rows(`update schedules set parts = '"none"' where id = $1`, broken.id);
  await scene.makeDue(broken.id, 10);
  await scene.makeDue(whole.id);
  expect(await scene.fire()).toMatchObject({ fired: 1 });
  expect(scene.log.filter(({ event }) => event === "schedule.not_fired")).toHaveLength(1);
  expect(await scene.firings(broken.id)).toEqual([]);
  expect(Date.parse((await scene.get(broken.id)).next_due_at!)).toBeLessThan(Date.now());
});

test("times that can no longer be read: failed, and paused until they are changed", async () => {
  const { id } = await scene.schedule();
  await scene.rows("update schedules set time_zone = 'Mars/Base' where id = $1", id);
  expect(await fireOnce(id)).toMatchObject({ outcome: "failed", reasonCode: "not_possible" });
  expect(await scene.get(id)).toMatchObject({ status: "paused", paused_reason: "unknown_times" });
  const change = { time_zone: "UTC", status: "active" } as const;
  expect(await updateSchedule(scene.control, scene.actor, id, change)).toMatchObject({ status: "active" });
});

test("records are forgotten after their time", async () => {
  const { id } = await scene.schedule();
  await fireOnce(id);
  expect(await sweepFirings(db)).toBe(0);
  expect(await sweepFirings(db, 0)).toBe(1);
  expect(await scene.firings(id)).toEqual([]);
  expect(await scene.get(id)).toMatchObject({ last_fired_at: expect.any(String) });
});
