// The interface of a store of immutable objects. Independent of any store; callers define what a key means.

import type { Readable } from "node:stream";

export type BlobBody = Uint8Array | AsyncIterable<Uint8Array>;

/** Bytes `start` to `end`, both included; without `end`, to the last. Bytes after the object's end are left out. */
export interface BlobRange {
  readonly start: number;
  readonly end?: number;
}

export interface PutOptions {
  /** The largest size of the body. */
  readonly maxBytes?: number;
}

export interface PutResult {
  readonly sizeBytes: number;
  /** Lower-case hex, of the stored bytes. */
  readonly sha256: string;
}

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** How long a signed URL is valid. The same terms give the same URL. */
export interface SigningTerms {
  readonly expiresAt: Date;
  /** The validity in seconds: 1 to 604,800. */
  readonly seconds: number;
}

export interface DownloadTerms extends SigningTerms {
  /** Headers of the reply. */
  readonly contentType: string;
  readonly contentDisposition: string;
}

export interface UploadTerms extends SigningTerms {
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface SignedUpload {
  readonly url: string;
  /** Must be sent with the bytes. */
  readonly headers: Readonly<Record<string, string>>;
}

/** URLs that carry their own authorization for one object. */
export interface SignedUrls {
  /** A URL for GET, also of a range. The object may not exist. */
  forDownload(key: string, terms: DownloadTerms): Promise<string>;
  /**
   * Returns a URL for a PUT of exactly these bytes, if the server enforces the signature. It can be used several times
   * until it expires. The caller checks what was uploaded.
   */
  forUpload(key: string, terms: UploadTerms): Promise<SignedUpload>;
}

/**
 * Keys are `[A-Za-z0-9._/-]`, at most 900 bytes, with segments of 1 to 200 bytes that are never `.` or `..`; any other
 * key is a TypeError. A key is never both an object and the folder of another, because a disk cannot store that.
 */
export interface BlobStore {
  /**
   * Streams to storage. The object becomes visible only when it is complete; if the body throws, nothing remains. An
   * existing object is overwritten (keys name immutable content).
   * @throws BlobTooLargeError when the body is longer than `maxBytes`; nothing remains.
   */
  put(key: string, body: BlobBody, options?: PutOptions): Promise<PutResult>;
  /**
   * Streams an object. The caller reads it to the end or destroys it.
   * @throws BlobNotFoundError
   */
  get(key: string, range?: BlobRange): Promise<Readable>;
  /**
   * Like `get`, but reads all of it into memory, and retries when the connection breaks.
   * @throws BlobNotFoundError
   */
  read(key: string, range?: BlobRange): Promise<Buffer>;
  /**
   * The path of an object as a file of this machine, whether or not it exists; for reading only. Undefined for stores
   * without files.
   */
  fileOf?(key: string): string;
  head(key: string): Promise<{ sizeBytes: number } | undefined>;
  /** Every object whose key starts with `prefix`, in byte order of the keys, from the first key after `after`. */
  list(prefix: string, after?: string): AsyncIterable<BlobInfo>;
  /** Deletes any number of objects. Missing ones are ignored. */
  delete(keys: readonly string[]): Promise<void>;
  /** Creates the folder or bucket if necessary. Throws with a remedy if it cannot be used. */
  check(): Promise<void>;
  /** Undefined if clients cannot reach the store directly. */
  readonly signedUrls?: SignedUrls | undefined;
  /** Closes the connections. The store must not be used afterwards. */
  close(): Promise<void>;
}

export class BlobNotFoundError extends Error {
  override readonly name = "BlobNotFoundError";
  readonly key: string;

  constructor(key: string, options?: ErrorOptions) {
    super(`there is no object ${key}`, options);
    this.key = key;
  }
}

export class BlobTooLargeError extends Error {
  override readonly name = "BlobTooLargeError";
  readonly key: string;
  readonly maxBytes: number;

  constructor(key: string, maxBytes: number) {
    super(`object ${key} is larger than ${maxBytes} bytes`);
    this.key = key;
    this.maxBytes = maxBytes;
  }
}
