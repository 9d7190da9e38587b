// The object store of a test that runs on any: a folder, or with DARI_TEST_STORE=s3 the S3 server of the run.

import { randomUUID } from "node:crypto";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import { createS3BlobStore } from "@dari/blobs/s3";
import { Redacted } from "@dari/domain";
import { installAdvice, requireService, testStoreKind, type Services } from "./services.ts";

/** Opens an empty store. `root` is the folder of a folder store. The caller closes the store. */
export function openTestStore(root: string): BlobStore {
  if (testStoreKind() === "s3") return openTestS3Store(requireService("s3"));
  return createFilesystemBlobStore({ root, durable: false });
}

/** Creates the bucket, once for all tests of a run. Throws with what is missing. */
export async function prepareTestStore(s3: Services["s3"] | undefined): Promise<void> {
  if (s3 === undefined) throw new Error(`DARI_TEST_STORE=s3 needs a server: ${installAdvice.s3}`);
  const store = openTestS3Store(s3);
  await store.check();
  await store.close();
}

/** Uses a separate part of the bucket. `publicUrl`: clients can reach it. */
export function openTestS3Store(s3: Services["s3"], options: { readonly publicUrl?: string } = {}): BlobStore {
  const secretAccessKey = new Redacted(s3.secretAccessKey);
  return createS3BlobStore({ ...s3, secretAccessKey, prefix: `test-${randomUUID()}`, ...options });
}
