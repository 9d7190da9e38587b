// Immutable objects by key. The only package that knows S3 or the layout on a disk. `@dari/blobs/s3` is a module of its
// own, because the AWS SDK takes 19 MB of memory.

export {
  BlobNotFoundError,
  BlobTooLargeError,
  type BlobBody,
  type BlobRange,
  type BlobStore,
  type PutResult,
  type SignedUrls,
} from "./blob-store.ts";
export { createFilesystemBlobStore } from "./filesystem-store.ts";
