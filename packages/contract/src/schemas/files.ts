// Uploaded files, and the files of a session's workspace.

import Type, { type Static } from "typebox";
import { limits } from "@dari/domain";
import { idOutput, nullable, oneOf, sha256, noOtherFields, timestamp } from "./common.ts";

export const FileRecord = Type.Object(
  {
    id: idOutput("file"),
    filename: Type.String(),
    size_bytes: Type.Integer(),
    content_type: Type.String(),
    sha256: Type.String(),
    created_at: timestamp,
  },
  { title: "File" },
);
export type FileRecord = Static<typeof FileRecord>;

export const FileDownloadUrl = Type.Object(
  {
    url: Type.String({ description: "Absolute URL. Its query authorizes the download. Accepts `Range`." }),
    expires_at: timestamp,
  },
  { title: "FileDownloadUrl" },
);
export type FileDownloadUrl = Static<typeof FileDownloadUrl>;

export const ReserveFileUploadRequest = Type.Object(
  {
    filename: Type.String({ minLength: 1, maxLength: 4096 }),
    content_type: Type.Optional(Type.String({ maxLength: 255 })),
    size_bytes: Type.Integer({ minimum: 0, maximum: limits.fileBytes }),
    sha256,
  },
  { ...noOtherFields, title: "ReserveFileUploadRequest" },
);
export type ReserveFileUploadRequest = Static<typeof ReserveFileUploadRequest>;

export const FileUploadReserved = Type.Object(
  {
    upload_id: Type.String(),
    upload_url: Type.String({ description: "Absolute URL. Its query authorizes the upload. Send the bytes with PUT." }),
    upload_headers: Type.Record(Type.String(), Type.String(), { description: "Headers to send with the bytes." }),
    expires_at: timestamp,
  },
  { title: "FileUploadReserved" },
);
export type FileUploadReserved = Static<typeof FileUploadReserved>;

export const CompleteFileUploadRequest = Type.Object(
  { upload_id: Type.String({ minLength: 1, maxLength: 4096 }) },
  { ...noOtherFields, title: "CompleteFileUploadRequest" },
);
export type CompleteFileUploadRequest = Static<typeof CompleteFileUploadRequest>;

export const DirectoryEntry = Type.Object(
  {
    path: Type.String({ description: "Absolute path; `/` is the workspace." }),
    type: oneOf(["file", "directory", "symlink"]),
    size_bytes: nullable(Type.Integer()),
  },
  { title: "DirectoryEntry" },
);
export type DirectoryEntry = Static<typeof DirectoryEntry>;

export const DirectoryListing = Type.Object(
  { path: Type.String(), entries: Type.Array(DirectoryEntry) },
  { title: "DirectoryListing" },
);
export type DirectoryListing = Static<typeof DirectoryListing>;
