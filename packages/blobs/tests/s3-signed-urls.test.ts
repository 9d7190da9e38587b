// Signed URLs on a real server: each gives access to one object, for a limited time, and to nothing else.

import { afterAll, expect, test } from "@jest/globals";
import { describeWith } from "@dari/testkit";
import { Redacted } from "@dari/domain";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { SignedUrls } from "../src/index.ts";
import { createS3BlobStore } from "../src/s3-store.ts";

const seconds = 60;
const later = (): Date => new Date(Date.now() + 30_000);

test("a store that clients cannot reach signs nothing", async () => {
  const store = createS3BlobStore({ region: "us-east-1", bucket: "b", endpoint: "http://127.0.0.1:1" });
  expect(store.signedUrls).toBeUndefined();
  await store.close();
});

test("a bucket's own host name, where the server is asked so", async () => {
  const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: new Redacted("x") };
  const publicUrl = "https://objects.example.org";
  const store = createS3BlobStore({ region: "r-1", bucket: "b", publicUrl, forcePathStyle: false, ...keys });
  const terms = { seconds, expiresAt: new Date("2030-01-01T00:01:00Z"), sizeBytes: 1, sha256: "00".repeat(32) };
  const first = await store.signedUrls?.forUpload("org/a", terms);
  const url = new URL(first?.url ?? "");
  expect([url.origin, url.pathname]).toEqual(["https://b.objects.example.org", "/org/a"]);
  expect(url.searchParams.get("X-Amz-Date")).toBe("20300101T000000Z");
  expect(url.searchParams.get("X-Amz-Expires")).toBe("60");
  expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("content-length;host;x-amz-checksum-sha256");
  expect(await store.signedUrls?.forUpload("org/a", terms)).toEqual(first);
  await store.close();
});

describeWith("s3", "signed URLs", (s3) => {
  const prefix = `signed-${randomUUID()}`;
  const secretAccessKey = new Redacted(s3.secretAccessKey);
  const store = createS3BlobStore({ ...s3, secretAccessKey, prefix, publicUrl: s3.endpoint });
  const signed = store.signedUrls as SignedUrls;
  const body = randomBytes(300_000);
  const sha256 = createHash("sha256").update(body).digest("hex");
  const upload = { seconds, sizeBytes: body.length, sha256 };
  const download = { seconds, contentType: "text/plain", contentDisposition: 'attachment; filename="a (1).txt"' };

  afterAll(async () => {
    for await (const { key } of store.list("")) await store.delete([key]);
    await store.close();
  });

  async function put(url: string, sent: Uint8Array, headers: Readonly<Record<string, string>>): Promise<number> {
    const response = await fetch(url, { method: "PUT", body: new Uint8Array(sent), headers });
    await response.arrayBuffer();
    return response.status;
  }

  test("accept exactly the bytes that were announced", async () => {
    await store.check();
    const { url, headers } = await signed.forUpload("org/a", { ...upload, expiresAt: later() });
    const altered = Buffer.from(body);
    altered[0] = (altered[0] ?? 0) ^ 1;
    expect(await put(url, altered, headers)).toBeGreaterThanOrEqual(400);
    expect(await put(url, body.subarray(1), headers)).toBeGreaterThanOrEqual(400);
    expect(await put(url, body, {})).toBeGreaterThanOrEqual(400);
    const other = createHash("sha256").update(altered).digest("base64");
    expect(await put(url, altered, { "x-amz-checksum-sha256": other })).toBeGreaterThanOrEqual(400);
    expect(await put(url.replace("org/a", "org/b"), body, headers)).toBe(403);
    expect(await store.head("org/a")).toBeUndefined();
    expect(await put(url, body, { ...headers, "content-type": "application/gzip" })).toBe(200);
    expect((await store.read("org/a")).equals(body)).toBe(true);
  });

  test("return the object under its name, also a part of it", async () => {
    await store.put("org/c", body);
    const url = await signed.forDownload("org/c", { ...download, expiresAt: later() });
    const whole = await fetch(url);
    expect(Buffer.from(await whole.arrayBuffer()).equals(body)).toBe(true);
    expect(whole.headers.get("content-disposition")).toBe(download.contentDisposition);
    expect(whole.headers.get("content-type")).toBe("text/plain");
    const part = await fetch(url, { headers: { range: "bytes=10-19" } });
    expect(Buffer.from(await part.arrayBuffer()).equals(body.subarray(10, 20))).toBe(true);
    expect((await fetch(url.replace("org/c", "org/a"))).status).toBe(403);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(403);
  });

  test("are of no use once they have expired", async () => {
    const expiresAt = new Date(Date.now() - 1_000);
    const { url, headers } = await signed.forUpload("org/d", { ...upload, expiresAt });
    expect(await put(url, body, headers)).toBe(403);
    expect((await fetch(await signed.forDownload("org/c", { ...download, expiresAt }))).status).toBe(403);
  });
});
