// `dari logs` of an agent and of the platform. streams.test.ts has a message's.

import { afterEach, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runDari, temporaryTree } from "./run-dari.ts";

const bin = join(import.meta.dirname, "..", "bin", "dari.mjs");
let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

interface Session {
  readonly status: string;
  readonly messages: readonly string[];
}

/** A platform with these sessions, newest first. Every message has ended, and its log names it. */
async function serve(sessions: () => Readonly<Record<string, Session>>): Promise<string> {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://platform");
    const [, , noun, id = "", what] = url.pathname.split("/");
    const reply = (body: unknown): void => void response.end(JSON.stringify(body));
    if (noun === "session-summaries") {
      expect(url.searchParams.get("agent_id")).toBe("talker");
      const data = Object.entries(sessions()).map(([session, { status, messages }]) => {
        return { id: session, status, last_message_id: messages.at(-1) ?? null };
      });
      return reply({ data, has_more: false, next: null });
    }
    if (noun === "sessions") {
      const { messages = [] } = sessions()[id] ?? {};
      const after = messages.indexOf(url.searchParams.get("after") ?? "");
      return reply({ data: messages.slice(after + 1).map((one) => ({ id: one })), has_more: false, next: null });
    }
    if (what === "logs") return void response.end(`[stdout] in ${id}\n`);
    return reply({ id, session_id: "sess_of_it", status: "completed" });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const connection = (apiUrl: string) => ["--api-url", apiUrl, "--api-key", "dari_x"];

test("of an agent: its newest message", async () => {
  await using root = await temporaryTree({});
  let sessions: Record<string, Session> = { sess_b: { status: "idle", messages: ["msg_1", "msg_2"] } };
  const apiUrl = await serve(() => sessions);
  const run = () => runDari(["logs", "talker", ...connection(apiUrl)], { cwd: root.path });
  expect(await run()).toMatchObject({ code: 0, stdout: "[stdout] in msg_2\n" });
  sessions = {};
  expect(await run()).toMatchObject({ code: 2, stderr: "dari: the agent has no message yet\n" });
});

test("of an agent, followed: what runs, and each message that comes, once", async () => {
  await using root = await temporaryTree({});
  let sessions: Record<string, Session> = {
    sess_new: { status: "active", messages: ["msg_1"] },
    sess_old: { status: "idle", messages: ["msg_0"] },
  };
  const apiUrl = await serve(() => sessions);
  const child = spawn(process.execPath, [bin, "logs", "talker", "-f", "--json", ...connection(apiUrl)], {
    cwd: root.path,
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (JSON.parse(String((await lines.next()).value)) as { message_id: string }).message_id;
  expect(await next()).toBe("msg_1");
  sessions = {
    sess_next: { status: "active", messages: ["msg_5"] },
    sess_old: { status: "idle", messages: ["msg_0", "msg_3", "msg_4"] },
    sess_new: { status: "idle", messages: ["msg_1"] },
  };
  expect((await Promise.all([next(), next(), next()])).toSorted()).toEqual(["msg_3", "msg_4", "msg_5"]);
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([130, null]);
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
