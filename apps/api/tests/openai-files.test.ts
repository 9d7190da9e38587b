// OpenAI's Files API: the same uploaded files in its form.

import { routes, validate } from "@dari/contract";
import { createTestAgent } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

const maxBytes = 100_000;
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ settings: { fileBytes: maxBytes } });
});
afterAll(async () => api[Symbol.asyncDispose]());

const path = "/openai/v1/files";

type Field = readonly [name: string, value: string | Blob];
const file = (text = "a,b", type = "text/csv"): Field => ["file", new Blob([text], { type })];
const purpose = (value = "user_data"): Field => ["purpose", value];

function post(fields: readonly Field[], headers: Record<string, string> = {}): Promise<TestReply> {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, value, "table.csv");
  }
  return api.call("POST", path, { body: form, headers });
}

test.each<[string, readonly Field[]]>([
  ["before", [purpose(), file()]],
  ["after", [file(), purpose("vision")]],
])("a file is uploaded with its purpose %s it, read, and deleted", async (_when, fields) => {
  const { status, json } = await post(fields);
  expect([status, validate(routes.createOpenAiFile.reply, json)]).toEqual([200, []]);
  const id = String(json["id"]);
  expect(json).toEqual({
    id,
    object: "file",
    bytes: 3,
    created_at: expect.any(Number),
    filename: "table.csv",
    purpose: "user_data",
    status: "processed",
  });
  expect((await api.call("GET", `${path}/${id}`)).json).toEqual(json);
  const content = await api.call("GET", `${path}/${id}/content`);
  expect([content.text, content.headers.get("content-type")]).toEqual(["a,b", "text/csv"]);
  expect((await api.call("GET", `/v1/files/${id}`)).json).toMatchObject({ id, content_type: "text/csv" });
  for (const rest of ["", "/content"]) {
    expect((await api.call("GET", `${path}/${id}${rest}`, { key: api.stranger.apiKey })).status).toBe(404);
  }
  const deleted = await api.call("DELETE", `${path}/${id}`);
  expect(deleted.json).toEqual({ id, object: "file", deleted: true });
  const gone = await api.call("GET", `${path}/${id}`);
  expect([gone.status, gone.json["error"]]).toMatchObject([404, { type: "invalid_request_error" }]);
});

test("a repeated upload with a key finds the first file, and leaves no object of its own", async () => {
  const headers = { "idempotency-key": "upload-1" };
  const first = await post([file("once"), purpose()], headers);
  const before = (await api.objects()).sort();
  const again = await post([purpose("assistants"), file("once")], headers);
  expect([again.status, again.json]).toEqual([200, first.json]);
  expect((await api.objects()).sort()).toEqual(before);
  const other = await post([file("other"), purpose()], headers);
  expect([other.status, other.headers.get("x-should-retry")]).toEqual([409, "false"]);
});

test("a file is the input of a response", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const { json } = await post([file(), purpose()]);
  const content = [
    { type: "input_text", text: "read" },
    { type: "input_file", file_id: json["id"] },
  ];
  const body = { model: agentId, input: [{ role: "user", content }], background: true };
  const response = await api.call("POST", "/openai/v1/responses", { body });
  const message = await api.call("GET", `/v1/messages/${String(response.json["id"]).replace("resp", "msg")}`);
  expect(message.json["parts"]).toMatchObject([{}, { file_id: json["id"], path: "/input/table.csv" }]);
});

test.each<[string, readonly Field[], string, RegExp]>([
  ["no purpose", [file()], "purpose", /required/],
  ["a purpose that is no input", [file(), purpose("batch")], "purpose", /'user_data', 'assistants' or 'vision'/],
  ["two purposes", [purpose(), file(), purpose()], "purpose", /'user_data'/],
  ["an expiry", [file(), purpose(), ["expires_after[anchor]", "created_at"]], "expires_after", /./],
  ["an unknown field", [file(), purpose(), ["surprise", "1"]], "surprise", /./],
  ["a field of an object's prototype", [file(), purpose(), ["__proto__[a]", "1"]], "__proto__", /./],
  ["no file", [purpose()], "file", /one file named 'file'/],
  ["a text as the file", [["file", "text"], purpose()], "file", /one file named 'file'/],
  ["two files", [file(), file(), purpose()], "file", /one file named 'file'/],
  ["a file of another name", [["image", new Blob(["x"])], purpose()], "file", /one file named 'file'/],
  ["a list of any length", [file(), ["purpose[4294967294]", "user_data"]], "file", /one file named 'file'/],
  ["deep names", [file(), ["purpose[a][b][c]", "user_data"]], "file", /one file named 'file'/],
  ["a long field", [file(), purpose("x".repeat(1_025))], "file", /1024 bytes/],
  ["many fields", [file(), ...Array.from({ length: 17 }, () => purpose())], "file", /at most 16 fields/],
])("%s is refused by name, and leaves no object", async (_what, fields, field, message) => {
  const before = (await api.objects()).sort();
  const { status, json } = await post(fields);
  expect([status, json["errors"]]).toEqual([400, [{ path: field, message: expect.stringMatching(message) }]]);
  expect(json["error"]).toMatchObject({ type: "invalid_request_error", code: "invalid" });
  expect((await api.objects()).sort()).toEqual(before);
});

test("more bytes than the limits are refused", async () => {
  const before = (await api.objects()).sort();
  const large = await post([purpose(), file("x".repeat(maxBytes + 1))]);
  expect([large.status, large.json["error"]]).toMatchObject([413, { code: "too_large" }]);
  expect((await api.objects()).sort()).toEqual(before);
  await using limited = await startTestApi({ rates: { upload_bytes: 2_000 } });
  const form = new FormData();
  form.append("purpose", "user_data");
  form.append("file", new Blob(["x".repeat(3_000)]), "a");
  const refused = await limited.call("POST", path, { body: form });
  expect([refused.status, refused.json["error"]]).toMatchObject([429, { code: "limit_exceeded" }]);
});

test("files are listed newest first, page by page, to their organization", async () => {
  const ids: unknown[] = [];
  for (const text of ["1", "2", "3"]) ids.unshift((await post([file(text), purpose()])).json["id"]);
  const first = await api.call("GET", `${path}?limit=2&order=desc&purpose=user_data`);
  expect(validate(routes.listOpenAiFiles.reply, first.json)).toEqual([]);
  const shown = { first_id: ids[0], last_id: ids[1], has_more: true };
  expect(first.json).toMatchObject({ object: "list", data: [{ id: ids[0] }, { id: ids[1] }], ...shown });
  const next = await api.call("GET", `${path}?limit=1&after=${String(ids[1])}`);
  expect(next.json).toMatchObject({ data: [{ id: ids[2] }], first_id: ids[2] });
  // Clients that delete while they list continue after a file that is gone.
  expect((await api.call("DELETE", `${path}/${String(ids[1])}`)).status).toBe(200);
  const rest = await api.call("GET", `${path}?limit=1&after=${String(ids[1])}&purpose=assistants`);
  expect(rest.json).toMatchObject({ data: [{ id: ids[2] }] });
  const whole = await api.call("GET", `${path}?limit=10000`);
  expect([whole.status, whole.json["has_more"]]).toEqual([200, false]);
  const strange = await api.call("GET", path, { key: api.stranger.apiKey });
  expect(strange.json).toEqual({ object: "list", data: [], first_id: null, last_id: null, has_more: false });
  for (const [query, field] of [
    ["order=asc", "order"],
    ["purpose=batch", "purpose"],
    ["limit=0", "limit"],
    ["limit=10001", "limit"],
    ["after=file_none", "after"],
  ]) {
    const refused = await api.call("GET", `${path}?${query}`);
    expect([query, refused.status, refused.json["errors"]]).toMatchObject([query, 400, [{ path: field }]]);
  }
});
