// Uploads and downloads between a client and the object store without the API: reserved before, checked after.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { routes, validate } from "@dari/contract";
import { describeWith } from "@dari/testkit";
import { createHash, randomBytes } from "node:crypto";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { agentBundle } from "./bundle.ts";

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("if clients cannot reach the store, the API says so and accepts the bytes itself", async () => {
  await using api = await startTestApi();
  const body = { filename: "a", size_bytes: 1, sha256: "0".repeat(64) };
  const reply = await api.call("POST", "/v1/files/uploads", { body });
  expect([reply.status, reply.json.code]).toEqual([409, "conflict"]);
  const form = new FormData();
  form.set("file", new Blob(["x"]), "a.txt");
  const { json } = await api.call("POST", "/v1/files", { body: form });
  expect((await api.call("GET", `/v1/files/${String(json["id"])}/download-url`)).status).toBe(409);
});

describeWith("s3", "a store within clients' reach", (s3) => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({ s3, settings: { fileBytes: 1_000_000 } });
  });
  afterAll(async () => {
    await api.control.blobs.delete(await objects());
    await api[Symbol.asyncDispose]();
  });

  const objects = (): Promise<string[]> => api.objects();

  const content = randomBytes(200_000);
  const announced = { filename: "data/report.bin", content_type: "application/x-report" };

  async function reserve(bytes: Uint8Array = content): Promise<TestReply> {
    const body = { ...announced, size_bytes: bytes.length, sha256: sha256Of(bytes) };
    return api.call("POST", "/v1/files/uploads", { body });
  }

  async function put(reserved: TestReply, bytes: Uint8Array = content): Promise<number> {
    const headers = reserved.json["upload_headers"] as Record<string, string>;
    return (await api.call("PUT", String(reserved.json["upload_url"]), { key: null, body: bytes, headers })).status;
  }

  function complete(reserved: TestReply, key?: string): Promise<TestReply> {
    const body = { upload_id: reserved.json["upload_id"] };
    return api.call("POST", "/v1/files/uploads/complete", { body, ...(key === undefined ? {} : { key }) });
  }

  test("a file is reserved, uploaded, checked and downloaded", async () => {
    const reserved = await reserve();
    expect(validate(routes.reserveFileUpload.reply, reserved.json)).toEqual([]);
    expect((await complete(reserved)).status).toBe(409);
    expect(await put(reserved)).toBe(200);
    expect((await complete(reserved, api.stranger.apiKey)).status).toBe(404);
    const both = await Promise.all([complete(reserved), complete(reserved)]);
    expect(both.map(({ status }) => status)).toEqual([201, 201]);
    const [{ json: file }, again] = both;
    expect(file).toMatchObject({ filename: "report.bin", size_bytes: 200_000, sha256: sha256Of(content) });
    expect(again.json).toEqual(file);
    const id = String(file["id"]);
    const link = await api.call("GET", `/v1/files/${id}/download-url?expires_seconds=60`);
    expect(validate(routes.getFileDownloadUrl.reply, link.json)).toEqual([]);
    const got = await fetch(String(link.json["url"]));
    expect(Buffer.from(await got.arrayBuffer()).equals(content)).toBe(true);
    expect(got.headers.get("content-type")).toBe("application/x-report");
    expect(got.headers.get("content-disposition")).toMatch(/^attachment; filename="report\.bin"/);
    const url = `/v1/files/${id}/download-url`;
    expect((await api.call("GET", url, { key: api.stranger.apiKey })).status).toBe(404);
    expect((await api.call("GET", `${url}?expires_seconds=999999`)).status).toBe(422);
    expect((await api.call("DELETE", `/v1/files/${id}`)).status).toBe(200);
    expect((await complete(reserved)).status).toBe(409);
  });

  test("an upload that is repeated after its check changes nothing", async () => {
    const reserved = await reserve();
    await put(reserved);
    const { json } = await complete(reserved);
    const [staged] = await put(reserved).then(async () => (await objects()).filter((key) => key.includes("/uploads/")));
    await api.control.blobs.put(staged ?? "", Buffer.from("something else"));
    expect((await complete(reserved)).json).toEqual(json);
    const { text } = await api.call("GET", `/v1/files/${String(json["id"])}/content`, {
      headers: { range: "bytes=0-3" },
    });
    expect(text).toBe(content.subarray(0, 4).toString());
  });

  test("bytes that differ from the announced ones are not kept as a file", async () => {
    for (const bytes of [Buffer.from(content).reverse(), randomBytes(10), randomBytes(300_000)]) {
      const earlier = new Set(await objects());
      const reserved = await reserve();
      expect(await put(reserved, bytes)).toBeGreaterThanOrEqual(400);
      // The last put is without the header, like on a server that ignores what was signed.
      await put(reserved);
      const before = await objects();
      const staged = before.find((key) => key.includes("/uploads/") && !earlier.has(key));
      await api.control.blobs.put(staged ?? "", bytes);
      expect((await complete(reserved)).json).toMatchObject({ code: "invalid" });
      expect(await objects()).toEqual(before.filter((key) => key !== staged));
    }
  });

  test("tickets are the platform's, sizes are bounded", async () => {
    const reserved = await reserve();
    const [text, signature] = String(reserved.json["upload_id"]).split(".");
    const ticket = JSON.parse(Buffer.from(text ?? "", "base64url").toString()) as Record<string, unknown>;
    const forged = Buffer.from(JSON.stringify({ ...ticket, organizationId: api.stranger.organizationId }));
    const body = { upload_id: `${forged.toString("base64url")}.${signature}` };
    for (const key of [api.org.apiKey, api.stranger.apiKey]) {
      expect((await api.call("POST", "/v1/files/uploads/complete", { body, key })).status).toBe(404);
    }
    const large = { ...announced, size_bytes: 1_000_001, sha256: "0".repeat(64) };
    expect((await api.call("POST", "/v1/files/uploads", { body: large })).json).toMatchObject({
      code: "too_large",
      detail: "the file exceeds the limit of 1000000 bytes",
    });
  });

  test("a bundle is uploaded directly to the store, accepted and checked", async () => {
    const { bytes: bundle } = agentBundle();
    const body = { format: "tar.gz", sha256: sha256Of(bundle), size_bytes: bundle.length };
    const reserved = await api.call("POST", "/v1/source-snapshots", { body });
    expect(new URL(String(reserved.json["upload_url"])).origin).toBe(new URL(s3.endpoint).origin);
    const finalize = `/v1/source-snapshots/${String(reserved.json["source_snapshot_id"])}/finalize`;
    expect(await put(reserved, Buffer.from(bundle).reverse())).toBeGreaterThanOrEqual(400);
    expect(await put(reserved, bundle)).toBe(200);
    expect((await api.call("POST", finalize)).json).toMatchObject({ status: "ready", failure_reason: null });
    expect((await objects()).filter((key) => key.includes("/bundles/"))).toHaveLength(1);
    expect((await objects()).filter((key) => key.includes("/uploads/src_"))).toEqual([]);
    expect((await api.call("POST", finalize)).json).toMatchObject({ status: "ready" });
    const empty = await api.call("POST", "/v1/source-snapshots", { body });
    const { json } = await api.call(
      "POST",
      `/v1/source-snapshots/${String(empty.json["source_snapshot_id"])}/finalize`,
    );
    expect(json).toMatchObject({ status: "failed", failure_reason: "no bundle was uploaded" });
  });
});
