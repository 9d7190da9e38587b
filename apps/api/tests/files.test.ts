// Uploaded files: streamed in, listed, read in ranges, deleted; refused ones leave nothing behind.

import { createHash } from "node:crypto";
import { connect } from "node:net";
import { routes, validate } from "@dari/contract";
import { testStoreKind, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

const maxBytes = 100_000;
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ settings: { fileBytes: maxBytes } });
});
afterAll(async () => api[Symbol.asyncDispose]());

function upload(filename: string, bytes: Buffer | string, type = "text/plain", field = "file"): Promise<TestReply> {
  const form = new FormData();
  form.append(field, new Blob([new Uint8Array(Buffer.from(bytes))], { type }), filename);
  return api.call("POST", "/v1/files", { body: form });
}

async function objects(): Promise<string[]> {
  return (await api.objects()).sort();
}

test("a file is uploaded and downloaded unchanged", async () => {
  const bytes = Buffer.from("the printer is on fire\n");
  const created = await upload("ticket.txt", bytes);
  expect(created.status).toBe(201);
  expect(validate(routes.uploadFile.reply, created.json)).toEqual([]);
  expect(created.json).toMatchObject({
    filename: "ticket.txt",
    size_bytes: bytes.length,
    content_type: "text/plain",
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  const id = String(created.json["id"]);
  expect((await api.call("GET", `/v1/files/${id}`)).json).toEqual(created.json);
  const content = await api.call("GET", `/v1/files/${id}/content`);
  expect([content.status, content.text]).toEqual([200, bytes.toString()]);
  expect(content.headers.get("content-type")).toBe("text/plain");
  expect(content.headers.get("x-content-type-options")).toBe("nosniff");
  expect(content.headers.get("content-disposition")).toBe(
    `attachment; filename="ticket.txt"; filename*=UTF-8''ticket.txt`,
  );
  expect(content.headers.get("etag")).toBe(`"${String(created.json["sha256"])}"`);
});

test.each([
  ["Ünïcodé – 文件 😀.txt", "Ünïcodé – 文件 😀.txt"],
  ["../../etc/passwd", "passwd"],
  ["C:\\Users\\me\\report.doc", "report.doc"],
  ["..", "file"],
  ['quo"te; x.txt', 'quo"te; x.txt'],
])("the name %j is kept as %j", async (sent, kept) => {
  const created = await upload(sent, "x");
  expect([created.status, created.json["filename"]]).toEqual([201, kept]);
  const content = await api.call("GET", `/v1/files/${String(created.json["id"])}/content`);
  const encoded = /filename\*=UTF-8''(\S+)$/.exec(content.headers.get("content-disposition") ?? "")?.[1];
  expect(decodeURIComponent(encoded ?? "")).toBe(kept);
});

test("ranges, ETags and HEAD", async () => {
  const id = String((await upload("digits", "0123456789")).json["id"]);
  const get = (headers: Record<string, string>) => api.call("GET", `/v1/files/${id}/content`, { headers });
  for (const [range, text, contentRange] of [
    ["bytes=2-4", "234", "bytes 2-4/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
  ] as const) {
    const reply = await get({ range });
    expect([reply.status, reply.text, reply.headers.get("content-range")]).toEqual([206, text, contentRange]);
  }
  const beyond = await get({ range: "bytes=10-" });
  expect([beyond.status, beyond.headers.get("content-range"), beyond.json.code]).toEqual([
    416,
    "bytes */10",
    "invalid",
  ]);
  expect((await get({ range: "bytes=0-1,4-5" })).status).toBe(200);
  const etag = (await get({})).headers.get("etag") ?? "";
  expect((await get({ "if-none-match": etag })).status).toBe(304);
  expect((await get({ range: "bytes=0-0", "if-range": '"other"' })).status).toBe(200);
  const head = await api.call("HEAD", `/v1/files/${id}/content`);
  expect([head.status, head.headers.get("content-length"), head.text]).toEqual([200, "10", ""]);
});

test("an empty file is a file", async () => {
  const created = await upload("empty", "");
  expect([created.status, created.json["size_bytes"]]).toEqual([201, 0]);
  const content = await api.call("GET", `/v1/files/${String(created.json["id"])}/content`);
  expect([content.status, content.text]).toEqual([200, ""]);
});

test("an invalid content type is not sent back", async () => {
  const body = multipart("x.bin", "bytes", "text/html; <script>\tx");
  const created = await api.call("POST", "/v1/files", { body, headers: multipartHeaders });
  expect(created.json["content_type"]).not.toContain("<");
});

test("more bytes than the limit are refused, announced or not, and leave nothing", async () => {
  const before = await objects();
  for (const size of [maxBytes + 1, maxBytes + 500_000]) {
    const reply = await upload("big", Buffer.alloc(size));
    expect([reply.status, reply.json.code]).toEqual([413, "too_large"]);
  }
  expect(await objects()).toEqual(before);
  expect((await upload("just right", Buffer.alloc(maxBytes))).status).toBe(201);
});

test("exactly one part named file is accepted; anything else is refused and leaves nothing", async () => {
  const before = await objects();
  const two = new FormData();
  two.append("file", new Blob(["a"]), "a");
  two.append("file", new Blob(["b"]), "b");
  const mixed = new FormData();
  mixed.append("file", new Blob(["a"]), "a");
  mixed.append("note", "text");
  const textOnly = new FormData();
  textOnly.append("file", "not a file");
  const bodies: [unknown, Record<string, string>?][] = [
    [two],
    [mixed],
    [textOnly],
    [new FormData()],
    [{ file: "json" }],
    ["--x\r\nrubbish", { "content-type": "multipart/form-data; boundary=x" }],
    ["rubbish", { "content-type": "multipart/form-data" }],
  ];
  for (const [body, headers] of bodies) {
    const reply = await api.call("POST", "/v1/files", { body, ...(headers === undefined ? {} : { headers }) });
    expect([reply.status, reply.json.code]).toEqual([422, "invalid"]);
    expect(reply.json["errors"]).toEqual([{ path: "file", message: expect.any(String) }]);
  }
  expect((await upload("x", "x", "text/plain", "attachment")).status).toBe(422);
  expect((await upload(`${"n".repeat(300)}.txt`, "x")).status).toBe(422);
  expect(await objects()).toEqual(before);
});

// An S3 server does not list the parts of an unfinished upload.
const testWithDrafts = testStoreKind() === "filesystem" ? test : test.skip;

testWithDrafts("a client that goes away in the middle leaves nothing", async () => {
  const before = await objects();
  const requests = api.log.length;
  const socket = connect(api.api.port, "127.0.0.1");
  const whole = multipart("half.bin", "x".repeat(50_000), "application/octet-stream");
  socket.write(
    `POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.org.apiKey}\r\n` +
      `content-type: ${multipartHeaders["content-type"]}\r\ncontent-length: ${whole.length}\r\n\r\n` +
      whole.slice(0, 30_000),
  );
  await waitUntil(async () => (await objects()).length > before.length, { what: "the upload to begin" });
  socket.destroy();
  await waitUntil(() => api.log.length > requests, { what: "the request to end" });
  await waitUntil(async () => (await objects()).length === before.length, { what: "the half upload to be removed" });
  expect(await objects()).toEqual(before);
});

test("files are listed newest first, and are not found once deleted", async () => {
  const one = String((await upload("one", "1")).json["id"]);
  const two = String((await upload("two", "2")).json["id"]);
  const list = await api.call("GET", "/v1/files?limit=500");
  expect(validate(routes.listFiles.reply, list.json)).toEqual([]);
  const ids = (list.json["files"] as { id: string }[]).map((file) => file.id);
  expect(ids).toEqual(expect.arrayContaining([one, two]));
  expect((await api.call("GET", "/v1/files", { key: api.stranger.apiKey })).json["data"]).toEqual([]);
  expect((await api.call("DELETE", `/v1/files/${one}`)).json).toEqual({ deleted: true, id: one });
  for (const [method, path] of [
    ["GET", ""],
    ["GET", "/content"],
    ["DELETE", ""],
  ] as const) {
    expect((await api.call(method, `/v1/files/${one}${path}`)).status).toBe(404);
  }
  expect((await api.call("GET", `/v1/files?after=${one}`)).status).toBe(200);
});

const boundary = "----dari-test-boundary";
const multipartHeaders = { "content-type": `multipart/form-data; boundary=${boundary}` };

function multipart(filename: string, body: string, type: string): string {
  const head = `content-disposition: form-data; name="file"; filename="${filename}"\r\ncontent-type: ${type}`;
  return `--${boundary}\r\n${head}\r\n\r\n${body}\r\n--${boundary}--\r\n`;
}
