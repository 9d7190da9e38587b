// `dari message replay` and `dari release check` against a small platform: exit codes, what is shown, what is deleted.

import { afterEach, expect, test } from "@jest/globals";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { runAnswered } from "./run-answered.ts";
import { runDari, temporaryTree } from "./run-dari.ts";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

const same = {
  ...{ version_id: "ver_2", status: "completed", is_same: true, is_answer_changed: false, files_changed: [] },
  ...{ are_requests_changed: false, requests: { original: 2, recorded: 2, live: 0, first_live: null } },
  ...{ original_cost_microusd: 7, cost_microusd: 0 },
};
const changed = {
  ...{ ...same, is_same: false, is_answer_changed: true, are_requests_changed: true },
  files_changed: [{ path: "/a.txt", change: "modified", size_bytes: 2 }],
  ...{ requests: { original: 2, recorded: 1, live: 1, first_live: 2 }, cost_microusd: 5 },
};

const record = (id: string, answer: string) => ({
  ...{ id, session_id: `sess_of_${id}`, status: "completed", completed_at: "2026-11-25T01:07:00.000Z" },
  output: { parts: [{ type: "text", text: answer }] },
});

/** `reports`: by the message that is replayed; a text: the refusal. */
async function run(reports: Readonly<Record<string, object | string>>, args: readonly string[]) {
  const calls: string[] = [];
  server = createServer((request, response) => {
    const { method = "", url = "" } = request;
    const [, , kind = "", id = "", what = ""] = new URL(url, "http://x").pathname.split("/");
    const reply = (status: number, body: unknown): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    void text(request).then((body) => {
      const path = `/${kind}/${id}/${what}`;
      calls.push(`${method} ${path.replace(/\/$/, "")}${body === "" || body === "{}" ? "" : ` ${body}`}`);
      const original = id.replace("_again", "");
      const report = reports[original];
      if (what === "recordings") reply(200, list(Object.keys(reports)));
      else if (method === "POST") {
        if (typeof report === "string") reply(409, { detail: report, code: "conflict", request_id: "r" });
        else reply(202, { ...record(`${id}_again`, ""), status: "queued" });
      } else if (what === "stream") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        const event = { id: "evt_1", type: "message.completed", message_id: id, sequence_number: 9 };
        const data = { ...event, session_id: "sess", created_at: "2026-11-25T01:07:00.000Z", data: record(id, "new") };
        response.end(`id: 9\nevent: message.completed\ndata: ${JSON.stringify(data)}\n\n`);
      } else if (what === "replay") reply(200, { ...(report as object), message_id: id, replay_of: original });
      else if (method === "DELETE") reply(200, { deleted: true });
      else reply(200, record(id, "old"));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using root = await temporaryTree({});
  const ran = await runDari([...args, "--api-url", url, "--api-key", "dari_x"], { cwd: root.path });
  return { ...ran, calls };
}

function list(ids: readonly string[]) {
  const data = ids.map((message_id) => ({ message_id }));
  return { data, recordings: data, has_more: false, next: null };
}

test("a replay that is the same is done, and its session deleted", async () => {
  const { code, stdout, calls } = await run({ msg_1: same }, ["message", "replay", "msg_1", "--version-id", "ver_2"]);
  expect([code, stdout]).toEqual([
    0,
    "msg_1_again replays msg_1 on ver_2: same\nanswer    same\nfiles     same\n" +
      "requests  2 recorded, 0 live; originally 2\ncost      $0.000000; originally $0.000007\n",
  ]);
  expect(calls[0]).toBe('POST /messages/msg_1/replay {"version_id":"ver_2"}');
  expect(calls).toContain("DELETE /sessions/sess_of_msg_1_again");
});

test("one that differs shows both answers and fails; --keep leaves its session", async () => {
  const ran = await run({ msg_1: changed }, ["message", "replay", "msg_1", "--no-live", "--keep"]);
  expect([ran.code, ran.calls[0]]).toEqual([1, 'POST /messages/msg_1/replay {"live":false}']);
  expect(ran.stdout).toContain("changed: answer, files, requests");
  expect(ran.stdout).toContain("requests  1 recorded, 1 live, the first is number 2; originally 2");
  expect(ran.stdout).toContain("modified /a.txt\n\n- old\n+ new\n");
  expect(ran.stderr).toContain("kept sess_of_msg_1_again");
  expect(ran.calls.filter((call) => call.startsWith("DELETE"))).toEqual([]);
});

test("a message that cannot be replayed is a conflict", async () => {
  const refused = await run({ msg_1: "no answers are kept" }, ["message", "replay", "msg_1"]);
  expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining("no answers are kept")]);
});

test.each([
  [
    "a skipped turn",
    { msg_1: same, msg_2: "no answers are kept" },
    [],
    0,
    "1 same, 0 changed, 1 skipped; cost $0.000000",
  ],
  ["a changed turn", { msg_1: same, msg_2: changed }, [], 1, "1 same, 1 changed, 0 skipped; cost $0.000005"],
  ["a changed turn that may change", { msg_1: same, msg_2: changed }, ["--max-changed", "1"], 0, "1 same, 1 changed"],
  ["only skipped turns", { msg_1: "no answers are kept" }, ["--max-changed", "9"], 1, "0 same, 0 changed, 1 skipped"],
] as const)("a check with %s", async (_name, reports, more, code, says) => {
  const args = ["release", "check", "a", "--version-id", "ver_2", "--last", "3", ...more];
  const ran = await run(reports, args);
  expect([ran.code, ran.stdout]).toEqual([code, expect.stringContaining(says)]);
  const forks = Object.values(reports).filter((report) => typeof report !== "string").length;
  expect(ran.calls.filter((call) => call.startsWith("DELETE"))).toHaveLength(forks);
});

test("a check without recorded turns fails, and so does a wrong number", async () => {
  const args = ["release", "check", "a", "--version-id", "ver_2"];
  const ran = await runAnswered(list([]), args);
  expect([ran.code, ran.stderr]).toEqual([
    1,
    expect.stringContaining("nothing was checked: the agent has no recorded"),
  ]);
  expect((await runAnswered({}, [...args, "--max-changed", "-1"])).code).toBe(2);
  expect((await runAnswered({}, ["release", "check", "a"])).code).toBe(2);
});
