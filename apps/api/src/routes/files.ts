// Uploaded files, and the files of a session's workspace.

import { renderList } from "@dari/contract";
import {
  completeUpload,
  createFile,
  deleteFile,
  discardUpload,
  getDownloadUrl,
  getFile,
  getFileContent,
  getSessionFile,
  listFiles,
  listSessionFiles,
  reserveUpload,
} from "@dari/control/storage";
import type { Handlers } from "../http/call.ts";
import { contentDisposition, setRestoredHeader, sendContent } from "../http/content.ts";
import { isFlagSet, readPage } from "../http/query.ts";

export const fileHandlers: Handlers<
  | "uploadFile"
  | "listFiles"
  | "getFile"
  | "getFileContent"
  | "getFileDownloadUrl"
  | "reserveFileUpload"
  | "completeFileUpload"
  | "deleteFile"
  | "listSessionFiles"
  | "getSessionFileContent"
> = {
  uploadFile: {
    async create({ control, actor, body }) {
      const created = await createFile(control, actor, body.stored, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, fileId) => getFile(control, actor, fileId),
    identify: ({ filename, stored }) => ({ filename, sha256: stored.sha256 }),
    discard: ({ control, body }) => discardUpload(control, body.stored),
  },

  async listFiles({ control, actor, query }) {
    return renderList("files", await listFiles(control, actor, readPage(query)));
  },

  async getFile({ control, actor, params }) {
    return getFile(control, actor, params.file_id);
  },

  async getFileContent({ control, actor, params, request, response }) {
    await sendContent(await getFileContent(control, actor, params.file_id), request, response);
  },

  async getFileDownloadUrl({ control, actor, params, query }) {
    const given = query["expires_seconds"];
    const seconds = given === undefined ? undefined : Number(given);
    return getDownloadUrl(control, actor, { fileId: params.file_id, seconds, disposition: contentDisposition });
  },

  async reserveFileUpload({ control, actor, body, settings }) {
    return reserveUpload(control, actor, body, settings.fileBytes);
  },

  async completeFileUpload({ control, actor, body }) {
    return completeUpload(control, actor, body.upload_id);
  },

  async deleteFile({ control, actor, params }) {
    return deleteFile(control, actor, params.file_id);
  },

  async listSessionFiles({ control, actor, params, query, response }) {
    const { listing, restoredFrom } = await listSessionFiles(control, actor, {
      sessionId: params.session_id,
      path: query["path"] ?? "/",
      recursive: isFlagSet(query["recursive"]),
    });
    setRestoredHeader(response, restoredFrom);
    return listing;
  },

  async getSessionFileContent({ control, actor, params, query, request, response }) {
    const content = await getSessionFile(control, actor, { sessionId: params.session_id, path: query["path"] ?? "/" });
    await sendContent(content, request, response);
  },
};
