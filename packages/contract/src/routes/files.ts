// Uploaded files, and the files of a session's workspace.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, flag, integerText, listOf, listQuery } from "../schemas/common.ts";
import * as files from "../schemas/files.ts";
import { WorkspaceCommit } from "../schemas/workspaces.ts";

const workspacePath = Type.String({ maxLength: limits.workspacePathBytes, examples: ["/output"] });

/** Both archives: a path may be given many times. */
const archiveQuery = Type.Object({
  path: Type.Optional(Type.Array(workspacePath, { maxItems: limits.archivePathsMax })),
});

export const fileRoutes = {
  uploadFile: {
    method: "POST",
    path: "/v1/files",
    scope: "run",
    summary: "Upload a file as multipart, in one part named `file`.",
    requestContent: "multipart/form-data",
    reply: files.FileRecord,
    status: 201,
    spends: "upload",
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
    summary: "Get an uploaded file's bytes, as the type it was uploaded with. Accepts `Range`.",
    replyContent: "*/*",
    status: 200,
    alsoStatus: [206],
  },
  getFileDownloadUrl: {
    method: "GET",
    path: "/v1/files/{file_id}/download-url",
    scope: "read",
    summary: "Get a URL of the object store for the bytes; 409 where clients cannot reach the store.",
    query: Type.Object({
      expires_seconds: Type.Optional(integerText(1, limits.downloadUrlSecondsMax, "From now; 300 when absent.")),
    }),
    reply: files.FileDownloadUrl,
    status: 200,
    mayConflict: true,
  },
  reserveFileUpload: {
    method: "POST",
    path: "/v1/files/uploads",
    scope: "run",
    summary: "Get a URL to put a file's bytes at the object store; 409 where clients cannot reach the store.",
    request: files.ReserveFileUploadRequest,
    reply: files.FileUploadReserved,
    status: 200,
    spends: "reservation",
  },
  completeFileUpload: {
    method: "POST",
    path: "/v1/files/uploads/complete",
    scope: "run",
    summary: "Make a file of the bytes that were put, once they are checked. May be repeated.",
    request: files.CompleteFileUploadRequest,
    reply: files.FileRecord,
    status: 201,
  },
  deleteFile: {
    method: "DELETE",
    path: "/v1/files/{file_id}",
    scope: "run",
    summary: "Delete an uploaded file; the copies in workspaces stay.",
    reply: Deleted,
    status: 200,
  },
  listSessionFiles: {
    method: "GET",
    path: "/v1/sessions/{session_id}/files",
    scope: "read",
    summary: "List a directory of the session's workspace; with `recursive=1` everything below it.",
    query: Type.Object({ path: Type.Optional(workspacePath), recursive: flag }),
    reply: files.DirectoryListing,
    status: 200,
    mayBeOlder: true,
  },
  getSessionFileContent: {
    method: "GET",
    path: "/v1/sessions/{session_id}/files/content",
    scope: "read",
    summary: "Get the bytes of a file of the session's workspace. Accepts `Range`; replies with an `ETag`.",
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
    summary: "Write a file of the session's workspace; 409 while a turn runs. Accepts `If-Match` and `If-None-Match`.",
    query: Type.Object({ path: workspacePath }),
    requestContent: "application/octet-stream",
    bodyOptional: true,
    reply: WorkspaceCommit,
    status: 200,
    spends: "upload",
    alsoStatus: [201],
    conditional: true,
  },
  deleteSessionFile: {
    method: "DELETE",
    path: "/v1/sessions/{session_id}/files/content",
    scope: "run",
    summary:
      "Delete a file or link of the session's workspace, or with `recursive=1` a directory; 409 while a turn runs. " +
      "Accepts `If-Match`.",
    query: Type.Object({ path: workspacePath, recursive: flag }),
    reply: Deleted,
    status: 200,
    conditional: true,
  },
  getWorkspaceTarGz: {
    method: "GET",
    path: "/v1/sessions/{session_id}/workspace.tar.gz",
    scope: "read",
    summary: "Get the session's workspace as a gzipped tar: all of it, or the files and directories that `path` names.",
    query: archiveQuery,
    replyContent: "application/gzip",
    status: 200,
    mayBeOlder: true,
  },
  getWorkspaceZip: {
    method: "GET",
    path: "/v1/sessions/{session_id}/workspace.zip",
    scope: "read",
    summary: "Get the session's workspace as a ZIP: all of it, or the files and directories that `path` names.",
    query: archiveQuery,
    replyContent: "application/zip",
    status: 200,
    mayBeOlder: true,
  },
} as const satisfies Record<string, Route>;
