// `dari trigger` against a platform that answers as the test says.

import { expect, test } from "@jest/globals";
import { runAnswered, type AnsweredRun } from "./run-answered.ts";

const run = (reply: unknown, ...args: readonly string[]): Promise<AnsweredRun> =>
  runAnswered(reply, ["trigger", ...args]);

const trigger = {
  id: "trig_1",
  agent_id: "agt_1",
  name: "issues",
  scheme: "github",
  has_secret: true,
  old_secret_expires_at: null,
  text: "Issue {{issue.number}}",
  session_key: "{{issue.id}}",
  event_id: null,
  when: [
    { header: "X-GitHub-Event", equals: ["issues"] },
    { path: "bot", exists: false },
  ],
  missing: "empty",
  include_body: true,
  lane: "interactive",
  status: "active",
};
const page = (rows: unknown[]) => ({ data: rows, has_more: false, next: null });

test("create sends the options, and shows the URL and the secret once", async () => {
  const made = { ...trigger, url: "http://dari.example/v1/triggers/dtrg_x", secret: "made" };
  const options = ["--scheme", "github", "--session-key", "{{issue.id}}", "--include-body"];
  const when = ["--when", "header:X-GitHub-Event=issues", "--when", "action=opened,reopened", "--when", "!bot"];
  const { code, stdout, calls } = await run(made, "create", "agt_1", "Issue {{issue.number}}", ...options, ...when);
  const body = {
    scheme: "github",
    text: "Issue {{issue.number}}",
    session_key: "{{issue.id}}",
    include_body: true,
    when: [
      { header: "X-GitHub-Event", equals: ["issues"] },
      { path: "action", equals: ["opened", "reopened"] },
      { path: "bot", exists: false },
    ],
  };
  expect([code, stdout]).toEqual([0, "http://dari.example/v1/triggers/dtrg_x\nmade\n"]);
  expect(calls).toEqual([["POST /v1/agents/agt_1/triggers", body]]);
});

test("create says that a trigger without a secret refuses all events", async () => {
  const made = { ...trigger, scheme: "slack", has_secret: false, url: "http://dari.example/v1/triggers/dtrg_x" };
  const { code, stdout, stderr } = await run(made, "create", "agt_1", "x", "--scheme", "slack");
  expect([code, stdout]).toEqual([0, "http://dari.example/v1/triggers/dtrg_x\n"]);
  expect(stderr).toContain("dari trigger rotate agt_1 trig_1 --secret-stdin");
});

test("list and get show what a trigger does", async () => {
  const listed = await run(page([trigger, { ...trigger, has_secret: false }]), "list", "agt_1");
  expect(listed.calls).toEqual([["GET /v1/agents/agt_1/triggers?limit=100"]]);
  expect(listed.stdout).toMatch(/trig_1 +active +github +\{\{issue.id\}\} +issues/);
  expect(listed.stdout).toContain("active (no secret)");
  const got = await run(trigger, "get", "agt_1", "trig_1");
  expect(got.calls).toEqual([["GET /v1/agents/agt_1/triggers/trig_1"]]);
  expect(got.stdout).toMatch(/^when +header:X-GitHub-Event=issues and !bot$/m);
});

test("set sends what is given and nothing else", async () => {
  const { calls } = await run(trigger, "set", "agt_1", "trig_1", "--text", "x", "--no-session-key", "--no-when");
  const body = { text: "x", session_key: null, when: [] };
  expect(calls).toEqual([["PATCH /v1/agents/agt_1/triggers/trig_1", body]]);
  const other = await run(trigger, "set", "agt_1", "trig_1", "--when", "a=b");
  expect(other.calls).toEqual([["PATCH /v1/agents/agt_1/triggers/trig_1", { when: [{ path: "a", equals: ["b"] }] }]]);
});

test.each([
  [["set", "agt_1", "trig_1"], "give at least one change"],
  [["create", "agt_1", "x"], "--scheme"],
  [["create", "agt_1", "x", "--scheme", "gitlab"], "standard-webhooks"],
  [["create", "agt_1", "x", "--scheme", "none", "--when", "=b"], "action=opened"],
])("%j is wrong usage, and calls nothing", async (args, hint) => {
  const { code, stderr, calls } = await run({}, ...args);
  expect([code, calls]).toEqual([2, []]);
  expect(stderr).toContain(hint);
});

test.each([
  [["pause", "agt_1", "trig_1"], ["PATCH", { status: "paused" }], "paused trig_1\n"],
  [["resume", "agt_1", "trig_1"], ["PATCH", { status: "active" }], "resumed trig_1\n"],
  [["delete", "agt_1", "trig_1"], ["DELETE"], "deleted trig_1\n"],
])("%j makes one call and says what it did", async (args, [method, ...body], said) => {
  const { code, stdout, calls } = await run(trigger, ...args);
  expect([code, stdout]).toEqual([0, said]);
  expect(calls).toEqual([[`${String(method)} /v1/agents/agt_1/triggers/trig_1`, ...body]]);
});

test("rotate shows the secret that the platform made, and until when the old one works", async () => {
  const rotated = { ...trigger, secret: "new", old_secret_expires_at: "2026-12-01T00:00:00.000Z" };
  const { stdout, stderr, calls } = await run(rotated, "rotate", "agt_1", "trig_1");
  expect([stdout, calls]).toEqual(["new\n", [["POST /v1/agents/agt_1/triggers/trig_1/rotate-secret", {}]]]);
  expect(stderr).toContain("2026-12-01");
});
