// `dari schedules` against a platform that answers as the test says.

import { expect, test } from "@jest/globals";
import { runAnswered, type AnsweredRun } from "./run-answered.ts";

const run = (reply: unknown, ...args: readonly string[]): Promise<AnsweredRun> =>
  runAnswered(reply, ["schedules", ...args]);

const schedule = {
  id: "sched_1",
  name: "daily",
  agent_id: "agt_1",
  session_id: null,
  cron: "30 9 * * MON-FRI",
  time_zone: "Europe/Berlin",
  overlap: "skip",
  status: "active",
  paused_reason: null,
  next_due_at: "2026-11-26T08:30:00.000Z",
  last_fired_at: null,
};
const firing = {
  id: "fire_1",
  due_at: "2026-11-25T08:30:00.000Z",
  outcome: "skipped",
  message_id: null,
  message_status: null,
  reason: { code: "overlap", message: "the previous message has not ended" },
};
const page = (rows: unknown[]) => ({ data: rows, has_more: false, next: null });
const sent = [{ type: "text", text: "What is new?" }];

test("create sends the options, shows the first due time, and shows the id", async () => {
  const args = ["create", schedule.cron, "What is new?", "--agent-id", "agt_1", "--time-zone", "Europe/Berlin"];
  const { code, stdout, stderr, calls } = await run(schedule, ...args, "--metadata", "a=b", "--overlap", "replace");
  const body = {
    cron: schedule.cron,
    parts: sent,
    agent_id: "agt_1",
    time_zone: "Europe/Berlin",
    overlap: "replace",
    metadata: { a: "b" },
  };
  expect([code, stdout, calls]).toEqual([0, "sched_1\n", [["POST /v1/schedules", body]]]);
  expect(stderr).toContain(schedule.next_due_at);
});

test("list and get show when it is due, and why it is paused", async () => {
  const paused = { ...schedule, status: "paused", paused_reason: "agent_deleted", next_due_at: null };
  const listed = await run(page([schedule, paused]), "list", "--status", "active", "--agent-id", "agt_1");
  expect(listed.calls).toEqual([["GET /v1/schedules?agent_id=agt_1&status=active&limit=100"]]);
  expect(listed.stdout).toMatch(/sched_1 +active +30 9 \* \* MON-FRI +Europe\/Berlin +2026-11-26T08:30:00.000Z +daily/);
  expect(listed.stdout).toMatch(/paused \(agent_deleted\)/);
  const got = await run(schedule, "get", "sched_1");
  expect(got.calls).toEqual([["GET /v1/schedules/sched_1"]]);
  expect(got.stdout).toMatch(/^session +a new one each time$/m);
  expect(JSON.parse((await run(schedule, "get", "sched_1", "--json")).stdout)).toEqual(schedule);
});

test("set sends what is given and nothing else", async () => {
  const { code, calls } = await run(schedule, "set", "sched_1", "--cron", "0 8 * * *", "--text", "What is new?");
  expect([code, calls]).toEqual([0, [["PATCH /v1/schedules/sched_1", { cron: "0 8 * * *", parts: sent }]]]);
});

test.each([
  [["set", "sched_1"], "give at least one change"],
  [["set", "sched_1", "--file", "x"], "need --text"],
  [["set", "sched_1", "--overlap", "queue"], "replace"],
  [["create", "0 9 * * *", "hello"], "give either"],
  [["create", "0 9 * * *", "hello", "--agent-id", "agt_1", "--session-id", "sess_1"], "give either"],
  [["firings", "sched_1", "--outcome", "lost"], "missed"],
])("%j is wrong usage, and calls nothing", async (args, hint) => {
  const { code, stderr, calls } = await run({}, ...args);
  expect([code, calls]).toEqual([2, []]);
  expect(stderr).toContain(hint);
});

test("firings shows the result of each due time", async () => {
  const { stdout, calls } = await run(page([firing]), "firings", "sched_1", "--outcome", "skipped");
  expect(calls).toEqual([["GET /v1/schedules/sched_1/firings?limit=100&outcome=skipped"]]);
  expect(stdout).toMatch(/2026-11-25T08:30:00.000Z +skipped .*overlap: the previous message has not ended/);
});

test.each([
  [["pause", "sched_1"], ["PATCH /v1/schedules/sched_1", { status: "paused" }], "paused sched_1\n"],
  [
    ["resume", "sched_1"],
    ["PATCH /v1/schedules/sched_1", { status: "active" }],
    /^resumed sched_1; the next message is due at 2026/,
  ],
  [["delete", "sched_1"], ["DELETE /v1/schedules/sched_1"], "deleted sched_1\n"],
])("%j makes one call and says what it did", async (args, call, said) => {
  const { code, stdout, calls } = await run(schedule, ...args);
  expect([code, calls]).toEqual([0, [call]]);
  expect(stdout).toMatch(said);
});
