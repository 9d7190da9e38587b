// `dari webhooks` against a platform that answers as the test says.

import { expect, test } from "@jest/globals";
import { runAnswered, type AnsweredRun } from "./run-answered.ts";

const at = "/v1/organizations/current/webhook-endpoints";

const run = (reply: unknown, ...args: readonly string[]): Promise<AnsweredRun> =>
  runAnswered(reply, ["webhooks", ...args]);

const endpoint = {
  id: "whep_1",
  url: "https://receiver.example/hooks",
  agent_id: null,
  event_types: ["message.completed", "message.failed"],
  description: null,
  status: "disabled",
  disabled_reason: "failing",
  failing_since: null,
  old_secret_expires_at: "2026-11-26T00:00:00.000Z",
};
const delivery = {
  id: "whdl_1",
  created_at: "2026-11-25T00:00:00.000Z",
  type: "message.failed",
  status: "failed",
  attempts: 10,
  response_status: 503,
  error: "the receiver answered 503",
};
const page = (rows: unknown[]) => ({ data: rows, has_more: false, next: null });

test("list shows each endpoint and why it is disabled", async () => {
  const { code, stdout, calls } = await run(page([endpoint]), "list");
  expect([code, calls]).toEqual([0, [[`GET ${at}?limit=100`]]]);
  expect(stdout).toMatch(/whep_1 +disabled \(failing\) +\(all agents\) +message.completed,message.failed +https:/);
});

test("add sends the options, and shows only the secret on standard output", async () => {
  const args = ["add", endpoint.url, "--event", "message.failed", "user.message", "--agent-id", "agt_1"];
  const { stdout, stderr, calls } = await run({ ...endpoint, secret: "whsec_x" }, ...args);
  const body = { url: endpoint.url, event_types: ["message.failed", "user.message"], agent_id: "agt_1" };
  expect(calls).toEqual([[`POST ${at}`, body]]);
  expect([stdout, stderr]).toEqual(["whsec_x\n", expect.stringContaining("only time")]);
});

test("set sends what is given and nothing else", async () => {
  const { code, calls } = await run(endpoint, "set", "whep_1", "--enable", "--json");
  expect([code, calls]).toEqual([0, [[`PATCH ${at}/whep_1`, { status: "enabled" }]]]);
});

test.each([
  [["set", "whep_1"], "give at least one change"],
  [["set", "whep_1", "--enable", "--disable"], "not both"],
  [["add", "https://receiver.example", "--event", "log"], "message.completed"],
  [["deliveries", "whep_1", "--status", "lost"], "delivered"],
])("%j is wrong usage, and calls nothing", async (args, hint) => {
  const { code, stderr, calls } = await run({}, ...args);
  expect([code, calls]).toEqual([2, []]);
  expect(stderr).toContain(hint);
});

test("rotate shows the new secret, and says until when the old one signs", async () => {
  const { stdout, stderr, calls } = await run({ ...endpoint, secret: "whsec_y" }, "rotate", "whep_1");
  expect(calls).toEqual([[`POST ${at}/whep_1/rotate-secret`]]);
  expect([stdout, stderr]).toEqual(["whsec_y\n", expect.stringContaining(endpoint.old_secret_expires_at)]);
});

test("deliveries shows the result of each, filtered by status", async () => {
  const { stdout, calls } = await run(page([delivery]), "deliveries", "whep_1", "--status", "failed");
  expect(calls).toEqual([[`GET ${at}/whep_1/deliveries?limit=100&status=failed`]]);
  expect(stdout).toMatch(/whdl_1 .*message.failed +failed +10 +503 +the receiver answered 503/);
});

test.each([
  [["remove", "whep_1"], `DELETE ${at}/whep_1`, "removed whep_1\n"],
  [["test", "whep_1"], `POST ${at}/whep_1/test`, "whdl_1 queued; see: dari webhooks deliveries whep_1\n"],
  [["resend", "whep_1", "whdl_1"], `POST ${at}/whep_1/deliveries/whdl_1/resend`, "whdl_1 queued again\n"],
])("%j makes one call and says what it did", async (args, call, said) => {
  const { code, stdout, calls } = await run(delivery, ...args);
  expect([code, stdout, calls]).toEqual([0, said, [[call]]]);
});
