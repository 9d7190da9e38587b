// The S3 server that tests may use, from the environment. The only file of this package that reads it.

import { Redacted } from "@dari/domain";
import type { S3BlobStoreOptions } from "../src/s3-store.ts";

/** DARI_TEST_S3_ENDPOINT with _BUCKET, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY, or undefined if there is no server. */
export function testS3(): (S3BlobStoreOptions & { endpoint: string }) | undefined {
  const { env } = process;
  if (env.DARI_TEST_S3_ENDPOINT === undefined || env.DARI_TEST_S3_ENDPOINT === "") return undefined;
  const need = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === "") throw new Error(`DARI_TEST_S3_ENDPOINT is set, so ${name} must be too`);
    return value;
  };
  return {
    endpoint: env.DARI_TEST_S3_ENDPOINT,
    region: "us-east-1",
    bucket: need("DARI_TEST_S3_BUCKET"),
    accessKeyId: need("DARI_TEST_S3_ACCESS_KEY_ID"),
    secretAccessKey: new Redacted(need("DARI_TEST_S3_SECRET_ACCESS_KEY")),
  };
}
