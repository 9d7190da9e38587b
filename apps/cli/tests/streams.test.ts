// The command's output while it watches, how it is stopped, and what it says if a stream lost pieces.

import { afterEach, describe, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { runDari, temporaryTree } from "./run-dari.ts";

const bin = join(import.meta.dirname, "..", "bin", "dari.mjs");
let server: Server | undefined;
let child: ChildProcess | undefined;

afterEach(async () => {
  child?.kill("SIGKILL");
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

const record = {
  id: "msg_1",
  session_id: "sess_1",
  sequence_number: 1,
  parts: [],
  metadata: {},
  files_changed: [],
  attempt: 1,
  max_attempts: 3,
  created_at: "2026-01-01T00:00:00.000Z",
  started_at: null,
  completed_at: null,
  timings: {},
  waiting_reason: null,
  output: null,
};
const ended = {
  ...record,
  status: "completed",
  completed_at: "2026-01-01T00:00:01.000Z",
  output: { parts: [{ type: "text", text: "first second" }] },
};

function event(number: number, type: string, data: object = {}): string {
  const shown = { id: `evt_${number}`, sequence_number: number, type, session_id: "sess_1", message_id: "msg_1", data };
  const created_at = "2026-01-01T00:00:00.000Z";
  return `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify({ ...shown, created_at })}\n\n`;
}

function delta([offset, text]: readonly [number, string]): string {
  const shown = { type: "assistant.text_delta", session_id: "sess_1", message_id: "msg_1", attempt_id: "att_1" };
  return `event: ${shown.type}\ndata: ${JSON.stringify({ ...shown, data: { text, offset } })}\n\n`;
}

function at(offset: number, text: string): [number, string] {
  return [offset, text];
}

/** A platform with one message, whose streams `write` writes. */
async function serve(write: (response: ServerResponse) => void, message: object = ended): Promise<string> {
  server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? "";
    if (/\/stream\b/.test(path)) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      return write(response);
    }
    if (path.endsWith("/logs")) return void response.end("one\ntwo\n");
    const body = request.method === "POST" ? { ...record, status: "queued" } : message;
    response.writeHead(request.method === "POST" ? 202 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends events endlessly, as fast as they are read. */
function endless(response: ServerResponse): void {
  pipeline(Readable.from(everyEvent()), response, () => undefined);
}

function* everyEvent(): Generator<string> {
  for (let number = 1; ; number += 1) yield event(number, "agent.event");
}

function start(args: readonly string[], apiUrl: string, cwd: string): ChildProcess {
  child = spawn(process.execPath, [bin, ...args, "--api-url", apiUrl, "--api-key", "dari_x"], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: cwd },
  });
  child.stdin?.end();
  return child;
}

test("Ctrl-C ends what follows, with the exit code of an interruption", async () => {
  await using root = await temporaryTree({});
  const running = start(["session", "events", "sess_1", "-f", "--json"], await serve(endless), root.path);
  const [first] = (await once(running.stdout!, "data")) as [Buffer];
  expect(JSON.parse(first.toString().split("\n")[0]!)).toMatchObject({ type: "agent.event", sequence_number: 1 });
  running.stdout?.resume();
  running.kill("SIGINT");
  expect(await once(running, "exit")).toEqual([130, null]);
});

test("a reader that closes the pipe ends a followed command, which is not a failure", async () => {
  await using root = await temporaryTree({});
  const running = start(["session", "events", "sess_1", "-f"], await serve(endless), root.path);
  const stderr = buffer(running.stderr!);
  await once(running.stdout!, "data");
  running.stdout?.destroy();
  expect(await once(running, "exit")).toEqual([0, null]);
  expect((await stderr).toString()).toBe("");
});

test.each([
  { lost: "nothing", pieces: [at(0, "first "), at(6, "second")] },
  { lost: "the end", pieces: [at(0, "first ")] },
  { lost: "the beginning", pieces: [at(6, "second")] },
  { lost: "the middle", pieces: [at(0, "first "), at(9, "ond")] },
  { lost: "all", pieces: [] },
])("an answer is shown once and whole on the terminal when the stream lost $lost", async ({ pieces }) => {
  await using root = await temporaryTree({});
  const apiUrl = await serve((response) => {
    response.end([event(1, "attempt.started"), ...pieces.map(delta), event(2, "message.completed", ended)].join(""));
  });
  const args = ["session", "send", "sess_1", "hi", "--stream", "--api-url", apiUrl, "--api-key", "dari_x"];
  const run = await runDari(args, { cwd: root.path });
  expect(run).toMatchObject({ code: 0, stdout: "first second\n" });
});

describe("a turn with tool calls", () => {
  const call = { call_id: "call_1", name: "search", kind: "function", arguments: { query: "Rome" } };
  const failed = { call_id: "call_2", name: "fetch", result: "HTTP 500", is_error: true, duration_ms: 40 };
  const turn = [
    event(1, "attempt.started"),
    delta(at(0, "I look.")),
    event(2, "assistant.message", { text: "I look." }),
    event(3, "tool.call_requested", call),
    event(4, "tool.call_completed", { ...call, result: "a\ncity", is_error: false, duration_ms: 1_200 }),
    event(5, "tool.call_completed", failed),
    event(6, "reasoning.completed", { text: "So it is." }),
    delta(at(7, "first second")),
    event(7, "message.completed", ended),
  ].join("");

  async function send(...options: readonly string[]) {
    await using root = await temporaryTree({});
    const apiUrl = await serve((response) => response.end(turn));
    const args = ["session", "send", "sess_1", "hi", ...options, "--api-url", apiUrl, "--api-key", "dari_x"];
    return runDari(args, { cwd: root.path });
  }

  test("is its answer, and a line for each call, reasoning and failure", async () => {
    const { code, stdout, stderr } = await send("--stream");
    expect([code, stdout]).toEqual([0, "I look.\nfirst second\n"]);
    const lines = ['search {"query":"Rome"}', "fetch failed, 40 ms: HTTP 500", "reasoning (9 characters)"];
    expect(stderr).toBe(["Message msg_1", ...lines, ""].join("\n"));
  });

  test("shows arguments, results and reasoning with --verbose", async () => {
    const { stdout, stderr } = await send("--verbose");
    expect(stdout).toBe("I look.\nfirst second\n");
    expect(stderr).toContain("search returned, 1.2 s: a\ncity\n");
    expect(stderr).toContain("reasoning: So it is.\n");
  });

  test("is only its record with --json", async () => {
    const { stdout } = await send("--json", "--verbose");
    expect(JSON.parse(stdout)).toEqual(ended);
  });
});

test("followed logs are lines of JSON with --json", async () => {
  await using root = await temporaryTree({});
  const apiUrl = await serve((response) => response.end());
  const args = ["logs", "msg_1", "-f", "--api-url", apiUrl, "--api-key", "dari_x"];
  const plain = await runDari(args, { cwd: root.path });
  expect(plain).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
  const json = await runDari([...args, "--json"], { cwd: root.path });
  expect(json.stdout).toBe(`${JSON.stringify({ message_id: "msg_1", logs: "one\ntwo\n" })}\n`);
});
