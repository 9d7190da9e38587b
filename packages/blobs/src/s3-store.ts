// Objects in one S3 bucket, of AWS or of any compatible server. Independent of their contents.

import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { Redacted } from "@dari/domain";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  BlobNotFoundError,
  BlobTooLargeError,
  type BlobBody,
  type BlobInfo,
  type BlobRange,
  type BlobStore,
  type PutOptions,
  type PutResult,
} from "./blob-store.ts";
import { assertKey, assertPrefix, assertRange } from "./check-key.ts";
import { isBytes, measureBody } from "./measure-body.ts";
import { httpStatus, isBrokenConnection } from "./s3-errors.ts";
import { s3RetryStrategy } from "./s3-retry.ts";
import { signS3Urls } from "./s3-signed-urls.ts";

export interface S3BlobStoreOptions {
  /** The URL of a server other than AWS. */
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** Added to the front of every key, with a slash between. */
  readonly prefix?: string;
  /** Without these two, the SDK's own chain (instance role, profile, …) is used. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: Redacted;
  /** `host/bucket/key` instead of `bucket.host/key`. Default: true if there is an endpoint. */
  readonly forcePathStyle?: boolean;
  /** `when_required` for servers that refuse the checksums that the SDK adds by default. Default: `when_supported`. */
  readonly requestChecksums?: "when_supported" | "when_required";
  /**
   * The address of the server for clients, if they may reach it. URLs are signed for it; only its scheme, host and port
   * are used.
   */
  readonly publicUrl?: string;
}

const MiB = 1024 * 1024;
/** With S3's limit of 10,000 parts, this allows objects of 80 GB. */
const partBytes = 8 * MiB;
const partsAtOnce = 4;
const deletesPerCall = 1000;
const readsMax = 4;

/** Creates a store in an S3 bucket. */
export function createS3BlobStore(options: S3BlobStoreOptions): BlobStore {
  const prefix = options.prefix === undefined || options.prefix === "" ? "" : `${options.prefix.replace(/\/+$/, "")}/`;
  assertPrefix(prefix);
  const place: Place = { client: new S3Client(clientConfig(options)), Bucket: options.bucket, prefix };
  const { bucket, publicUrl, forcePathStyle: pathStyle = true } = options;
  const nameHere = (key: string): string => nameOf(place, key);
  return {
    put: (key, body, putOptions) => put(place, key, body, putOptions),
    get: (key, range) => get(place, key, range),
    read: (key, range) => read(place, key, range),
    head: (key) => head(place, key),
    list: (keyPrefix, after) => list(place, keyPrefix, after),
    delete: (keys) => deleteKeys(place, keys),
    check: () => checkBucket(place.client, options),
    ...(publicUrl === undefined
      ? {}
      : { signedUrls: signS3Urls({ client: place.client, bucket, publicUrl, pathStyle, nameOf: nameHere }) }),
    close: async () => place.client.destroy(),
  };
}

/** Everything that a call needs besides its own arguments. */
interface Place {
  readonly client: S3Client;
  readonly Bucket: string;
  readonly prefix: string;
}

function nameOf(place: Place, key: string): string {
  assertKey(key);
  return place.prefix + key;
}

async function put(place: Place, key: string, body: BlobBody, { maxBytes }: PutOptions = {}): Promise<PutResult> {
  const { client, Bucket } = place;
  const Key = nameOf(place, key);
  if (isBytes(body) && body.byteLength <= partBytes) {
    if (maxBytes !== undefined && body.byteLength > maxBytes) throw new BlobTooLargeError(key, maxBytes);
    await client.send(new PutObjectCommand({ Bucket, Key, Body: body }));
    return { sizeBytes: body.byteLength, sha256: createHash("sha256").update(body).digest("hex") };
  }
  const measured = measureBody(key, body, maxBytes);
  const upload = new Upload({
    client,
    params: { Bucket, Key, Body: Readable.from(cutInto(measured.stream, partBytes), { objectMode: false }) },
    partSize: partBytes,
    queueSize: partsAtOnce,
  });
  await upload.done();
  return measured.result();
}

async function get(place: Place, key: string, range?: BlobRange): Promise<Readable> {
  const { client, Bucket } = place;
  assertRange(range);
  const Range = range === undefined ? undefined : `bytes=${range.start}-${range.end ?? ""}`;
  try {
    const found = await client.send(new GetObjectCommand({ Bucket, Key: nameOf(place, key), Range }));
    return found.Body as Readable;
  } catch (error) {
    if (httpStatus(error) === 404) throw new BlobNotFoundError(key, { cause: error });
    if (httpStatus(error) === 416) return Readable.from([]);
    throw error;
  }
}

async function read(place: Place, key: string, range?: BlobRange): Promise<Buffer> {
  for (let round = 1; ; round++) {
    const body = await get(place, key, range);
    try {
      return await buffer(body);
    } catch (error) {
      // The SDK retries until the headers arrive; a body that breaks off is retried here.
      if (round === readsMax || !isBrokenConnection(error)) throw error;
    }
  }
}

async function head(place: Place, key: string): Promise<{ sizeBytes: number } | undefined> {
  const { client, Bucket } = place;
  try {
    const found = await client.send(new HeadObjectCommand({ Bucket, Key: nameOf(place, key) }));
    return { sizeBytes: found.ContentLength ?? 0 };
  } catch (error) {
    if (httpStatus(error) === 404) return undefined;
    throw error;
  }
}

async function* list(place: Place, keyPrefix: string, after?: string): AsyncGenerator<BlobInfo> {
  const { client, Bucket, prefix } = place;
  assertPrefix(keyPrefix);
  const scope = {
    Bucket,
    Prefix: prefix + keyPrefix,
    StartAfter: after === undefined ? undefined : nameOf(place, after),
  };
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ ...scope, ContinuationToken }));
    for (const { Key, Size, LastModified } of page.Contents ?? []) {
      if (Key === undefined || Key.endsWith("/")) continue;
      yield { key: Key.slice(prefix.length), sizeBytes: Size ?? 0, modifiedAt: LastModified ?? new Date(0) };
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken !== undefined);
}

async function deleteKeys(place: Place, keys: readonly string[]): Promise<void> {
  const { client, Bucket } = place;
  const names = keys.map((key) => ({ Key: nameOf(place, key) }));
  for (let i = 0; i < names.length; i += deletesPerCall) {
    const Delete = { Objects: names.slice(i, i + deletesPerCall), Quiet: true };
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete }));
    const failed = Errors.find((error) => error.Code !== "NoSuchKey");
    if (failed !== undefined) throw new Error(`could not delete ${failed.Key}: ${failed.Code} ${failed.Message}`);
  }
}

function clientConfig(options: S3BlobStoreOptions): S3ClientConfig {
  const mode = options.requestChecksums === "when_required" ? "WHEN_REQUIRED" : "WHEN_SUPPORTED";
  const { endpoint, accessKeyId, secretAccessKey } = options;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new TypeError("set both accessKeyId and secretAccessKey, or neither");
  }
  return {
    region: options.region,
    forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
    requestChecksumCalculation: mode,
    responseChecksumValidation: mode,
    retryStrategy: s3RetryStrategy,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey: secretAccessKey.reveal() } }),
  };
}

// Upload gathers pieces into parts, and would copy a piece much larger than a part many times.
async function* cutInto(pieces: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += sizeBytes) yield piece.subarray(at, at + sizeBytes);
  }
}

async function checkBucket(client: S3Client, { bucket, endpoint }: S3BlobStoreOptions): Promise<void> {
  const where = `bucket ${bucket}${endpoint === undefined ? "" : ` at ${endpoint}`}`;
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
    return;
  } catch (cause) {
    const status = httpStatus(cause);
    if (status === 403) throw new Error(`${where} refuses these credentials: check the key and its rights`, { cause });
    if (status !== 404) throw new Error(`${where} cannot be reached: check the endpoint and the region`, { cause });
  }
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (cause) {
    if ((cause as Error).name === "BucketAlreadyOwnedByYou") return;
    throw new Error(`${where} does not exist and could not be created: create it`, { cause });
  }
}
