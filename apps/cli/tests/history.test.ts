// Calls of the commands about a session's history and files, over a small HTTP server on loopback.

import { afterEach, expect, test } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runDari, temporaryTree, type Tree } from "./run-dari.ts";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

interface Asked {
  readonly line: string;
  readonly body: string;
}

/** Runs the command against a server that answers every call with `answer`. */
async function ask(root: Tree, args: readonly string[], answer: unknown) {
  const asked: Asked[] = [];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      // Remembering the last session reads the key's organization.
      if (request.url !== "/v1/me")
        asked.push({ line: `${request.method ?? ""} ${decodeURIComponent(request.url ?? "")}`, body });
      const isText = typeof answer === "string";
      response.writeHead(200, { "content-type": isText ? "text/plain" : "application/json" });
      response.end(isText ? answer : JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const run = await runDari([...args, "--api-url", url, "--api-key", "dari_x"], { cwd: root.path });
  return { ...run, asked };
}

test.each([
  [["session", "fork", "sess_1"], "POST /v1/sessions/sess_1/fork", "{}"],
  [["session", "fork", "sess_1", "--message", "msg_1"], "POST /v1/sessions/sess_1/fork", '{"message_id":"msg_1"}'],
  [["session", "rollback", "sess_1", "msg_1"], "POST /v1/sessions/sess_1/rollback", '{"message_id":"msg_1"}'],
  [["message", "retry", "msg_1", "--fork"], "POST /v1/messages/msg_1/retry", '{"fork":true}'],
  [
    ["message", "retry", "msg_1", "--fork", "--version-id", "ver_1"],
    "POST /v1/messages/msg_1/retry",
    '{"fork":true,"version_id":"ver_1"}',
  ],
  [
    ["session", "remove", "sess_1", "/a b", "--recursive"],
    "DELETE /v1/sessions/sess_1/files/content?path=/a+b&recursive=1",
    "",
  ],
  [["agents", "rename", "old", "new name"], "PATCH /v1/agents/old", '{"name":"new name"}'],
  [["message", "promote", "msg_1", "2"], "POST /v1/messages/msg_1/attempts/2/promote", ""],
] as const)("%j", async (args, line, body) => {
  await using root = await temporaryTree({});
  const answer = { id: "sess_2", session_id: "sess_2", files_changed: [], deleted: true };
  const { code, asked, stderr } = await ask(root, args, answer);
  expect([code, stderr, asked]).toEqual([0, "", [{ line, body }]]);
});

test("a patch is shown unchanged", async () => {
  await using root = await temporaryTree({});
  const { stdout, asked } = await ask(root, ["message", "diff", "msg_1"], "diff --git a/x b/x\n");
  expect([stdout, asked[0]?.line]).toEqual(["diff --git a/x b/x\n", "GET /v1/messages/msg_1/diff"]);
});

test("a file of this machine is written into a workspace", async () => {
  await using root = await temporaryTree({ "notes.txt": "the notes" });
  const commit = { files_changed: [{ path: "/in/notes.txt", change: "created", size_bytes: 9 }] };
  const { stdout, asked } = await ask(root, ["session", "write", "sess_1", "notes.txt", "/in/notes.txt"], commit);
  expect(stdout).toBe("created /in/notes.txt\n");
  expect(asked).toEqual([{ line: "PUT /v1/sessions/sess_1/files/content?path=/in/notes.txt", body: "the notes" }]);
});

test("what was uploaded is listed with the session's files", async () => {
  await using root = await temporaryTree({});
  const listing = { path: "/", entries: [{ path: "/input", type: "directory", size_bytes: null }] };
  const { asked, stdout } = await ask(root, ["session", "files", "sess_1", "--json"], listing);
  const line = "GET /v1/sessions/sess_1/files";
  expect(asked.map((one) => one.line)).toEqual([line, `${line}?path=/input`]);
  // The server answers both calls with the same entry.
  expect(JSON.parse(stdout)).toEqual({ ...listing, entries: [...listing.entries, ...listing.entries] });
  const all = await ask(root, ["session", "files", "sess_1", "--recursive"], listing);
  expect(all.asked.map((one) => one.line)).toEqual([`${line}?recursive=1`]);
});

test("a session is exported into a file, and imported from it", async () => {
  await using root = await temporaryTree({});
  const saved = await ask(root, ["session", "export", "sess_1", "--output", "one.tar.gz"], "the session");
  expect(saved.asked[0]?.line).toBe("GET /v1/sessions/sess_1/export");
  expect(await readFile(join(root.path, "one.tar.gz"), "utf8")).toBe("the session");
  server?.close();
  const args = ["session", "import", "one.tar.gz", "--agent-id", "agt_1"];
  const imported = await ask(root, args, { id: "sess_2" });
  expect([imported.code, imported.stdout]).toEqual([0, "sess_2\n"]);
  expect(imported.asked).toEqual([{ line: "POST /v1/sessions/import?agent_id=agt_1", body: "the session" }]);
});

test("an archive of some paths, and a file of an attempt, are saved", async () => {
  await using root = await temporaryTree({});
  const archive = ["session", "archive", "sess_1", "/a", "/b", "--output", "all.zip"];
  const saved = await ask(root, archive, "the bytes");
  expect(saved.asked[0]?.line).toBe("GET /v1/sessions/sess_1/workspace.zip?path=/a&path=/b");
  expect(await readFile(join(root.path, "all.zip"), "utf8")).toBe("the bytes");
  server?.close();
  const file = await ask(root, ["message", "attempt", "msg_1", "1", "/half", "--output", "half"], "half");
  expect(file.asked[0]?.line).toBe("GET /v1/messages/msg_1/attempts/1/files/content?path=/half");
  expect(await readFile(join(root.path, "half"), "utf8")).toBe("half");
});

test.each([
  [["message", "retry", "msg_1", "--version-id", "ver_1"], "--version-id can only be used with --fork"],
  [["message", "retry", "--all", "--fork"], "--fork and --on-busy cannot be used with --all"],
  [["message", "attempt", "msg_1", "zero"], "expected the number of an attempt"],
  [["session", "write", "sess_1", "none.txt", "/x"], "none.txt does not exist"],
  [["session", "archive", "sess_1"], "--output"],
  [["session", "export", "sess_1"], "--output"],
  [["session", "import", "none.tar.gz"], "none.tar.gz does not exist"],
])("%j is refused with exit code 2", async (args, message) => {
  await using root = await temporaryTree({});
  const { code, stderr } = await runDari([...args, "--api-url", "http://127.0.0.1:1"], { cwd: root.path });
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});
