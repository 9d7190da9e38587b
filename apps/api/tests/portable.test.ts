// A session is exported, and continues in another installation. Incomplete exports are refused and leave nothing.

import { gunzipSync, gzipSync } from "node:zlib";
import { routes, validate } from "@dari/contract";
import { createScratchSpace } from "@dari/runtime";
import { findViolations, turnDetails } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestAgent, createTestKey, createTestSession, finishTestBuild } from "@dari/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { agentBundle, bundleOf, type Entry } from "./bundle.ts";
import { bring } from "./publish.ts";
import { attemptsWithCalls, callTool, claim, complete, fail, type TestWorkspace } from "./turn.ts";

let source: TestApi;
let target: TestApi;
let sessionId: string;
beforeAll(async () => {
  source = await startTestApi();
  target = await startTestApi({ settings: { exportBytes: 1_000_000 } });
  sessionId = await conversation();
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});
afterEach(async () => {
  expect([await findViolations(source.db), await findViolations(target.db)]).toEqual([[], []]);
});

async function send(api: TestApi, session: string, parts: unknown[]): Promise<string> {
  const reply = await api.call("POST", `/v1/sessions/${session}/messages/async`, { body: { parts } });
  expect([reply.status, reply.text]).toEqual([202, expect.any(String)]);
  await api.db.pool.query(`update sessions set schedule = 'dispatched', ready_at = null,
    lease_until = clock_timestamp() + interval '1 minute' where schedule = 'ready'`);
  return String(reply.json["id"]);
}

const text = (words: string) => ({ type: "text", text: words });
const files: TestWorkspace = {
  files: { "input/notes.txt": "the notes", "src/main.ts": "main", "run.sh": "#!/bin/sh\n", "ünï 😀.txt": "u" },
  links: { link: "src/main.ts", out: "/etc/passwd" },
  modes: { "run.sh": 0o755 },
};

/** One turn with an upload, one that failed, one that completed, and a waiting message. */
async function conversation(): Promise<string> {
  const { id } = await bring(source, agentBundle());
  const agent = await source.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
  await finishTestBuild(source.db, String(agent.json["version_id"]), "ready");
  const body = { name: "Help", metadata: { t: "a" }, secrets: { TOKEN: "very-secret" }, internet_access: false };
  const made = await source.call("POST", `/v1/agents/${String(agent.json["id"])}/sessions`, { body });
  const session = String(made.json["id"]);
  const form = new FormData();
  form.append("file", new Blob(["the notes"], { type: "text/plain" }), "notes.txt");
  const file = await source.call("POST", "/v1/files", { body: form });
  await send(source, session, [text("one"), { type: "file", file_id: file.json["id"] }]);
  await complete(source, await claim(source), { files: { "a.txt": "a" } });
  await send(source, session, [text("two")]);
  await fail(source, await claim(source), { files: { "half.txt": "half" } });
  await send(source, session, [text("three")]);
  const last = await claim(source);
  await callTool(source, last);
  await complete(source, last, files);
  return session;
}

async function exported(id: string = sessionId): Promise<Buffer> {
  const response = await fetch(`${source.url}/v1/sessions/${id}/export`, {
    headers: { authorization: `Bearer ${source.org.apiKey}` },
  });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/gzip"]);
  return Buffer.from(await response.arrayBuffer());
}

function bringIn(body: Uint8Array, options: { query?: string; key?: string; headers?: Record<string, string> } = {}) {
  const { query = "", key = target.org.apiKey, headers = {} } = options;
  return target.call("POST", `/v1/sessions/import${query}`, { body, key, headers });
}

let whole: Buffer;
beforeEach(async () => {
  whole = await exported();
});

async function objects(): Promise<number> {
  return (await target.objects()).filter((key) => !key.includes("/snapshots/")).length;
}

test("a session continues in another installation, with its history, its files and its version", async () => {
  const imported = await bringIn(whole);
  expect([imported.status, validate(routes.importSession.reply, imported.json)]).toEqual([201, []]);
  expect(imported.json).toMatchObject({ status: "idle", name: "Help", metadata: { t: "a" }, internet_access: false });
  const id = String(imported.json["id"]);
  const listed = await target.call("GET", `/v1/sessions/${id}/messages`);
  const messages = listed.json.data as Record<string, unknown>[];
  expect(messages.map((message) => message["status"])).toEqual(["completed", "failed", "completed"]);
  for (const message of messages) expect(validate(routes.getMessage.reply, message)).toEqual([]);
  const [, part] = messages[0]?.["parts"] as { file_id: string; path: string }[];
  expect((await target.call("GET", `/v1/files/${part?.file_id}/content`)).text).toBe("the notes");
  const kinds = (await target.call("GET", `/v1/sessions/${id}/transcript`)).json.data as { kind: string }[];
  const own = (await source.call("GET", `/v1/sessions/${sessionId}/transcript`)).json.data as { kind: string }[];
  expect(kinds.map(({ kind }) => kind)).toEqual(own.map(({ kind }) => kind));
  expect(await attemptsWithCalls(target, id)).toEqual(await attemptsWithCalls(source, sessionId));
  const at = (api: TestApi, session: string) => api.call("GET", `/v1/sessions/${session}/files?recursive=1`);
  expect((await at(target, id)).json).toEqual((await at(source, sessionId)).json);
  const path = encodeURIComponent("/ünï 😀.txt");
  const content = await target.call("GET", `/v1/sessions/${id}/files/content?path=${path}`);
  expect(content.text).toBe("u");
  expect(gunzipSync(whole).includes("very-secret")).toBe(false);

  // Its version is being built here; then the next turn runs.
  const next = await target.call("POST", `/v1/sessions/${id}/messages/async`, { body: { parts: [text("four")] } });
  expect(next.json).toMatchObject({ status: "queued", sequence_number: 4, waiting_reason: "build" });
  await target.call("POST", `/v1/messages/${String(next.json["id"])}/cancel`);
  await finishTestBuild(target.db, String(imported.json["version_id"]), "ready");
  const messageId = await send(target, id, [text("five")]);
  const turn = await claim(target);
  const details = await turnDetails.getTurnDetails(target.db, messageId, { messages: 10, bytes: 100_000 });
  expect(details.history.map(({ parts }) => (parts as { text: string }[])[0]?.text)).toEqual(["one", "three"]);
  expect(details.headSnapshotId).not.toBeNull();
  await complete(target, turn, { files: { ...files.files, "new.txt": "n" }, links: files.links ?? {} });
  const changed = await target.call("GET", `/v1/messages/${messageId}/files`);
  expect(changed.json["files_changed"]).toContainEqual({ path: "/new.txt", change: "created", size_bytes: 1 });
});

test("a rollback is possible as far as the workspace was imported", async () => {
  const id = String((await bringIn(whole)).json["id"]);
  const messages = (await target.call("GET", `/v1/sessions/${id}/messages`)).json.data as { id: string }[];
  const [first, , last] = messages.map((message) => message.id);
  const fork = (message_id?: string) => target.call("POST", `/v1/sessions/${id}/fork`, { body: { message_id } });
  expect([(await fork(first)).status, (await fork(last)).status, (await fork()).status]).toEqual([409, 201, 201]);
  const diff = await target.call("GET", `/v1/messages/${last}/diff`);
  expect([diff.status, diff.json.detail]).toEqual([404, expect.stringContaining("imported")]);
  const put = await target.call("PUT", `/v1/sessions/${id}/files/content?path=/extra`, { body: "x" });
  expect(put.status).toBe(201);
  const back = (message_id?: string) => target.call("POST", `/v1/sessions/${id}/rollback`, { body: { message_id } });
  expect([(await back(first)).status, (await back(last)).status]).toEqual([409, 200]);
  expect((await target.call("GET", `/v1/sessions/${id}/files/content?path=/extra`)).status).toBe(404);
  expect((await target.call("GET", `/v1/sessions/${id}/files/content?path=/src/main.ts`)).text).toBe("main");
});

test("one session gives the same bytes, one bundle is one version, and an agent is chosen by name", async () => {
  expect((await exported()).equals(whole)).toBe(true);
  const [one, two] = [await bringIn(whole), await bringIn(whole)];
  expect(one.json["version_id"]).toBe(two.json["version_id"]);
  const agent = String(one.json["deployment_id"]);
  expect((await bringIn(whole, { query: `?agent_id=${agent}` })).json["agent_id"]).toBe(one.json["agent_id"]);
  const other = await createTestAgent(target.db, target.org.organizationId);
  const without = await bringIn(whole, { query: `?agent_id=${other.agentId}` });
  expect([without.status, without.json.code]).toEqual([409, "conflict"]);
  const foreign = await createTestAgent(target.db, target.stranger.organizationId);
  expect((await bringIn(whole, { query: `?agent_id=${foreign.agentId}` })).status).toBe(404);
  expect((await bringIn(whole, { query: "?agent_id=sess_1" })).status).toBe(422);
});

test("another organization imports it as its own, and finds nothing of the first one's", async () => {
  const { key } = { key: target.stranger.apiKey };
  const imported = await bringIn(whole, { key });
  expect(imported.status).toBe(201);
  const path = `/v1/sessions/${String(imported.json["id"])}`;
  expect([(await target.call("GET", path, { key })).status, (await target.call("GET", path)).status]).toEqual([
    200, 404,
  ]);
  const { apiKey } = await createTestKey(target.db, target.org.organizationId, ["run"]);
  expect((await bringIn(whole, { key: apiKey })).status).toBe(403);
  expect((await target.call("GET", `/v1/sessions/${sessionId}/export`)).status).toBe(404);
});

test("an import that is repeated under its key is one session; another file is refused", async () => {
  const headers = { "idempotency-key": newId("message") };
  const before = await objects();
  const replies = await Promise.all([1, 2, 3].map(() => bringIn(whole, { headers })));
  expect(replies.map((reply) => reply.status)).toEqual([201, 201, 201]);
  expect(new Set(replies.map((reply) => reply.json["id"])).size).toBe(1);
  // Only its upload: an earlier session has stored the bundle.
  expect(await objects()).toBe(before + 1);
  const other = await bringIn(gzipSync(gunzipSync(whole), { level: 1 }), { headers });
  expect(other.json.code).toBe("idempotency_key_reused");
  expect(await objects()).toBe(before + 1);
});

/** The members of an export whose names are short, to be altered and put together again. */
function entriesOf(bytes: Buffer): Entry[] {
  const tar = gunzipSync(bytes);
  const members: Entry[] = [];
  for (let at = 0; tar[at] !== 0;) {
    const field = (start: number, length: number): string =>
      tar.toString("latin1", at + start, at + start + length).replace(/\0.*$/s, "");
    const size = Number.parseInt(field(124, 12), 8);
    const body = tar.toString("latin1", at + 512, at + 512 + size);
    members.push({ name: field(0, 100), type: field(156, 1), link: field(157, 100), body });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return members;
}

const isPlain = ({ name, type = "0" }: Entry): boolean => type !== "x" && name !== "PaxHeader";

/** Returns the export with each member replaced by what `alter` returns. */
function altered(alter: (member: Entry) => Entry[], bytes: Buffer = whole): Buffer {
  const members = entriesOf(bytes).filter(isPlain).flatMap(alter);
  // `bundleOf` writes text as UTF-8; the bundle inside is bytes.
  const parts = members.map((member) => {
    const bytes = Buffer.from(member.body ?? "", "latin1");
    const one = gunzipSync(bundleOf([{ ...member, body: "x".repeat(bytes.length) }]).bytes);
    bytes.copy(one, 512);
    return one.subarray(0, one.length - 1024);
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(1024)]));
}

const at = (name: string, change: (body: string) => string) => (member: Entry) =>
  member.name.startsWith(name) ? [{ ...member, body: change(member.body ?? "") }] : [member];
const adding = (...more: Entry[]) => {
  return (member: Entry) => (member.name === "workspace/src/main.ts" ? [member, ...more] : [member]);
};
const messages = "conversation/messages";
const ledger = "conversation/ledger";

test.each<[string, string, (member: Entry) => Entry[]]>([
  [
    "another format",
    "format: expected 'dari.session'",
    at("session.json", (body) => body.replace("dari.session", "x.session")),
  ],
  [
    "a later format",
    "format_version: expected '1'",
    at("session.json", (body) => body.replace('"format_version": 1', '"format_version": 2')),
  ],
  ["no JSON", "session.json: expected JSON", at("session.json", () => "{")],
  ["deep JSON", "less nesting", at(messages, () => `${"[".repeat(100_000)}${"]".repeat(100_000)}\n`)],
  ["more values than there is room for", "values", at(ledger, () => `[${"0,".repeat(2_000_001)}0]\n`)],
  ["another bundle", "does not have the checksum", at("version/", (body) => `${body.slice(0, -1)}x`)],
  [
    "a missing bundle",
    "expected version/bundle.tar.gz",
    (member) => (member.name.startsWith("version/") ? [] : [member]),
  ],
  [
    "a message that is not one",
    "line 2: status:",
    at(messages, (body) => body.replace('"status":"failed"', '"status":"running"')),
  ],
  ["a NUL in a text", "must not contain NUL", at(messages, (body) => body.replace('"one"', '"\\u0000"'))],
  [
    "more attempts than allowed",
    "max_attempts: expected at least 1",
    at(messages, (body) => body.replace('"max_attempts":1', '"max_attempts":0')),
  ],
  [
    "a time before time",
    "expected a time since 1970",
    at(messages, (body) => body.replace(/"created_at":"\d{4}/, '"created_at":"0001')),
  ],
  [
    "messages that end in another order",
    "completed_at: expected a time",
    at(messages, (body) => body.replace(/"completed_at":"\d{4}/, '"completed_at":"2999')),
  ],
  ["a message twice", "id: expected another one", at(messages, (body) => `${body}${body}`)],
  [
    "a message without its end",
    "no last event of message 3",
    at(ledger, (body) => body.trim().split("\n").slice(0, -1).join("\n")),
  ],
  [
    "an end that is not the message's",
    "message 2 is failed",
    at(ledger, (body) => body.replace("message.failed", "message.completed")),
  ],
  ["an event of nobody", "there is no message 4", at(ledger, (body) => body.replaceAll('"message":3', '"message":4'))],
  [
    "an event of the platform",
    "line 1: type: expected one of",
    at(ledger, (body) => body.replace("user.message", "attempt.started")),
  ],
  ["another upload", "uploads/1 does not match", at("uploads/1", () => "The notes")],
  [
    "an upload's path outside",
    "path: expected a file in /input",
    at("uploads.jsonl", (body) => body.replace("/input/notes.txt", "/../notes.txt")),
  ],
  // A worker that places it must follow no link.
  [
    "an upload's path below a link",
    "path: expected a file in /input",
    at("uploads.jsonl", (body) => body.replace("/input/notes.txt", "/out/notes.txt")),
  ],
  [
    "an upload of no message",
    "there is no message 9",
    at("uploads.jsonl", (body) => body.replace('"message":1', '"message":9')),
  ],
  ["another workspace", "the workspace does not match", at("workspace/src/main.ts", () => "Main")],
  ["a path outside", "a path contains an empty name", adding({ name: "workspace/../../evil", body: "x" })],
  ["an absolute path", "outside the two trees", adding({ name: "/tmp/evil", body: "x" })],
  ["a path elsewhere", "outside the two trees", adding({ name: "evil/x", body: "x" })],
  [
    "a file below a link",
    "is not listed before it",
    adding({ name: "workspace/l", type: "2", link: "/tmp" }, { name: "workspace/l/x", body: "x" }),
  ],
  ["a file without its directory", "is not listed before it", adding({ name: "workspace/none/x", body: "x" })],
  ["a path twice", "appears twice", adding({ name: "workspace/src/main.ts", body: "x" })],
  ["a hard link", "unsupported type", adding({ name: "workspace/h", type: "1", link: "/etc/passwd" })],
  ["a device", "unsupported type", adding({ name: "workspace/d", type: "3" })],
])("%s is refused, and leaves nothing", async (_name, reason, alter) => {
  const before = await objects();
  const sessions = (await target.call("GET", "/v1/sessions")).text;
  const reply = await bringIn(altered(alter));
  expect([reply.status, reply.json.code, reply.json.detail]).toEqual([422, "invalid", expect.stringContaining(reason)]);
  expect(reply.json["errors"]).toMatchObject([{ path: "body" }]);
  expect([await objects(), (await target.call("GET", "/v1/sessions")).text]).toEqual([before, sessions]);
});

test("an export that is truncated, not an archive, or too large is refused", async () => {
  const tar = gunzipSync(whole);
  const halves = [1, 2, 3].map((part) => gzipSync(tar.subarray(0, Math.floor((tar.length * part) / 4))));
  const noEnd = gzipSync(tar.subarray(0, tar.lastIndexOf("main") + 512));
  for (const body of [...halves, noEnd, whole.subarray(0, 900), Buffer.from("no archive"), gzipSync("no tar")]) {
    const reply = await bringIn(body);
    expect([reply.status, reply.json.code]).toEqual([422, "invalid"]);
  }
  expect((await bringIn(Buffer.alloc(0))).status).toBe(422);
  expect((await bringIn(Buffer.alloc(1_000_001))).status).toBe(413);
  const padded = gzipSync(Buffer.concat([tar, Buffer.from("more")]));
  expect((await bringIn(padded)).status).toBe(422);
});

test("an organization's own limits apply to its imports", async () => {
  const { organizationId } = target.org;
  const bound = (files: number | null): Promise<unknown> =>
    target.db.pool.query("update organizations set max_workspace_files = $2 where id = $1", [organizationId, files]);
  await bound(3);
  const reply = await bringIn(whole);
  await bound(null);
  expect([reply.status, reply.json.code]).toEqual([413, "too_large"]);
});

test("the disk space of an import is limited, and released", async () => {
  const { scratch } = Object.assign(target.control, { scratch: createScratchSpace(100_000) });
  expect((await bringIn(whole)).status).toBe(201);
  await using all = await scratch.open("test", target.org.organizationId);
  all.take(50_000);
  expect((await bringIn(whole)).json.code).toBe("limit_exceeded");
  Object.assign(target.control, { scratch: createScratchSpace() });
});

/** Exports its first two messages, with plain names only, so that the altered archive is complete. */
async function exportedBeginning(): Promise<Buffer> {
  const all = (await source.call("GET", `/v1/sessions/${sessionId}/messages`)).json.data as { id: string }[];
  const fork = await source.call("POST", `/v1/sessions/${sessionId}/fork`, { body: { message_id: all[1]?.id } });
  return exported(String(fork.json["id"]));
}

test("ids in an import never refer to messages of other organizations", async () => {
  const { organizationId } = target.org;
  const { agentId } = await createTestAgent(target.db, organizationId);
  const failed = await send(target, await createTestSession(target.db, organizationId, agentId), [text("one")]);
  await fail(target, await claim(target));
  const claiming = at(messages, (body) =>
    body.replace('"status":"failed"', `"status":"failed","retry_of":"${failed}"`),
  );
  const file = altered(claiming, await exportedBeginning());
  expect((await bringIn(file, { key: target.stranger.apiKey })).status).toBe(201);
  const body = { filter: { organization_id: organizationId }, dry_run: true };
  const retry = await target.call("POST", "/v1/messages/retry", { body, key: target.operator.apiKey });
  expect(retry.json["retried"]).toContainEqual({ message_id: failed, retry_message_id: null });
});

test("unknown names among an imported message's timings are not sent in headers", async () => {
  const named = at(messages, (body) => body.replace('"timings":{', '"timings":{"a\\r\\nset-cookie: x_ms":1,'));
  const { json } = await bringIn(altered(named, await exportedBeginning()));
  const [message] = (await target.call("GET", `/v1/sessions/${String(json["id"])}/messages`)).json.data as {
    id: string;
  }[];
  const reply = await target.call("GET", `/v1/messages/${message?.id}`);
  expect([reply.status, reply.headers.get("server-timing")]).toEqual([200, "run;dur=3"]);
});

test("an export contains no message that was rolled back or has not ended", async () => {
  const forked = await source.call("POST", `/v1/sessions/${sessionId}/fork`, { body: {} });
  const fork = String(forked.json["id"]);
  const [first] = (await source.call("GET", `/v1/sessions/${fork}/messages`)).json.data as { id: string }[];
  await source.call("POST", `/v1/sessions/${fork}/rollback`, { body: { message_id: first?.id } });
  await source.call("POST", `/v1/sessions/${fork}/messages/async`, { body: { parts: [text("open")] } });
  const response = await fetch(`${source.url}/v1/sessions/${fork}/export`, {
    headers: { authorization: `Bearer ${source.org.apiKey}` },
  });
  const imported: TestReply = await bringIn(Buffer.from(await response.arrayBuffer()));
  expect(imported.status).toBe(201);
  const path = `/v1/sessions/${String(imported.json["id"])}`;
  const told = (await target.call("GET", `${path}/messages`)).json.data as { copied_from: string }[];
  expect(told.map((message) => message.copied_from)).toEqual([first?.id]);
  const paths = (await target.call("GET", `${path}/files`)).json["entries"] as { path: string }[];
  expect(paths.map((entry) => entry.path)).toEqual(["/a.txt"]);
  await source.call("POST", `/v1/sessions/${fork}/complete?cancel=1`);
});
