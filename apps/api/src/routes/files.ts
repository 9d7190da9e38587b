// Uploaded files, and the files of a session's workspace.

import { renderList } from "@dari/contract";
import {
  createFile,
  deleteFile,
  discardUpload,
  getFile,
  getFileContent,
  getSessionFile,
  listFiles,
  listSessionFiles,
} from "@dari/control";
import type { Handlers } from "../http/call.ts";
import { sendContent } from "../http/content.ts";
import { isOn, readPage } from "../http/query.ts";
import { receiveFile } from "../http/upload.ts";

export const fileHandlers: Handlers<
  | "uploadFile"
  | "listFiles"
  | "getFile"
  | "getFileContent"
  | "deleteFile"
  | "listSessionFiles"
  | "getSessionFileContent"
> = {
  async uploadFile({ control, actor, settings, request, response }) {
    const received = await receiveFile({ control, actor, fileBytes: settings.fileBytes }, request, response);
    try {
      return await createFile(control, actor, received.stored, received);
    } catch (error) {
      await discardUpload(control, received.stored);
      throw error;
    }
  },

  async listFiles({ control, actor, query }) {
    const { rows, next } = await listFiles(control, actor, readPage(query));
    return renderList("files", rows, next);
  },

  async getFile({ control, actor, params }) {
    return getFile(control, actor, params.file_id);
  },

  async getFileContent({ control, actor, params, request, response }) {
    await sendContent(await getFileContent(control, actor, params.file_id), request, response);
  },

  async deleteFile({ control, actor, params }) {
    return deleteFile(control, actor, params.file_id);
  },

  async listSessionFiles({ control, actor, params, query }) {
    return listSessionFiles(control, actor, {
      sessionId: params.session_id,
      path: query["path"] ?? "/",
      recursive: isOn(query["recursive"]),
    });
  },

  async getSessionFileContent({ control, actor, params, query, request, response }) {
    const content = await getSessionFile(control, actor, { sessionId: params.session_id, path: query["path"] ?? "/" });
    await sendContent(content, request, response);
  },
};
