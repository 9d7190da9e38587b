// Uploaded files, and the files of a session's workspace.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, flagQuery, integerText, listOf, listQuery } from "../schemas/common.ts";
import * as files from "../schemas/files.ts";
import { WorkspaceCommit } from "../schemas/workspaces.ts";

const workspacePath = Type.String({ maxLength: limits.workspacePathBytes, examples: ["/output"] });

/** For both archives. `path` can be repeated. */
const archiveQuery = Type.Object({
  path: Type.Optional(Type.Array(workspacePath, { maxItems: limits.archivePathsMax })),
});

export const fileRoutes = {
  uploadFile: {
    method: "POST",
    path: "/v1/files",
    scope: "run",
    summary: "Upload a file as multipart form data, in one part named `file`.",
    requestContent: "multipart/form-data",
    reply: files.FileRecord,
    status: 201,
    countsAs: "upload",
    idempotent: true,
  },
  listFiles: {
    method: "GET",
    path: "/v1/files",
    scope: "read",
    summary: "List uploaded files, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("files", files.FileRecord),
    status: 200,
  },
  getFile: {
    method: "GET",
    path: "/v1/files/{file_id}",
    scope: "read",
    summary: "Get an uploaded file's record.",
    reply: files.FileRecord,
    status: 200,
  },
  getFileContent: {
    method: "GET",
    path: "/v1/files/{file_id}/content",
    scope: "read",
    summary: "Get an uploaded file's bytes, with the content type of the upload. Accepts `Range`.",
    replyContent: "*/*",
    status: 200,
    alsoStatus: [206],
  },
  getFileDownloadUrl: {
    method: "GET",
    path: "/v1/files/{file_id}/download-url",
    scope: "read",
    summary: "Get a URL that downloads the bytes from the object store. 409 if clients cannot reach the object store.",
    query: Type.Object({
      expires_seconds: Type.Optional(
        integerText(1, limits.downloadUrlSecondsMax, "Lifetime of the URL in seconds (default 300)."),
      ),
    }),
    reply: files.FileDownloadUrl,
    status: 200,
    mayConflict: true,
  },
  reserveFileUpload: {
    method: "POST",
    path: "/v1/files/uploads",
    scope: "run",
    summary: "Get a URL that takes the file's bytes at the object store. 409 if clients cannot reach the object store.",
    request: files.ReserveFileUploadRequest,
    reply: files.FileUploadReserved,
    status: 200,
    countsAs: "reservation",
  },
  completeFileUpload: {
    method: "POST",
    path: "/v1/files/uploads/complete",
    scope: "run",
    summary: "Check the bytes that were uploaded to the object store and create the file. Can be repeated.",
    request: files.CompleteFileUploadRequest,
    reply: files.FileRecord,
    status: 201,
  },
  deleteFile: {
    method: "DELETE",
    path: "/v1/files/{file_id}",
    scope: "run",
    summary: "Delete an uploaded file. Copies in workspaces stay.",
    reply: Deleted,
    status: 200,
  },
  listSessionFiles: {
    method: "GET",
    path: "/v1/sessions/{session_id}/files",
    scope: "read",
    summary: "List a directory of the session's workspace. With `recursive=1`, list everything below it.",
    query: Type.Object({ path: Type.Optional(workspacePath), recursive: flagQuery }),
    reply: files.DirectoryListing,
    status: 200,
    mayBeOlder: true,
  },
  getSessionFileContent: {
    method: "GET",
    path: "/v1/sessions/{session_id}/files/content",
    scope: "read",
    summary: "Get the bytes of a file in the session's workspace. Accepts `Range`; the reply has an `ETag`.",
    query: Type.Object({ path: workspacePath }),
    replyContent: "application/octet-stream",
    status: 200,
    mayBeOlder: true,
    alsoStatus: [206],
  },
  putSessionFile: {
    method: "PUT",
    path: "/v1/sessions/{session_id}/files/content",
    scope: "run",
    summary: "Write a file in the session's workspace. 409 while a turn runs. Accepts `If-Match` and `If-None-Match`.",
    query: Type.Object({ path: workspacePath }),
    requestContent: "application/octet-stream",
    bodyOptional: true,
    reply: WorkspaceCommit,
    status: 200,
    countsAs: "upload",
    alsoStatus: [201],
    conditional: true,
  },
  deleteSessionFile: {
    method: "DELETE",
    path: "/v1/sessions/{session_id}/files/content",
    scope: "run",
    summary:
      "Delete a file or link in the session's workspace or, with `recursive=1`, a directory. 409 while a turn runs. " +
      "Accepts `If-Match`.",
    query: Type.Object({ path: workspacePath, recursive: flagQuery }),
    reply: Deleted,
    status: 200,
    conditional: true,
  },
  getWorkspaceTarGz: {
    method: "GET",
    path: "/v1/sessions/{session_id}/workspace.tar.gz",
    scope: "read",
    summary:
      "Get the session's workspace as a gzipped tar archive: all of it, or the files and directories that `path` " +
      "names.",
    query: archiveQuery,
    replyContent: "application/gzip",
    status: 200,
    mayBeOlder: true,
  },
  getWorkspaceZip: {
    method: "GET",
    path: "/v1/sessions/{session_id}/workspace.zip",
    scope: "read",
    summary: "Get the session's workspace as a ZIP archive: all of it, or the files and directories that `path` names.",
    query: archiveQuery,
    replyContent: "application/zip",
    status: 200,
    mayBeOlder: true,
  },
} as const satisfies Record<string, Route>;
