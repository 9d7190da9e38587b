// A session's files over several turns: what counts as changed, what is kept, what a failed turn leaves, what the API
// shows.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createHash } from "node:crypto";
import type { MessageRecord } from "@dari/contract";
import { findService } from "@dari/testkit";
import { deploy, uploadText } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { playScript, resultsOf, scriptAgent, type Step } from "../src/script.ts";

let fleet: Fleet;
let agentId: string;

beforeAll(async () => {
  fleet = await startFleet({ redisUrl: findService("redis")?.url });
  ({ agentId } = await deploy(fleet, scriptAgent()));
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

async function newSession(): Promise<string> {
  return (await fleet.client.createSession(agentId)).id;
}

/** Runs steps that must complete. */
async function did(session: string, ...steps: Step[]): Promise<MessageRecord & { results: unknown[] }> {
  const record = await playScript(fleet, session, steps);
  return { ...record, results: resultsOf(record) };
}

function content(session: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  const query = new URLSearchParams({ path });
  return fetch(`${fleet.apiUrl}/v1/sessions/${session}/files/content?${query}`, {
    headers: { authorization: `Bearer ${fleet.apiKey}`, ...headers },
  });
}

const created = (path: string, size_bytes: number) => ({ path, change: "created", size_bytes });
const modified = (path: string, size_bytes: number) => ({ path, change: "modified", size_bytes });
const deleted = (path: string) => ({ path, change: "deleted", size_bytes: null });

describe("files_changed", () => {
  test("names what a turn created, modified and deleted, with sizes, sorted", async () => {
    const session = await newSession();
    const first = await did(
      session,
      ["write", "a/b.txt", "12345"],
      ["write", "z.txt", "1"],
      ["write", "keep.txt", "k"],
    );
    expect(first.files_changed).toEqual([created("/a/b.txt", 5), created("/keep.txt", 1), created("/z.txt", 1)]);
    const second = await did(session, ["append", "z.txt", "234"], ["remove", "a/b.txt"], ["write", "n.txt", ""]);
    expect(second.files_changed).toEqual([deleted("/a/b.txt"), created("/n.txt", 0), modified("/z.txt", 4)]);
    const files = await fleet.client.getMessageFiles(second.id);
    expect(files).toEqual({ message_id: second.id, session_id: session, files_changed: second.files_changed });
    expect((await did(session, ["read", "z.txt"])).files_changed).toEqual([]);
  });

  test("sees a change that keeps the size, a mode, and a file that became a directory", async () => {
    const session = await newSession();
    await did(session, ["write", "same.txt", "aaa"], ["write", "run.sh", "#!"], ["write", "turn", "x"]);
    const changed = await did(
      session,
      ["write", "same.txt", "bbb"],
      ["chmod", "run.sh", "755"],
      ["remove", "turn"],
      ["write", "turn/inner", "xy"],
    );
    expect(changed.files_changed).toEqual(
      expect.arrayContaining([modified("/same.txt", 3), modified("/run.sh", 2), created("/turn/inner", 2)]),
    );
    expect((await did(session, ["mode", "run.sh"], ["read", "turn/inner"])).results).toEqual(["755", "xy"]);
  });

  test("leaves out a file that was changed and restored", async () => {
    const session = await newSession();
    await did(session, ["write", "a.txt", "old"]);
    const record = await did(
      session,
      ["write", "a.txt", "new"],
      ["write", "a.txt", "old"],
      ["write", "t", "x"],
      ["remove", "t"],
    );
    expect(record.files_changed).toEqual([]);
  });
});

describe("what is kept from turn to turn", () => {
  test("empty directories, empty files, modes, links inside, names in any script", async () => {
    const session = await newSession();
    const names = [
      "ünïcödé/日本語.txt",
      "e\u0301.txt",
      "\u00e9.txt",
      "with space & 'quote\".txt",
      "new\nline.txt",
      "🎉",
    ];
    await did(
      session,
      ["mkdir", "empty/inner"],
      ["write", "zero.bin", ""],
      ["write", "bin/tool", "#!/bin/sh"],
      ["chmod", "bin/tool", "755"],
      ["write", "private.txt", "p"],
      ["chmod", "private.txt", "600"],
      ["symlink", "bin/tool", "link"],
      ["symlink", "../zero.bin", "empty/up"],
      ["symlink", "gone", "dangling"],
      ...names.map((name) => ["write", name, name] as const),
    );
    const { results } = await did(
      session,
      ["list", "empty"],
      ["read", "zero.bin"],
      ["mode", "bin/tool"],
      ["mode", "private.txt"],
      ["readlink", "link"],
      ["read", "link"],
      ["readlink", "empty/up"],
      ["readlink", "dangling"],
      ...names.map((name) => ["read", name] as const),
    );
    const kept = ["755", "600", "bin/tool", "#!/bin/sh", "../zero.bin", "gone"];
    expect(results).toEqual([["inner", "up"], null, ...kept, ...names].map((value) => value ?? ""));
    const { entries } = await fleet.client.listSessionFiles(session, { recursive: true });
    for (const name of names) expect(entries.map((entry) => entry.path)).toContain(`/${name}`);
    for (const name of names) expect(await (await content(session, `/${name}`)).text()).toBe(name);
  });

  test("forty turns, which is more than one chain of changes", async () => {
    const session = await newSession();
    for (let turn = 1; turn <= 40; turn++)
      await did(session, ["write", `t/${turn}.txt`, `${turn}`], ["write", "last", `${turn}`]);
    const { results } = await did(session, ["list", "t"], ["read", "last"], ["read", "t/1.txt"], ["read", "t/17.txt"]);
    expect(results[0]).toHaveLength(40);
    expect(results.slice(1)).toEqual(["40", "1", "17"]);
  });
});

describe("a failed turn", () => {
  test("changes nothing, in the workspace and in HOME", async () => {
    const session = await newSession();
    await did(session, ["write", "a.txt", "good"], ["writeHome", "note", "good"]);
    const failed = await playScript(fleet, session, [
      ["write", "a.txt", "bad"],
      ["write", "b.txt", "bad"],
      ["writeHome", "note", "bad"],
      ["throw", "half-way"],
    ]);
    expect(failed).toMatchObject({ status: "failed", files_changed: [] });
    const { results } = await did(session, ["list", "."], ["read", "a.txt"], ["readHome", "note"]);
    expect(results[0]).not.toContain("b.txt");
    expect(results.slice(1)).toEqual(["good", "good"]);
  });

  test("has its uploaded file placed again for the next turn", async () => {
    const session = await newSession();
    const file = await uploadText(fleet, "ticket.txt", "the ticket");
    expect(
      (
        await playScript(
          fleet,
          session,
          [
            ["remove", "input/ticket.txt"],
            ["throw", "no"],
          ],
          [file],
        )
      ).status,
    ).toBe("failed");
    const next = await did(session, ["read", "input/ticket.txt"]);
    expect(next.results).toEqual(["the ticket"]);
    expect(next.files_changed).toEqual([]);
    expect((await did(session, ["read", "input/ticket.txt"])).results).toEqual(["the ticket"]);
  });
});

describe("uploaded files", () => {
  test("are in /input before the turn and never count as changed by it", async () => {
    const session = await newSession();
    const file = await uploadText(fleet, "notes.txt", "notes");
    const record = await playScript(fleet, session, [["read", "input/notes.txt"]], [file]);
    expect(resultsOf(record)).toEqual(["notes"]);
    expect(record.files_changed).toEqual([]);
    expect(record.parts[1]).toMatchObject({ type: "file", file_id: file, path: "/input/notes.txt" });
    const changed = await did(session, ["append", "input/notes.txt", "!"]);
    expect(changed.files_changed).toEqual([modified("/input/notes.txt", 6)]);
  });

  test("are placed next to what the agent put at /input, and no later turn fails because of it", async () => {
    const session = await newSession();
    await did(session, ["remove", "input"], ["write", "input", "not a folder"]);
    const file = await uploadText(fleet, "notes.txt", "notes");
    const record = await playScript(fleet, session, [["read", "input-2/notes.txt"]], [file]);
    expect(resultsOf(record)).toEqual(["notes"]);
    expect(record.parts[1]).toMatchObject({ path: "/input-2/notes.txt" });
    expect((await did(session, ["read", "input"])).results).toEqual(["not a folder"]);
  });

  test("of the longest name can be sent twice", async () => {
    const session = await newSession();
    const file = await uploadText(fleet, `${"n".repeat(251)}.txt`, "long");
    await playScript(fleet, session, [["list", "input"]], [file]);
    const second = await playScript(fleet, session, [["list", "input"]], [file]);
    expect(second.status).toBe("completed");
    expect(resultsOf(second)[0]).toHaveLength(2);
  });

  test("that clash get numbered names, also with a file of the agent's own", async () => {
    const session = await newSession();
    await did(session, ["write", "input/a.txt", "the agent's"]);
    const [one, two] = await Promise.all([uploadText(fleet, "a.txt", "one"), uploadText(fleet, "a.txt", "two")]);
    const record = await playScript(
      fleet,
      session,
      [["list", "input"], ["read", "input/a.txt"], ["context"]],
      [one, two],
    );
    const [names, own, context] = resultsOf(record) as [string[], string, { parts: { local_path?: string }[] }];
    expect(names).toHaveLength(3);
    expect(own).toBe("the agent's");
    expect(record.files_changed).toEqual([]);
    const paths = record.parts.slice(1).map((part) => ("path" in part ? part.path : undefined));
    expect(new Set(paths).size).toBe(2);
    // The agent gets the paths of the files, and the client gets the same paths.
    expect(context.parts.slice(1).map((part) => part.local_path?.replace(/^.*\/input\//, "/input/"))).toEqual(paths);
    const texts = await Promise.all(paths.map(async (path) => (await content(session, path ?? "")).text()));
    expect(texts).toEqual(["one", "two"]);
  });
});

describe("reading through the API", () => {
  const text = "0123456789";

  test("lists one level, sorted, or everything below", async () => {
    const session = await newSession();
    await did(
      session,
      ["write", "output/b.txt", "bb"],
      ["write", "output/a/c.txt", "c"],
      ["symlink", "b.txt", "output/l"],
    );
    const level = [
      { path: "/output/a", type: "directory", size_bytes: null },
      { path: "/output/b.txt", type: "file", size_bytes: 2 },
      { path: "/output/l", type: "symlink", size_bytes: expect.anything() },
    ];
    expect(await fleet.client.listSessionFiles(session, { path: "/output" })).toMatchObject({
      path: "/output",
      entries: [level[0], level[1], { path: "/output/l", type: "symlink" }],
    });
    const alias = await fleet.client.listSessionFiles(session, { path: "/workspace/output" });
    expect(alias.entries).toHaveLength(3);
    const below = await fleet.client.listSessionFiles(session, { path: "/output", recursive: true });
    expect(below.entries.map((entry) => entry.path)).toEqual([
      "/output/a",
      "/output/a/c.txt",
      "/output/b.txt",
      "/output/l",
    ]);
    await expect(fleet.client.listSessionFiles(session, { path: "/none" })).rejects.toMatchObject({ status: 404 });
  });

  test("serves bytes with ETag and Range", async () => {
    const session = await newSession();
    await did(session, ["write", "data.txt", text], ["symlink", "data.txt", "link"]);
    const whole = await content(session, "/data.txt");
    const etag = `"${createHash("sha256").update(text).digest("hex")}"`;
    expect([whole.status, whole.headers.get("etag"), await whole.text()]).toEqual([200, etag, text]);
    const ranges = { "bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "bytes=5-500": "56789" };
    for (const [range, part] of Object.entries(ranges)) {
      const reply = await content(session, "/data.txt", { range });
      expect([range, reply.status, await reply.text()]).toEqual([range, 206, part]);
    }
    expect((await content(session, "/data.txt", { range: "bytes=10-" })).status).toBe(416);
    expect((await content(session, "/data.txt", { "if-none-match": etag })).status).toBe(304);
    expect(await (await content(session, "/link")).text()).toBe(text);
  });

  test("follows no link out of the workspace and no path above it", async () => {
    const session = await newSession();
    await did(
      session,
      ["symlink", "/etc/passwd", "absolute"],
      ["symlink", "../../../../etc/passwd", "relative"],
      ["symlink", "/etc", "folder"],
      ["symlink", "loop", "loop"],
    );
    for (const path of ["/absolute", "/relative", "/folder/passwd", "/../etc/passwd", "/a/../../b", "/nul\0"]) {
      expect([path, (await content(session, path)).status]).toEqual([path, 422]);
    }
    expect([404, 422]).toContain((await content(session, "/loop")).status);
    await expect(fleet.client.listSessionFiles(session, { path: "/folder" })).rejects.toMatchObject({ status: 422 });
    // The next turn finds the links unchanged.
    expect((await did(session, ["readlink", "absolute"], ["readlink", "loop"])).results).toEqual([
      "/etc/passwd",
      "loop",
    ]);
  });
});
