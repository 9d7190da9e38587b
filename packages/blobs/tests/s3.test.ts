// The S3 store passes the common tests on a real server, also when the connection to it breaks.

import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "@jest/globals";
import { Redacted } from "@dari/domain";
import { randomBytes, randomUUID } from "node:crypto";
import { createS3BlobStore } from "../src/s3-store.ts";
import { describeBlobStore } from "./conformance.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";
import { testS3 } from "./s3-env.ts";

const s3 = testS3();
const MiB = 1024 * 1024;

test("credentials are given together, and prefixes are keys", () => {
  expect(() => createS3BlobStore({ region: "x", bucket: "b", accessKeyId: "a" })).toThrow(TypeError);
  expect(() => createS3BlobStore({ region: "x", bucket: "b", prefix: "../up" })).toThrow(TypeError);
});

test("check says that a server cannot be reached", async () => {
  const nobody = { accessKeyId: "a", secretAccessKey: new Redacted("b") };
  const store = createS3BlobStore({ endpoint: "http://127.0.0.1:1", region: "us-east-1", bucket: "none", ...nobody });
  await expect(store.check()).rejects.toThrow("bucket none at http://127.0.0.1:1 cannot be reached");
  await store.close();
});

if (s3 !== undefined) {
  const prefix = `test-${randomUUID()}`;
  describeBlobStore("s3", async () => createS3BlobStore({ ...s3, prefix: `${prefix}/a` }));
  describeBlobStore("s3, checksums when required", async () =>
    createS3BlobStore({ ...s3, prefix: `${prefix}/b/`, requestChecksums: "when_required" }),
  );

  describe("s3 server", () => {
    const { region, endpoint, accessKeyId = "", secretAccessKey = new Redacted("") } = s3;
    const credentials = { accessKeyId, secretAccessKey: secretAccessKey.reveal() };
    const raw = new S3Client({ region, endpoint, forcePathStyle: true, credentials });
    afterAll(() => raw.destroy());

    test("an upload that breaks leaves no parts behind", async () => {
      const store = createS3BlobStore({ ...s3, prefix: `${prefix}/c` });
      async function* body(): AsyncGenerator<Uint8Array> {
        for (let i = 0; i < 30; i++) yield randomBytes(MiB);
        throw new Error("gone");
      }
      await expect(store.put("parts", body())).rejects.toThrow("gone");
      const { Uploads = [] } = await raw.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket }));
      const left = Uploads.filter(({ Key }) => Key?.startsWith(prefix));
      for (const { Key, UploadId } of left) {
        await raw.send(new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key, UploadId }));
      }
      expect(left).toEqual([]);
      await store.close();
    });

    test("wrong credentials are refused with what to check", async () => {
      const store = createS3BlobStore({ ...s3, secretAccessKey: new Redacted("wrong") });
      await expect(store.check()).rejects.toThrow("check the key and its rights");
      await store.close();
    });

    test("a missing bucket is created", async () => {
      const bucket = `dari-test-${randomUUID()}`;
      const store = createS3BlobStore({ ...s3, bucket });
      await store.check();
      await store.put("a", Buffer.from("x"));
      expect(await store.head("a")).toEqual({ sizeBytes: 1 });
      await store.delete(["a"]);
      await store.close();
      await raw.send(new DeleteBucketCommand({ Bucket: bucket }));
    });

    test("puts and reads survive a server that stops and starts again", async () => {
      await using proxy = await startFaultyProxy(new URL(endpoint));
      const store = createS3BlobStore({ ...s3, endpoint: proxy.url, prefix: `${prefix}/d` });
      const body = randomBytes(20 * MiB);
      await store.put("calm", body);
      proxy.refuseNext(3);
      expect((await store.read("calm")).equals(body)).toBe(true);
      proxy.cutNextAnswerAfter(5 * MiB);
      expect((await store.read("calm")).equals(body)).toBe(true);
      proxy.refuseNext(3);
      await store.put("small", Buffer.from("x"));
      async function* pieces(): AsyncGenerator<Uint8Array> {
        yield body.subarray(0, 12 * MiB);
        proxy.refuseNext(3);
        yield body.subarray(12 * MiB);
      }
      await store.put("stormy", pieces());
      expect((await store.read("stormy")).equals(body)).toBe(true);
      proxy.refuseNext(60);
      await Promise.all(Array.from({ length: 40 }, (_, i) => store.put(`crowd/${i}`, Buffer.from("x"))));
      const crowd = Array.from({ length: 40 }, (_, i) => `crowd/${i}`);
      await store.delete(["calm", "small", "stormy", ...crowd]);
      await store.close();
    });
  });
}
