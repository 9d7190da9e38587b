// `dari logs` of an agent, a session and the platform. streams.test.ts has a message's.

import { afterEach, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runDari, temporaryTree } from "./run-dari.ts";

const bin = join(import.meta.dirname, "..", "bin", "dari.mjs");
let server: Server | undefined;
let followed: ChildProcess | undefined;
afterEach(async () => {
  followed?.kill("SIGKILL");
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

interface Session {
  readonly status: string;
  readonly created_at?: string;
  readonly messages: readonly string[];
}

interface Platform {
  /** Newest first. */
  sessions: Readonly<Record<string, Session>>;
  /** Fields of messages. Every other message is completed. */
  records?: Readonly<Record<string, object>>;
}

/** `msg_N` is accepted in second N. */
function recordOf({ records = {} }: Platform, id: string) {
  const created_at = `2026-01-01T00:00:0${id.slice("msg_".length)}.000Z`;
  return { id, session_id: "sess_of_it", status: "completed", created_at, ...records[id] };
}

/** The log of each message names it. The stream of a session has the starts of all its messages. */
async function serve(platform: Platform): Promise<string> {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://platform");
    const [, , noun, id = "", what] = url.pathname.split("/");
    const reply = (body: unknown): void => void response.end(JSON.stringify(body));
    const { sessions } = platform;
    if (noun === "session-summaries") {
      expect(url.searchParams.get("agent_id")).toBe("talker");
      const data = Object.entries(sessions).map(([session, { status, created_at = "2026-01-01", messages }]) => {
        const last = messages.at(-1)!;
        const { created_at: last_activity_at } = recordOf(platform, last);
        return { id: session, status, created_at, last_message_id: last, last_activity_at };
      });
      return reply({ data, has_more: false, next: null });
    }
    if (noun === "sessions") {
      const { messages = [] } = sessions[id] ?? {};
      if (what === "stream") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        return void response.write(messages.map((message, index) => startOf(message, index + 1)).join(""));
      }
      const after = messages.indexOf(url.searchParams.get("after") ?? "");
      const data = messages.slice(after + 1).map((message) => recordOf(platform, message));
      return reply({ data, has_more: false, next: null });
    }
    if (what === "logs") return void response.end(`[stdout] in ${id}\n`);
    return reply(recordOf(platform, id));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function startOf(message_id: string, sequence_number: number): string {
  const event = { id: `evt_${sequence_number}`, sequence_number, type: "attempt.started", message_id, data: {} };
  return `id: ${sequence_number}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Follows logs. `next` resolves with the next piece that is shown. */
function follow(id: string, apiUrl: string, cwd: string) {
  const child = spawn(process.execPath, [bin, "logs", id, "-f", "--json", ...connection(apiUrl)], { cwd });
  followed = child;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { message_id, logs } = JSON.parse(String((await lines.next()).value)) as Record<string, string>;
    return `${message_id}: ${logs}`;
  };
  const stop = async (): Promise<void> => {
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([130, null]);
  };
  return {
    next,
    many: async (count: number) => (await Promise.all(Array.from({ length: count }, next))).toSorted(),
    stop,
  };
}

const connection = (apiUrl: string) => ["--api-url", apiUrl, "--api-key", "dari_x"];

test("of an agent: its newest message", async () => {
  await using root = await temporaryTree({});
  const platform: Platform = { sessions: { sess_b: { status: "idle", messages: ["msg_1", "msg_2"] } } };
  const apiUrl = await serve(platform);
  const run = () => runDari(["logs", "talker", ...connection(apiUrl)], { cwd: root.path });
  expect(await run()).toMatchObject({ code: 0, stdout: "[stdout] in msg_2\n" });
  platform.sessions = {};
  expect(await run()).toMatchObject({ code: 2, stderr: "dari: the agent has no message yet\n" });
});

test("of an agent, followed: each message that has not ended, and each new one, once", async () => {
  await using root = await temporaryTree({});
  const platform: Platform = {
    sessions: {
      sess_busy: { status: "active", messages: ["msg_0", "msg_1", "msg_2"] },
      sess_idle: { status: "idle", messages: ["msg_0"] },
    },
    records: { msg_1: { status: "running" }, msg_2: { status: "queued" } },
  };
  const { many, next, stop } = follow("talker", await serve(platform), root.path);
  expect(await many(2)).toEqual(["msg_1: [stdout] in msg_1", "msg_2: [stdout] in msg_2"]);
  platform.sessions = {
    sess_new: { status: "idle", messages: ["msg_5", "msg_6"] },
    sess_fork: { status: "idle", created_at: "2026-01-02", messages: ["msg_9"] },
    // It was not among the newest sessions before.
    sess_old: { status: "idle", messages: ["msg_0", "msg_7"] },
    ...platform.sessions,
    sess_idle: { status: "idle", messages: ["msg_0", "msg_3", "msg_4"] },
  };
  expect(await many(5)).toEqual([3, 4, 5, 6, 7].map((n) => `msg_${n}: [stdout] in msg_${n}\n`));
  platform.records = { msg_1: { merged_into: "msg_2" } };
  expect(await many(2)).toEqual(["msg_1: \n", "msg_2: \n"]);
  platform.sessions = { sess_last: { status: "idle", messages: ["msg_8"] } };
  expect(await next()).toBe("msg_8: [stdout] in msg_8\n");
  await stop();
});

test("of a session, followed: from its oldest message that has not ended, each once", async () => {
  await using root = await temporaryTree({});
  const platform: Platform = {
    sessions: { sess_a: { status: "active", messages: ["msg_0", "msg_1", "msg_2", "msg_3"] } },
    records: { msg_1: { status: "running" }, msg_2: { status: "queued" }, msg_3: { status: "queued" } },
  };
  const { next, stop } = follow("sess_a", await serve(platform), root.path);
  expect(await next()).toBe("msg_1: [stdout] in msg_1");
  platform.records = { msg_1: { merged_into: "msg_2" } };
  expect(await next()).toBe("msg_1: \n");
  expect(await next()).toBe("msg_2: [stdout] in msg_2\n");
  expect(await next()).toBe("msg_3: [stdout] in msg_3\n");
  await stop();
});

test("of a session without open messages, followed: from its newest message", async () => {
  await using root = await temporaryTree({});
  const platform = { sessions: { sess_a: { status: "idle", messages: ["msg_0", "msg_1"] } } };
  const { next, stop } = follow("sess_a", await serve(platform), root.path);
  expect(await next()).toBe("msg_1: [stdout] in msg_1\n");
  await stop();
});

test("of the platform: the last lines of the local log, for people or as they are", async () => {
  const lines = [1, 2, 3].map((n) =>
    JSON.stringify({ level: "info", time: `2026-01-02T03:04:0${n}.000Z`, msg: "m", n }),
  );
  await using root = await temporaryTree({ "data/logs/dari.log": `${lines.join("\n")}\n` });
  const run = (...args: string[]) =>
    runDari(["logs", "--platform", ...args], { cwd: root.path, environment: { DARI_DATA_DIR: "data" } });
  expect(await run("--lines", "2")).toMatchObject({
    code: 0,
    stdout: "03:04:02.000Z info   m n=2\n03:04:03.000Z info   m n=3\n",
  });
  expect((await run("--json")).stdout).toBe(`${lines.join("\n")}\n`);
  expect(await run("msg_1")).toMatchObject({ code: 2, stderr: expect.stringContaining("give either --platform or") });
  const elsewhere = await runDari(["logs", "--platform"], { cwd: root.path });
  expect(elsewhere).toMatchObject({ code: 4, stderr: expect.stringContaining("set DARI_DATA_DIR") });
});
