// What a store of immutable objects promises. Knows no store; what a key means is its caller's business.

import type { Readable } from "node:stream";

export type BlobBody = Uint8Array | AsyncIterable<Uint8Array>;

/** Bytes `start` to `end`, both included; without `end`, to the last. Bytes past the object are simply not there. */
export interface BlobRange {
  readonly start: number;
  readonly end?: number;
}

export interface PutOptions {
  /** The most bytes that the body may have. */
  readonly maxBytes?: number;
}

export interface PutResult {
  readonly sizeBytes: number;
  /** Lower-case hex, of the bytes as stored. */
  readonly sha256: string;
}

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** How long a signed URL is good for: the same terms give the same URL. */
export interface SigningTerms {
  readonly expiresAt: Date;
  /** From its first moment to its last: 1 to 604,800. */
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
  /** For GET, also of a part. Says nothing of whether the object is there. */
  forDownload(key: string, terms: DownloadTerms): Promise<string>;
  /**
   * Returns a URL for a PUT of exactly these bytes, if the server enforces what was signed. It works until it
   * expires, more than once. The caller checks what was uploaded.
   */
  forUpload(key: string, terms: UploadTerms): Promise<SignedUpload>;
}

/**
 * Keys are `[A-Za-z0-9._/-]`, at most 900 bytes, segments of 1 to 200 bytes and never `.` or `..`; another key is a
 * TypeError. A key is never both an object and the folder of another: a disk cannot hold that.
 */
export interface BlobStore {
  /**
   * Streams to storage. The object is visible only when it is complete; a body that throws leaves nothing.
   * Equal keys are overwritten (keys name immutable content).
   * @throws BlobTooLargeError when the body is longer than `maxBytes`; nothing is left.
   */
  put(key: string, body: BlobBody, options?: PutOptions): Promise<PutResult>;
  /**
   * Streams an object. The caller reads it to the end or destroys it.
   * @throws BlobNotFoundError
   */
  get(key: string, range?: BlobRange): Promise<Readable>;
  /**
   * As `get`, whole in memory, and tried again when the connection breaks.
   * @throws BlobNotFoundError
   */
  read(key: string, range?: BlobRange): Promise<Buffer>;
  /** Where an object is, or would be, as a file of this machine: for reading only. Undefined where it is none. */
  fileOf?(key: string): string;
  head(key: string): Promise<{ sizeBytes: number } | undefined>;
  /** Every object whose key starts with `prefix`, in byte order of the keys, from the first key after `after`. */
  list(prefix: string, after?: string): AsyncIterable<BlobInfo>;
  /** Deletes any number of objects. Missing ones are fine. */
  delete(keys: readonly string[]): Promise<void>;
  /** Makes the place ready (folder, bucket), or throws with what to do when it cannot be used. */
  check(): Promise<void>;
  /** Undefined where clients cannot reach the store by themselves. */
  readonly signedUrls?: SignedUrls | undefined;
  /** Lets go of connections. The store is not used after. */
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
