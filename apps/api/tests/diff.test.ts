// A turn's changes as a patch: git applies it to the workspace from before and gets the one from after.

import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { turns } from "@dari/db";
import { failure, limits, newId } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, complete, fail, finish, type TestWorkspace } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

async function twoTurns(before: TestWorkspace, after: TestWorkspace): Promise<string> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  await complete(api, await claim(api), before);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  await complete(api, await claim(api), after);
  return messageId;
}

async function diffOf(messageId: string): Promise<string> {
  const reply = await api.call("GET", `/v1/messages/${messageId}/diff`);
  expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
  return reply.text;
}

function lay({ files = {}, links = {}, modes = {} }: TestWorkspace): string {
  const dir = mkdtempSync(join(tmpdir(), "dari-diff-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
    chmodSync(join(dir, path), modes[path] ?? 0o644);
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(dir, path));
  return dir;
}

function picture(dir: string): string[] {
  const paths = readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return paths.flatMap((path) => {
    const stat = lstatSync(join(dir, path));
    if (stat.isDirectory()) return [];
    if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(dir, path))}`];
    return [`${path} ${(stat.mode & 0o100) === 0 ? "" : "x"} ${readFileSync(join(dir, path), "hex")}`];
  });
}

function expectApplies(patch: string, before: TestWorkspace, after: TestWorkspace): void {
  const [dir, wanted] = [lay(before), lay(after)];
  const file = join(tmpdir(), `${newId("message")}.patch`);
  try {
    writeFileSync(file, patch);
    execFileSync("git", ["apply", "--whitespace=nowarn", file], { cwd: dir });
    expect(picture(dir)).toEqual(picture(wanted));
  } finally {
    for (const path of [dir, wanted, file]) rmSync(path, { recursive: true, force: true });
  }
}

test("the patch of a turn applied to the previous workspace gives the next one", async () => {
  const before: TestWorkspace = {
    files: {
      "src/main.ts": "one\ntwo\nthree\nfour\nfive\nsix\nseven\n",
      "old name.txt": "the same text\n",
      "run.sh": "#!/bin/sh\n",
      "gone/deep.txt": "x",
      "becomes-a-link": "text",
      same: "same",
    },
    links: { link: "src" },
  };
  const after: TestWorkspace = {
    files: {
      "src/main.ts": "zero\none\ntwo\nthree\nfour\nfive\nsix\n7",
      "new name.txt": "the same text\n",
      "run.sh": "#!/bin/sh\n",
      "ünï/😀.txt": "äöü\n",
      empty: "",
      same: "same",
    },
    links: { link: "src/main.ts", "becomes-a-link": "run.sh" },
    modes: { "run.sh": 0o755 },
  };
  const patch = await diffOf(await twoTurns(before, after));
  expectApplies(patch, before, after);
});

test("binary and large files are named, and the rest still applies", async () => {
  const text = { files: { "a.txt": "a\n" } };
  const after = {
    files: {
      "a.txt": "b\n",
      "logo.png": Buffer.from([0x89, 0x50, 0, 1]),
      latin1: Buffer.from([0xe4, 0xf6, 0x0a]),
      large: "x".repeat(limits.diffFileBytes + 1),
    },
  };
  const patch = await diffOf(await twoTurns(text, after));
  expect(patch).toContain("Binary files a/logo.png and b/logo.png differ\n");
  expect(patch).toContain("Binary files a/latin1 and b/latin1 differ\n");
  expect(patch).toContain("Large files a/large and b/large differ\n");
  expect(patch.length).toBeLessThan(1_000);
  expectApplies(patch, text, { files: { "a.txt": "b\n" } });
});

test("a patch ends before it is too large and says what is missing", async () => {
  const line = `${"x".repeat(99)}\n`;
  const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i + 10}`, line.repeat(10_000)]));
  const patch = await diffOf(await twoTurns({}, { files }));
  expect(patch.length).toBeLessThan(limits.diffBytes + 200);
  expect(patch.trimEnd().split("\n").at(-1)).toMatch(/^4 more files differ/);
});

test("a file that a message brought counts as there before the turn", async () => {
  const form = new FormData();
  form.append("file", new Blob(["one\ntwo\n"]), "notes.txt");
  const fileId = String((await api.call("POST", "/v1/files", { body: form })).json["id"]);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = newId("message");
  await turns.acceptMessage(api.db, {
    organizationId: api.org.organizationId,
    sessionId,
    messageId,
    parts: [{ type: "file", file_id: fileId, path: "/input/notes.txt" }],
    metadata: {},
    attachments: [{ path: "/input/notes.txt", fileId }],
    dispatchTtlMs: 60_000,
  });
  const after = { files: { "input/notes.txt": "one\n2\n" } };
  await complete(api, await claim(api), after);
  expectApplies(await diffOf(messageId), { files: { "input/notes.txt": "one\ntwo\n" } }, after);
});

test("a failed turn shows what its last attempt changed; a turn that has not ended shows nothing", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  expect(await diffOf(messageId)).toBe("");
  await fail(api, await claim(api), { files: { "half.txt": "half\n" } });
  expectApplies(await diffOf(messageId), {}, { files: { "half.txt": "half\n" } });
  const next = await createTestMessage(api.db, api.org.organizationId, sessionId);
  await finish(api, await claim(api), { ending: "failed", failure: failure("agent_error") });
  expect(await diffOf(next)).toBe("");
});
