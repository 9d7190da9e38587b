// Immutable objects by key. The only package that knows S3 or how objects lie on a disk.

export {
  BlobNotFoundError,
  BlobTooLargeError,
  type BlobBody,
  type BlobInfo,
  type BlobRange,
  type BlobStore,
  type DownloadTerms,
  type PutOptions,
  type PutResult,
  type SignedUpload,
  type SignedUrls,
  type SigningTerms,
  type UploadTerms,
} from "./blob-store.ts";
export { createFilesystemBlobStore, type FilesystemBlobStoreOptions } from "./filesystem.ts";
export { createS3BlobStore, type S3BlobStoreOptions } from "./s3.ts";
