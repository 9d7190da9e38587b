// Commands of operators and administrators: limits, retries of many messages, the doctor.

import { dariRelease } from "@dari/contract";
import { describe, expect, test } from "@jest/globals";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runDari, temporaryTree, type Run } from "./run-dari.ts";

interface Seen {
  readonly call: string;
  readonly body: unknown;
}

type Answer = (seen: Seen, response: ServerResponse) => void;

/** Runs the command against a platform that answers like this. */
async function run(
  args: readonly string[],
  answer: Answer,
  key = "dari_test",
  input = "",
): Promise<Run & { seen: Seen[] }> {
  const seen: Seen[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const one = { call: `${request.method} ${request.url}`, body: body === "" ? undefined : JSON.parse(body) };
    seen.push(one);
    answer(one, response);
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using root = await temporaryTree({});
  const environment = { DARI_API_URL: url, ...(key === "" ? {} : { DARI_API_KEY: key }) };
  try {
    return { ...(await runDari(args, { cwd: root.path, environment, input })), seen };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function reply(response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

const organization = {
  id: "org_1",
  name: "Ours",
  slug: "ours",
  role: "admin",
  is_operator: false,
  weight: 1,
  max_concurrency: null,
  max_backlog: 500,
  created_at: "2026-01-01T00:00:00.000Z",
};
const config = { supabase_url: "x", supabase_publishable_key: "none", release: dariRelease };

describe("dari org", () => {
  test("limits get shows them, defaults by their name", async () => {
    const { code, stdout } = await run(["org", "limits", "get"], (_seen, response) => reply(response, organization));
    expect(code).toBe(0);
    expect(stdout).toMatch(/weight +1\nmax concurrency +default\nmax backlog +500\n/);
  });

  test("limits set sends what is given and nothing else", async () => {
    const args = ["org", "limits", "set", "--weight", "3", "--max-concurrency", "default", "--org", "org_1", "--json"];
    const { code, seen } = await run(args, (_seen, response) => reply(response, organization));
    expect(code).toBe(0);
    expect(seen).toEqual([{ call: "PATCH /v1/organizations/org_1", body: { weight: 3, max_concurrency: null } }]);
  });

  test("limits set accepts every limit", async () => {
    const args = ["--max-requests-per-minute", "60", "--max-sessions", "9", "--retention-days", "default"];
    const ofTurns = ["--max-turn-memory-bytes", "1073741824", "--max-turn-cpus", "0.5"];
    const all = ["org", "limits", "set", ...args, ...ofTurns, "--org", "org_1", "--json"];
    const { seen } = await run(all, (_seen, response) => reply(response, organization));
    const body = {
      ...{ session_retention_days: null, max_requests_per_minute: 60, max_sessions: 9 },
      ...{ max_turn_memory_bytes: 1_073_741_824, max_turn_cpus: 0.5 },
    };
    expect(seen).toEqual([{ call: "PATCH /v1/organizations/org_1", body }]);
  });

  test("budgets set sends the caps, and shows what is used of them", async () => {
    const args = ["org", "budgets", "set", "--period", "day", "--max-turns", "5", "--agent-id", "agt_1"];
    const budget = {
      ...{ id: "bud_1", scope: "agent", target_id: "agt_1", period: "day", set_by: "organization", max_turns: 5 },
      ...{ max_turn_seconds: null, max_tokens: null, turns: 5, turn_seconds: 1.5, tokens: 7, is_exhausted: true },
      created_at: organization.created_at,
    };
    const { seen, stdout } = await run(args, (_seen, response) => reply(response, budget));
    const call = "PUT /v1/organizations/current/budgets";
    expect(seen).toEqual([{ call, body: { period: "day", agent_id: "agt_1", max_turns: 5 } }]);
    expect(stdout).toMatch(/bud_1 +agt_1 +day +5\/5 +2 +7 +exhausted/);
  });

  test("egress and the hosts of a credential are sent as written", async () => {
    const setting = { mode: "allow", hosts: ["a.example"], updated_at: organization.created_at };
    const egress = { organization: setting, operator: null };
    const set = await run(["egress", "set", "allow", "a.example"], (_seen, response) => reply(response, egress));
    const call = "PUT /v1/organizations/current/egress";
    expect(set.seen).toEqual([{ call, body: { mode: "allow", hosts: ["a.example"] } }]);
    expect(set.stdout).toMatch(/organization +allow +a\.example\noperators +not set/);
    const add = async (...options: string[]): Promise<unknown> => {
      const args = ["credentials", "add", "KEY", "--value-stdin", ...options];
      const stored = { id: "cred_1", name: "KEY", created: true, hosts: ["a.example"] };
      const { seen, stdout } = await run(args, (_seen, response) => reply(response, stored), "dari_test", "value");
      expect(stdout).toContain(
        "added KEY; agents get a placeholder, replaced by the value only in HTTPS requests to a.example",
      );
      return seen[0]!.body;
    };
    expect(await add("--hosts", "a.example", "*.b.example")).toEqual({
      value: "value",
      hosts: ["a.example", "*.b.example"],
    });
    expect(await add("--no-hosts")).toEqual({ value: "value", hosts: null });
    expect(await add()).toEqual({ value: "value" });
  });

  test("whether answers may be recorded is shown and set", async () => {
    const call = "/v1/organizations/current/answer-recording";
    const set = await run(["org", "answer-recording", "set", "never"], (_seen, response) =>
      reply(response, { mode: "never" }),
    );
    expect([set.seen, set.stdout]).toEqual([[{ call: `PUT ${call}`, body: { mode: "never" } }], "never\n"]);
    const show = await run(["org", "answer-recording", "show"], (_seen, response) =>
      reply(response, { mode: "allowed" }),
    );
    expect([show.seen, show.stdout]).toEqual([[{ call: `GET ${call}`, body: undefined }], "allowed\n"]);
    const bad = await run(["org", "answer-recording", "set", "always"], (_seen, response) => reply(response, {}));
    expect([bad.code, bad.seen]).toEqual([2, []]);
  });

  test("usage is requested by days and shown by day and by agent", async () => {
    const metered = { metered_requests: 7, metered_tokens: 850, metered_cost_microusd: 12_500, unpriced_requests: 2 };
    const used = { messages: 3, failed: 1, turns: 4, turn_seconds: 12.4, tokens: 900, ...metered };
    const usage = {
      days: [{ date: "2026-11-25", ...used }],
      agents: [{ agent_id: "agt_1", name: "desk", ...used, metered_cost_microusd: null }],
    };
    const { seen, stdout } = await run(["org", "usage", "--days", "3"], (_seen, response) => reply(response, usage));
    expect(seen).toEqual([{ call: "GET /v1/organizations/current/usage?days=3", body: undefined }]);
    expect(stdout).toMatch(/2026-11-25 +3 +1 +4 +12 +900 +850 +7 +2 +\$0\.012500\n/);
    expect(stdout).toMatch(/desk +3 +1 +4 +12 +900 +850 +7 +2\n/);
  });

  test("operator prices are imported from a file and listed", async () => {
    const price = { host: "api.openai.com", model: "gpt-5", usd_per_million_tokens: { input: 1.25, output: 10 } };
    const file =
      "valid_from: 2026-11-01\nprices:\n  - host: api.openai.com\n    model: gpt-5\n" +
      "    usd_per_million_tokens: { input: 1.25, output: 10 } # dollars\n";
    await using root = await temporaryTree({ "prices.yml": file, "bad.yml": "prices: 1\n" });
    const missing = [{ host: "*", model: "old*" }];
    const put = { valid_from: "2026-11-01", prices: 1, replaced: 0, missing, in_force: "2026-12-01" };
    const imported = await run(["operator", "prices", "import", join(root.path, "prices.yml")], (_seen, response) =>
      reply(response, put),
    );
    const body = { valid_from: "2026-11-01", prices: [price] };
    expect(imported.seen).toEqual([{ call: "PUT /v1/operator/prices", body }]);
    expect(imported.stdout).toBe("imported 1 price valid from 2026-11-01\n");
    expect(imported.stderr).toContain("this list is not in force: that of 2026-12-01 is later\n");
    expect(imported.stderr).toContain("without a price from 2026-11-01 on: 1 price of the list before\n");
    expect(imported.stderr).toContain("  * old*\n");
    const list = { ...body, lists: [{ valid_from: "2026-11-01", prices: 1, is_in_force: true }] };
    const listed = await run(["operator", "prices", "list"], (_seen, response) => reply(response, list));
    expect(listed.seen).toEqual([{ call: "GET /v1/operator/prices", body: undefined }]);
    expect(listed.stdout).toMatch(/api\.openai\.com +gpt-5 +1\.25 +10\n/);
    expect(listed.stdout).toMatch(/2026-11-01 +1 +in force\n/);
    const bad = await run(["operator", "prices", "import", join(root.path, "bad.yml")], (_seen, response) =>
      reply(response, {}),
    );
    expect({ code: bad.code, seen: bad.seen }).toEqual({ code: 2, seen: [] });
    expect(bad.stderr).toContain("bad.yml is not a valid price list:\n- ");
    const none = await run(["operator", "prices", "import", join(root.path, "none.yml")], (_seen, response) =>
      reply(response, {}),
    );
    expect({ code: none.code, seen: none.seen }).toEqual({ code: 2, seen: [] });
  });

  test("operator fleet shows waiting organizations, running turns and workers", async () => {
    const fleet = {
      organizations: [{ organization_id: "org_1", ready: 12, oldest_ready_ms: 3_400, in_flight: 2, name: "Acme" }],
      turns: [
        { message_id: "msg_1", state: "leased", running_ms: 5_000, lease_left_ms: 9_000, worker_id: "wrk_1" },
        { message_id: null, state: "dispatched", running_ms: null, lease_left_ms: 4_000, worker_id: null },
      ],
      workers: [{ id: "wrk_1", pool: "default", slots: 4, in_use: 1, seen_ms_ago: 300, draining: true }],
    };
    const { seen, stdout } = await run(["operator", "fleet"], (_seen, response) => reply(response, fleet));
    expect(seen).toEqual([{ call: "GET /v1/operator/fleet", body: undefined }]);
    expect(stdout).toMatch(/org_1 +12 +3\.4 s +2 +Acme/);
    expect(stdout).toMatch(/msg_1 +leased +5\.0 s +9\.0 s +wrk_1/);
    expect(stdout).toMatch(/wrk_1 +default +1\/4 +0\.3 s +draining/);
  });

  test("operator stop says why, resume ends it", async () => {
    const stopped = { stopped: true, reason: "the model is down", stopped_at: organization.created_at };
    const stop = await run(["operator", "stop", "the model is down"], (_seen, response) => reply(response, stopped));
    expect(stop.seen).toEqual([{ call: "PUT /v1/operator/stop", body: { reason: "the model is down" } }]);
    const resume = await run(["operator", "resume"], (_seen, response) => reply(response, { deleted: true }));
    expect([resume.code, resume.seen]).toEqual([0, [{ call: "DELETE /v1/operator/stop", body: undefined }]]);
  });

  test.each([
    [["org", "limits", "set"], "give at least one limit"],
    [["org", "limits", "set", "--weight", "0"], "expected a whole number from 1"],
    [["org", "limits", "set", "--max-backlog", "many"], "expected a whole number from 1"],
    [["message", "retry"], "give a message, or --all"],
    [["message", "retry", "msg_1", "--all"], "give a message or --all, not both"],
    [
      ["message", "retry", "msg_1", "--dry-run", "--agent-id", "a"],
      "--dry-run, --agent-id can only be used with --all",
    ],
    [["message", "retry", "--all", "--on-busy", "merge"], "--fork and --on-busy cannot be used with --all"],
    [["message", "retry", "msg_1", "--on-busy", "push"], "Allowed choices"],
  ])("%j is refused with exit code 2", async (args, message) => {
    const { code, stderr, seen } = await run(args, (_seen, response) => reply(response, {}));
    expect({ code, seen }).toEqual({ code: 2, seen: [] });
    expect(stderr).toContain(message);
  });

  test("audit-log lists who changed what", async () => {
    const entry = {
      id: "aud_1",
      action: "message.cancel",
      actor_key_id: "key_1",
      actor_member_id: null,
      target: "msg_1",
      details: {},
      request_id: "r",
      created_at: "2026-01-01T00:00:00.000Z",
    };
    const byMember = { ...entry, actor_key_id: null, actor_member_id: "mem_1" };
    const page = { data: [entry, byMember, { ...entry, actor_key_id: null }], has_more: false, next: null };
    const { code, stdout } = await run(["org", "audit-log"], (_seen, response) => reply(response, page));
    expect(code).toBe(0);
    expect(stdout).toMatch(/message\.cancel +msg_1 +key_1\n.* mem_1\n.* \(installation\)\n/);
  });
});

describe("dari message retry --all", () => {
  const page = (id: string, next: string | null) => ({
    matched: 2,
    retried: [{ message_id: id, retry_message_id: `${id}_again` }],
    skipped: [{ message_id: `${id}_old`, reason: "already_retried" }],
    has_more: next !== null,
    next,
    dry_run: false,
  });

  test("follows the pages and shows each failed message's new one", async () => {
    const pages = [page("msg_1", "msg_1_old"), page("msg_2", null)];
    const filters = ["--agent-id", "agt_1", "--error-code", "worker_lost", "--org", "all"];
    const { code, stdout, seen } = await run(["message", "retry", "--all", ...filters], (one, response) => {
      reply(response, one.call.startsWith("GET") ? config : pages.shift(), 200, {
        date: "Thu, 01 Jan 2026 00:00:00 GMT",
      });
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/msg_1 +msg_1_again\nmsg_2 +msg_2_again\nmsg_1_old +skipped: already_retried/);
    expect(stdout).toContain("4 failed, 2 sent again, 2 skipped");
    const filter = {
      organization_id: "all",
      agent_id: "agt_1",
      error_code: "worker_lost",
      failed_before: "2026-01-01T00:00:01.000Z",
    };
    expect(seen.slice(1)).toEqual([
      { call: "POST /v1/messages/retry", body: { filter, limit: 100 } },
      { call: "POST /v1/messages/retry", body: { filter, limit: 100, after: "msg_1_old" } },
    ]);
  });

  test("--dry-run sends nothing again", async () => {
    const dry = { ...page("msg_1", null), retried: [{ message_id: "msg_1", retry_message_id: null }], dry_run: true };
    const args = ["message", "retry", "--all", "--dry-run", "--failed-before", "2026-02-01T00:00:00Z"];
    const { stdout, seen } = await run(args, (_seen, response) => reply(response, dry));
    expect(stdout).toContain("1 would be sent again");
    expect(seen).toMatchObject([{ body: { dry_run: true, filter: { failed_before: "2026-02-01T00:00:00Z" } } }]);
  });
});

describe("dari doctor", () => {
  const health = (ok: boolean) => ({
    ok,
    release: dariRelease,
    checks: [
      { name: "workers", ok, found: "0 seen lately", what_to_do: ok ? null : "start a worker" },
      { name: "invariants", ok: true, found: "all hold", what_to_do: null },
    ],
    workers: [],
    violations: [],
  });

  const platform =
    (options: { operator?: boolean; ok?: boolean; release?: string; date?: string }): Answer =>
    ({ call }, response) => {
      const headers = options.date === undefined ? {} : { date: options.date };
      if (call === "GET /v1/auth/config") reply(response, { ...config, ...options }, 200, headers);
      else if (call === "GET /v1/operator/health") reply(response, health(options.ok ?? true));
      else reply(response, { ...organization, is_operator: options.operator === true });
    };

  test("finds no problem from outside, and sends no call that its key does not allow", async () => {
    const { code, stdout, seen } = await run(["doctor"], platform({}));
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/clock +ok/) });
    expect(seen.map((one) => one.call)).toEqual(["GET /v1/auth/config", "GET /v1/organizations/current"]);
  });

  test("shows an operator what is wrong inside, what to do, and ends with 1", async () => {
    const { code, stdout, stderr } = await run(["doctor"], platform({ operator: true, ok: false }));
    expect(code).toBe(1);
    expect(stdout).toMatch(/workers +PROBLEM +0 seen lately\ninvariants +ok +all hold/);
    expect(stdout).toContain("- workers: start a worker");
    expect(stderr).toContain("1 of 6 checks found a problem");
    const asJson = await run(["doctor", "--json"], platform({ operator: true, ok: false }));
    expect(JSON.parse(asJson.stdout)).toMatchObject({ ok: false, checks: expect.any(Array) });
    expect(asJson.code).toBe(1);
    expect((await run(["doctor"], platform({ operator: true }))).code).toBe(0);
  });

  test.each([
    ["a clock that is wrong", { date: "Thu, 01 Jan 2004 00:00:00 GMT" }, /clock +PROBLEM/],
    ["another release", { release: "9.9.9" }, /release +PROBLEM +the platform runs release 9\.9\.9/],
  ])("notices %s", async (_what, options, shown) => {
    const { code, stdout } = await run(["doctor"], platform(options));
    expect(code).toBe(1);
    expect(stdout).toMatch(shown);
  });

  test("reports that there is no key, or one that does not work", async () => {
    const none = await run(["doctor"], platform({}), "");
    expect(none).toMatchObject({ code: 1, stdout: expect.stringMatching(/key +PROBLEM +no key is set/) });
    const wrong = await run(["doctor"], ({ call }, response) => {
      if (call === "GET /v1/auth/config") reply(response, config);
      else reply(response, { detail: "Missing or invalid API key", code: "unauthenticated", request_id: "r" }, 401);
    });
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringMatching(/key +PROBLEM +Missing or invalid/) });
  });

  test.each([
    ["--pid requires --kill-test", ["--pid", "1"]],
    ["name the worker", ["--kill-test"]],
    ["not a worker", ["--kill-test", "--pid", String(process.pid)]],
    ["--turns expects a whole number from 1 to 200", ["--kill-test", "--kill-command", "true", "--turns", "0"]],
  ])("sends no request if the kill test cannot run: %s", async (says, args) => {
    const { code, stderr, seen } = await run(["doctor", ...args], platform({}));
    expect({ code, stderr, seen }).toMatchObject({ code: 2, stderr: expect.stringContaining(says), seen: [] });
  });

  test("a platform that is not there is a problem with its reason", async () => {
    await using root = await temporaryTree({});
    const { code, stdout } = await runDari(["doctor", "--api-url", "http://127.0.0.1:1"], { cwd: root.path });
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringMatching(/api +PROBLEM +cannot reach/) });
  });
});
