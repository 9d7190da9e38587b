// OpenAI's files: the platform's uploaded files under OpenAI's names.

import type { FileRecord, OpenAiFile } from "@dari/contract";
import { createFile, deleteFile, discardUpload, getFile, getFileContent, listFiles } from "@dari/control/storage";
import { limits } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import { sendContent } from "../http/content.ts";
import { secondsOf } from "./response.ts";

export const openAiFileHandlers: Handlers<
  "createOpenAiFile" | "listOpenAiFiles" | "getOpenAiFile" | "getOpenAiFileContent" | "deleteOpenAiFile"
> = {
  createOpenAiFile: {
    async create({ control, actor, body }) {
      const created = await createFile(control, actor, body.stored, body);
      return { resourceId: created.id, reply: renderFile(created) };
    },
    read: async ({ control, actor }, fileId) => renderFile(await getFile(control, actor, fileId)),
    identify: ({ filename, stored }) => ({ filename, sha256: stored.sha256 }),
    discard: ({ control, body }) => discardUpload(control, body.stored),
  },

  async listOpenAiFiles({ control, actor, query }) {
    const limit = Math.min(Number(query["limit"] ?? limits.listLimitMax), limits.listLimitMax);
    const { rows, next } = await listFiles(control, actor, { limit, after: query["after"] });
    const data = rows.map(renderFile);
    const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return { object: "list", data, ...ends, has_more: next !== null };
  },

  async getOpenAiFile({ control, actor, params }) {
    return renderFile(await getFile(control, actor, params.file_id));
  },

  async getOpenAiFileContent({ control, actor, params, request, response }) {
    await sendContent(await getFileContent(control, actor, params.file_id), request, response);
  },

  async deleteOpenAiFile({ control, actor, params }) {
    await deleteFile(control, actor, params.file_id);
    return { id: params.file_id, object: "file", deleted: true };
  },
};

function renderFile({ id, filename, size_bytes: bytes, created_at: created }: FileRecord): OpenAiFile {
  return {
    id,
    object: "file",
    bytes,
    created_at: secondsOf(created),
    filename,
    purpose: "user_data",
    status: "processed",
  };
}
