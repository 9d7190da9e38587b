// `dari batches` against a platform that answers as the test says.

import { expect, test } from "@jest/globals";
import { runAnswered, type AnsweredRun } from "./run-answered.ts";

const questions = 'What is new?\n\n  {"parts": [{"type": "text", "text": "And old?"}], "metadata": {"n": 2}}\n';
const files = { "questions.txt": questions, "broken.jsonl": "{", "none.txt": "\n", "wrong.jsonl": '{"text": "x"}' };

const run = (reply: unknown, ...args: readonly string[]): Promise<AnsweredRun> =>
  runAnswered(reply, ["batches", ...args], files);

const batch = {
  id: "batch_1",
  agent_id: "agt_1",
  name: "import",
  total: 3,
  created_at: "2026-11-25T00:00:00.000Z",
  cancel_requested_at: null,
  status: "in_progress",
  counts: { queued: 2, running: 0, waiting_for_input: 0, completed: 1, failed: 0, cancelled: 0, deleted: 0 },
  finished_at: null,
};
const item = {
  index: 4,
  session_id: "sess_1",
  message_id: "msg_1",
  message_status: "failed",
  error: { code: "timeout", message: "the turn took too long" },
};
const page = (rows: unknown[]) => ({ data: rows, has_more: false, next: null });

test("create makes an item of each line that is not empty, and shows the id", async () => {
  const args = ["create", "questions.txt", "--agent-id", "agt_1", "--name", "import", "--metadata", "a=b"];
  const { code, stdout, stderr, calls } = await run(batch, ...args);
  const body = {
    agent_id: "agt_1",
    name: "import",
    metadata: { a: "b" },
    sessions: [
      { parts: [{ type: "text", text: "What is new?" }] },
      { parts: [{ type: "text", text: "And old?" }], metadata: { n: 2 } },
    ],
  };
  expect([code, stdout, calls]).toEqual([0, "batch_1\n", [["POST /v1/session-batches", body]]]);
  expect(stderr).toContain("Started 3 sessions");
});

test.each([
  [["create", "questions.txt"], "--agent-id"],
  [["create", "missing.txt", "--agent-id", "agt_1"], "missing.txt cannot be read: ENOENT"],
  [["create", "broken.jsonl", "--agent-id", "agt_1"], "line 1 starts with { but is not valid JSON"],
  [["create", "none.txt", "--agent-id", "agt_1"], "sessions: expected at least 1 item"],
  [["create", "wrong.jsonl", "--agent-id", "agt_1"], "sessions[0].parts: field is required"],
  [["sessions", "batch_1", "--status", "lost"], "completed"],
])("%j is wrong usage, and calls nothing", async (args, hint) => {
  const { code, stderr, calls } = await run({}, ...args);
  expect([code, calls]).toEqual([2, []]);
  expect(stderr).toContain(hint);
});

test("get and cancel show the results", async () => {
  const got = await run(batch, "get", "batch_1");
  expect(got.calls).toEqual([["GET /v1/session-batches/batch_1"]]);
  expect(got.stdout).toMatch(/^sessions +3: 2 queued, 1 completed$/m);
  const cancelled = await run({ ...batch, status: "cancelling" }, "cancel", "batch_1", "--json");
  expect(cancelled.calls).toEqual([["POST /v1/session-batches/batch_1/cancel"]]);
  expect(JSON.parse(cancelled.stdout)).toMatchObject({ status: "cancelling" });
});

test("list and sessions show a line for each", async () => {
  const listed = await run(page([batch]), "list");
  expect(listed.calls).toEqual([["GET /v1/session-batches?limit=100"]]);
  expect(listed.stdout).toMatch(/batch_1 +in_progress +3 +agt_1 +2026-11-25T00:00:00.000Z +import/);
  const sessions = await run(page([item]), "sessions", "batch_1", "--status", "failed");
  expect(sessions.calls).toEqual([["GET /v1/session-batches/batch_1/sessions?limit=100&message_status=failed"]]);
  expect(sessions.stdout).toMatch(/4 +sess_1 +msg_1 +failed +timeout: the turn took too long/);
});
