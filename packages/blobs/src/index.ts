// Immutable objects by key. The only package that knows S3 or the layout on a disk.

export {
  BlobNotFoundError,
  BlobTooLargeError,
  type BlobBody,
  type BlobRange,
  type BlobStore,
  type PutResult,
  type SignedUrls,
} from "./blob-store.ts";
export { createFilesystemBlobStore } from "./filesystem.ts";
export { createS3BlobStore, type S3BlobStoreOptions } from "./s3.ts";
