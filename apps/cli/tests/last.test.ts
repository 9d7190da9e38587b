// `-` and `@last`: the last session and agent of an organization.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { runDari, temporaryTree, type Run, type Tree } from "./run-dari.ts";

let server: Server;
let url: string;
let root: Tree;
let calls: string[] = [];
/** The newest message of every session. */
let newest: string | null = null;

/** Keys of two organizations: `dari_a1` and `dari_a2` belong to the same one. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const key = request.headers.authorization?.slice("Bearer dari_".length) ?? "";
    const call = `${request.method} ${request.url}`;
    const isRepeat = calls.at(-1) === call;
    calls.push(call);
    const session = `sess_${key}`;
    const body =
      call === "GET /v1/me"
        ? { organization: { id: `org_${key[0]}` } }
        : { id: session, agent_id: `agt_${key}`, status: "idle", active_version_id: null, last_message_id: newest };
    // A stream without an event is opened again, and ends if its message is gone.
    if (isRepeat && call.endsWith("/stream")) response.statusCode = 404;
    response.writeHead(response.statusCode, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  root = await temporaryTree({});
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await root[Symbol.asyncDispose]();
});
beforeEach(() => void (calls = []));

const dari = (key: string, ...args: readonly string[]): Promise<Run> =>
  runDari(args, { cwd: root.path, environment: { DARI_API_URL: url, DARI_API_KEY: key } });

test("mean the last ones of the key's organization, for every command", async () => {
  const none = await dari("dari_a1", "session", "get", "-");
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("no session was used at") });
  const created = await dari("dari_a1", "session", "create", "agt_x");
  expect(created).toMatchObject({ stdout: "sess_a1\n", stderr: `Console: ${url}/console/sessions/sess_a1\n` });
  calls = [];
  await dari("dari_a1", "session", "get", "-");
  await dari("dari_a1", "session", "complete", "@last");
  await dari("dari_a1", "agents", "get", "@last");
  await dari("dari_a1", "session", "create", "-");
  expect(calls).toEqual([
    "GET /v1/sessions/sess_a1",
    "POST /v1/sessions/sess_a1/complete",
    "GET /v1/agents/agt_a1",
    "POST /v1/agents/agt_a1/sessions",
  ]);
  calls = [];
  await dari("dari_a2", "session", "get", "-");
  expect(calls).toEqual(["GET /v1/me", "GET /v1/sessions/sess_a1"]);
  expect((await dari("dari_b", "session", "get", "-")).code).toBe(2);
});

test("are accepted in options as well, and - stays standard output in --output", async () => {
  calls = [];
  await dari("dari_a1", "session", "list", "--agent", "@last", "--json");
  expect(calls).toEqual(["GET /v1/sessions?agent_id=agt_a1&limit=100"]);
  calls = [];
  const file = await dari("dari_a1", "session", "files", "-", "/x", "--output", "-");
  expect(file.stdout).toContain("sess_a1");
  expect(calls).toEqual(["GET /v1/sessions/sess_a1/files/content?path=%2Fx"]);
});

test("mean the newest message of the last session, or of the one that the command names", async () => {
  const none = await dari("dari_a1", "message", "get", "-");
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("session sess_a1 has no message") });
  newest = "msg_9";
  calls = [];
  await dari("dari_a1", "message", "cancel", "@last");
  await dari("dari_a1", "session", "rollback", "sess_y", "-");
  expect(calls).toEqual([
    "GET /v1/sessions/sess_a1",
    "POST /v1/messages/msg_9/cancel",
    "GET /v1/sessions/sess_y",
    "POST /v1/sessions/sess_y/rollback",
  ]);
});

test("a chat is the last session from its first message on", async () => {
  const chat = (input: string): Promise<Run> =>
    runDari(["chat", "sess_x"], {
      cwd: root.path,
      environment: { DARI_API_URL: url, DARI_API_KEY: "dari_c" },
      input,
    });
  expect((await chat("")).code).toBe(0);
  expect((await dari("dari_c", "session", "get", "-")).code).toBe(2);
  // The message is accepted. Its stream has no end.
  await chat("hello\n");
  calls = [];
  await dari("dari_c", "session", "get", "-");
  expect(calls).toEqual(["GET /v1/sessions/sess_x"]);
});
