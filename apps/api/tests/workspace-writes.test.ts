// Clients write, delete and archive files of a session's workspace between its turns.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { routes, validate } from "@dari/contract";
import { createScratchSpace } from "@dari/runtime";
import { findViolations } from "@dari/db";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete, fail } from "./turn.ts";

const maxBytes = 200_000;
let api: TestApi;
let agentId: string;
let sessionId: string;
let dir: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { fileBytes: maxBytes } });
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
  dir = mkdtempSync(join(tmpdir(), "dari-writes-"));
});
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await api[Symbol.asyncDispose]();
});
beforeEach(async () => {
  sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
});
afterEach(async () => {
  expect(await findViolations(api.db)).toEqual([]);
});

function content(method: string, path: string, options: { body?: unknown; headers?: Record<string, string> } = {}) {
  return api.call(method, `/v1/sessions/${sessionId}/files/content?path=${encodeURIComponent(path)}`, options);
}
const put = (path: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<TestReply> =>
  content("PUT", path, { body, headers });

async function run(workspace: Parameters<typeof complete>[2]): Promise<void> {
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  await complete(api, await claim(api), workspace);
}

async function paths(): Promise<string[]> {
  const reply = await api.call("GET", `/v1/sessions/${sessionId}/files?recursive=1`);
  return (reply.json["entries"] as { path: string }[]).map((entry) => entry.path);
}

test("a file is written, read, written again and deleted", async () => {
  const created = await put("/notes/todo.md", "one");
  expect([created.status, validate(routes.putSessionFile.reply, created.json)]).toEqual([201, []]);
  expect(created.json).toMatchObject({
    session_id: sessionId,
    files_changed: [{ path: "/notes/todo.md", change: "created", size_bytes: 3 }],
  });
  const etag = `"${createHash("sha256").update("one").digest("hex")}"`;
  expect(created.headers.get("etag")).toBe(etag);
  const read = await content("GET", "/workspace/notes/todo.md");
  expect([read.text, read.headers.get("etag")]).toEqual(["one", etag]);
  const again = await put("/notes/todo.md", "two", { "if-match": etag });
  expect([again.status, again.json["files_changed"]]).toEqual([
    200,
    [{ path: "/notes/todo.md", change: "modified", size_bytes: 3 }],
  ]);
  const same = await put("/notes/todo.md", "two");
  expect([same.status, same.json["files_changed"], same.json["snapshot_id"]]).toEqual([
    200,
    [],
    again.json["snapshot_id"],
  ]);
  expect((await content("DELETE", "/notes/todo.md")).json).toEqual({ deleted: true });
  expect((await content("GET", "/notes/todo.md")).status).toBe(404);
  expect((await content("DELETE", "/notes/todo.md")).status).toBe(404);
  const events = await api.call("GET", `/v1/sessions/${sessionId}/events`);
  expect((events.json.data as { type: string }[]).filter(({ type }) => type === "workspace.committed")).toHaveLength(3);
});

test("a turn starts from the client's write, which does not count as the turn's change", async () => {
  await put("/data.csv", "1,2\n");
  await run({ files: { "data.csv": "1,2\n", "out.txt": "x" } });
  const { json } = await api.call("GET", `/v1/sessions/${sessionId}/messages`);
  expect((json.data as { files_changed: unknown }[])[0]?.files_changed).toEqual([
    { path: "/out.txt", change: "created", size_bytes: 1 },
  ]);
  await put("/more.txt", "more");
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  await fail(api, await claim(api), {});
  expect(await paths()).toEqual(["/data.csv", "/more.txt", "/out.txt"]);
});

test("writes are refused while a turn runs and after the session's end, and leave nothing", async () => {
  await put("/a", "a");
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  const turn = await claim(api);
  for (const reply of [await put("/b", "b"), await content("DELETE", "/a")]) {
    expect([reply.status, reply.json.code]).toEqual([409, "session_busy"]);
  }
  await complete(api, turn, { files: { a: "a" } });
  expect(await paths()).toEqual(["/a"]);
  await api.call("POST", `/v1/sessions/${sessionId}/complete`);
  expect([(await put("/b", "b")).status, (await content("DELETE", "/a")).status]).toEqual([409, 409]);
});

test("conditions decide which write succeeds", async () => {
  expect((await put("/a", "1", { "if-match": "*" })).status).toBe(412);
  expect((await put("/a", "1", { "if-none-match": "*" })).status).toBe(201);
  const refused = await put("/a", "2", { "if-none-match": "*" });
  expect([refused.status, refused.json.code]).toEqual([412, "precondition_failed"]);
  expect((await put("/a", "2", { "if-match": '"0000"' })).status).toBe(412);
  expect((await content("DELETE", "/a", { headers: { "if-match": '"0000"' } })).status).toBe(412);
  const etag = (await content("GET", "/a")).headers.get("etag") ?? "";
  expect((await put("/a", "2", { "if-none-match": etag })).status).toBe(412);
  expect((await content("DELETE", "/a", { headers: { "if-match": `"x", ${etag}` } })).status).toBe(200);
  // If several clients create the same file at once, one succeeds.
  const many = await Promise.all(Array.from({ length: 6 }, (_, i) => put("/b", `${i}`, { "if-none-match": "*" })));
  expect(many.map((reply) => reply.status).sort()).toEqual([201, 412, 412, 412, 412, 412]);
});

test("concurrent writes of different files all succeed", async () => {
  const replies = await Promise.all(Array.from({ length: 6 }, (_, i) => put(`/f${i}`, `${i}`)));
  expect(replies.map((reply) => reply.status)).toEqual(Array(6).fill(201));
  expect(await paths()).toEqual(["/f0", "/f1", "/f2", "/f3", "/f4", "/f5"]);
});

test("links are followed inside, kept from leading out, and deleted as links; modes stay", async () => {
  await run({
    files: { "real/run.sh": "old" },
    links: { link: "real/run.sh", folder: "real", evil: "/etc/passwd", away: "../../x", dangling: "real/none" },
    modes: { "real/run.sh": 0o755 },
  });
  expect((await put("/link", "new")).status).toBe(200);
  expect((await content("GET", "/real/run.sh")).text).toBe("new");
  expect((await put("/folder/made", "m")).status).toBe(201);
  expect((await content("GET", "/real/made")).text).toBe("m");
  expect([(await put("/evil", "x")).status, (await put("/away/x", "x")).status]).toEqual([422, 422]);
  expect((await put("/dangling", "x")).status).toBe(200);
  expect((await content("DELETE", "/link")).status).toBe(200);
  expect(await paths()).toEqual(["/away", "/dangling", "/evil", "/folder", "/real", "/real/made", "/real/run.sh"]);
  const at = await unpack("tar.gz", "?path=/real");
  expect([readdirSync(join(at, "real")).sort(), statSync(join(at, "real/run.sh")).mode & 0o777]).toEqual([
    ["made", "run.sh"],
    0o755,
  ]);
});

test("directories are deleted only when that is meant", async () => {
  await put("/dir/a", "a");
  await put("/dirt", "b");
  expect((await content("DELETE", "/dir")).status).toBe(409);
  const url = `/v1/sessions/${sessionId}/files/content?path=/dir&recursive=1`;
  expect((await api.call("DELETE", url)).status).toBe(200);
  expect(await paths()).toEqual(["/dirt"]);
  expect((await content("DELETE", "/")).status).toBe(422);
});

test("what cannot be a file is refused before its bytes are kept", async () => {
  await put("/file", "f");
  await put("/dir/x", "x");
  for (const [path, status] of [
    ["/", 422],
    ["/../x", 422],
    ["/a\0b", 422],
    [`/${"n".repeat(256)}`, 422],
    [`/${"d/".repeat(1_600)}x`, 413],
    ["/dir", 409],
    ["/file/x", 409],
  ] as const) {
    expect([path.slice(0, 20), (await put(path, "x")).status]).toEqual([path.slice(0, 20), status]);
  }
  expect((await put("/big", Buffer.alloc(maxBytes + 1))).status).toBe(413);
  expect((await put("/empty", "")).status).toBe(201);
  expect((await content("GET", "/empty")).text).toBe("");
  expect(await paths()).toEqual(["/dir", "/dir/x", "/empty", "/file"]);
});

test("a path that is not percent-encoded UTF-8 is refused, and not written under another name", async () => {
  // Sends the path unchanged; `fetch` would encode it again.
  const putRaw = async (path: string): Promise<number | undefined> => {
    const { hostname, port } = new URL(api.url);
    const headers = { authorization: `Bearer ${api.org.apiKey}`, "content-length": "1" };
    const query = `/v1/sessions/${sessionId}/files/content?path=${path}`;
    const sent = request({ hostname, port, path: query, method: "PUT", headers }).end("x");
    const [reply] = (await once(sent, "response")) as [IncomingMessage];
    reply.resume();
    return reply.statusCode;
  };
  const refused = ["/%ED%A0%80", "/%FF", "/a%C3", "/%C0%AF"];
  for (const path of refused) expect([path, await putRaw(path)]).toEqual([path, 422]);
  expect(await putRaw("/%C3%BC+%25%EF%BF%BD")).toBe(201);
  expect(await paths()).toEqual(["/\u00fc %\ufffd"]);
});

test("an organization's own limits apply to clients' writes, and each error has its limit", async () => {
  await put("/one", "12345");
  const { organizationId } = api.org;
  for (const [column, bound, detail] of [
    ["max_workspace_files", 1, "the workspace exceeds the limit of 1 files and directories"],
    ["max_workspace_bytes", 9, "the workspace exceeds the limit of 9 bytes"],
    ["max_workspace_file_bytes", 4, "a file of the workspace exceeds the limit of 4 bytes"],
  ] as const) {
    const set = (value: number | null): Promise<unknown> =>
      api.db.pool.query(`update organizations set ${column} = $2 where id = $1`, [organizationId, value]);
    await set(bound);
    const reply = await put("/two", "12345");
    await set(null);
    expect([column, reply.status, reply.json.code, reply.json.detail]).toEqual([column, 413, "too_large", detail]);
  }
  expect(await paths()).toEqual(["/one"]);
});

test("a body of unknown length is streamed, and cut off above the limit", async () => {
  const send = (bytes: number): Promise<Response> =>
    fetch(`${api.url}/v1/sessions/${sessionId}/files/content?path=/s`, {
      method: "PUT",
      headers: { authorization: `Bearer ${api.org.apiKey}` },
      body: new Blob([Buffer.alloc(bytes, 7)]).stream(),
      duplex: "half",
    } as RequestInit);
  expect((await send(maxBytes)).status).toBe(201);
  expect((await send(maxBytes + 1)).status).toBe(413);
  expect((await content("GET", "/s", { headers: { range: "bytes=199998-" } })).text).toBe("\x07\x07");
});

test("the disk space of calls is limited, in all and for one organization, and released", async () => {
  const room = createScratchSpace(20);
  Object.assign(api.control, { scratch: room });
  const outcome = async (bytes: number): Promise<unknown[]> => {
    const { status, json, headers } = await put("/s", "x".repeat(bytes));
    return [status, json["code"], headers.get("retry-after")];
  };
  expect(await outcome(11)).toEqual([413, "too_large", null]);
  {
    await using own = await room.open("test", api.org.organizationId);
    own.take(4);
    expect(await outcome(7)).toEqual([429, "limit_exceeded", "10"]);
    {
      await using first = await room.open("test", "first");
      await using second = await room.open("test", "second");
      first.take(10);
      second.take(1);
      expect(await outcome(6)).toEqual([503, "unavailable", "10"]);
    }
    expect(await outcome(6)).toEqual([201, undefined, null]);
  }
  expect(await outcome(10)).toEqual([200, undefined, null]);
  Object.assign(api.control, { scratch: createScratchSpace() });
});

async function unpack(format: "tar.gz" | "zip", query = ""): Promise<string> {
  const response = await download(format, query);
  const file = join(dir, `archive.${format}`);
  writeFileSync(file, Buffer.from(await response.arrayBuffer()));
  const at = mkdtempSync(join(dir, "out-"));
  const environment = { LC_ALL: "C.UTF-8", PATH: "/usr/bin:/bin" };
  if (format === "zip") execFileSync("unzip", ["-q", file], { cwd: at, env: environment });
  else execFileSync("tar", ["-xzpf", file], { cwd: at, env: environment });
  return at;
}

function download(format: string, query = ""): Promise<Response> {
  return fetch(`${api.url}/v1/sessions/${sessionId}/workspace.${format}${query}`, {
    headers: { authorization: `Bearer ${api.org.apiKey}` },
  });
}

test.each(["tar.gz", "zip"] as const)(
  "the workspace as %s: all of it or parts, the same bytes every time",
  async (format) => {
    await run({
      files: { "a.txt": "a", "b/c.txt": "c", "b/d/e.txt": "e", "bb.txt": "bb", "ünï.txt": "u" },
      links: { link: "a.txt" },
    });
    const at = await unpack(format);
    const listed = readdirSync(at, { recursive: true, encoding: "utf8" }).sort();
    expect(listed).toEqual(["a.txt", "b", "b/c.txt", "b/d", "b/d/e.txt", "bb.txt", "link", "ünï.txt"].sort());
    expect(readFileSync(join(at, "b/d/e.txt"), "utf8")).toBe("e");
    const part = await unpack(format, "?path=/b&path=/workspace/a.txt&path=/b/c.txt");
    expect(readdirSync(part, { recursive: true, encoding: "utf8" }).sort()).toEqual([
      "a.txt",
      "b",
      "b/c.txt",
      "b/d",
      "b/d/e.txt",
    ]);
    const [first, second] = [await download(format), await download(format)];
    expect(first.headers.get("content-disposition")).toBe(`attachment; filename="${sessionId}.${format}"`);
    expect(Buffer.from(await first.arrayBuffer()).equals(Buffer.from(await second.arrayBuffer()))).toBe(true);
    expect([(await download(format, "?path=/none")).status, (await download(format, "?path=/../x")).status]).toEqual([
      404, 422,
    ]);
  },
);

test("the archive of an empty workspace is empty", async () => {
  expect(readdirSync(await unpack("tar.gz"))).toEqual([]);
  expect((await download("zip")).status).toBe(200);
});

test("many writes leave a chain that is read in bounded pieces", async () => {
  for (let i = 0; i < 20; i++) expect((await put(`/n${i % 3}`, `${i}`)).status).toBeLessThan(300);
  expect((await content("GET", "/n1")).text).toBe("19");
});
