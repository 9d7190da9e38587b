// A session's history: forks, rollbacks, changes of turns, files of failed attempts, export and import.

import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { discardExport, exportSession, importSession } from "@dari/control/outbound";
import { diffMessage, getAttemptFile, listAttemptFiles, promoteAttempt } from "@dari/control/storage";
import { forkSession, getSession, rollBackSession } from "@dari/control/turns";
import type { Handlers } from "../http/call.ts";
import { sendContent } from "../http/content.ts";
import { isFlagSet } from "../http/query.ts";
import { sendText } from "../http/text.ts";

export const historyHandlers: Handlers<
  | "forkSession"
  | "rollBackSession"
  | "getMessageDiff"
  | "listAttemptFiles"
  | "getAttemptFileContent"
  | "promoteAttempt"
  | "exportSession"
  | "importSession"
> = {
  forkSession: {
    async create({ control, actor, params, body }) {
      const { message_id: messageId, version_id: versionId } = body;
      const fork = await forkSession(control, actor, { sessionId: params.session_id, messageId, versionId });
      return { resourceId: fork.id, reply: fork };
    },
    read: ({ control, actor }, sessionId) => getSession(control, actor, sessionId),
  },

  async rollBackSession({ control, actor, params, body }) {
    return rollBackSession(control, actor, { sessionId: params.session_id, messageId: body.message_id });
  },

  async getMessageDiff({ control, actor, params, response }) {
    await sendText(await diffMessage(control, actor, params.message_id), response);
  },

  async listAttemptFiles({ control, actor, params, query }) {
    return listAttemptFiles(control, actor, {
      ...attemptOf(params),
      path: query["path"] ?? "/",
      recursive: isFlagSet(query["recursive"]),
    });
  },

  async getAttemptFileContent({ control, actor, params, query, request, response }) {
    const input = { ...attemptOf(params), path: query["path"] ?? "/" };
    await sendContent(await getAttemptFile(control, actor, input), request, response);
  },

  async exportSession({ control, actor, params, request, response }) {
    const archive = await exportSession(control, actor, params.session_id);
    response.setHeader("content-type", "application/gzip");
    response.set({
      "content-disposition": `attachment; filename="${params.session_id}.dari.tar.gz"`,
      "cache-control": "private, no-cache",
    });
    if (request.method === "HEAD") response.end();
    else await pipeline(archive, createGzip(), response);
  },

  importSession: {
    async create({ control, actor, body }) {
      const imported = await importSession(control, actor, body);
      return { resourceId: imported.id, reply: imported };
    },
    read: ({ control, actor }, sessionId) => getSession(control, actor, sessionId),
    identify: ({ sha256, agentId }) => ({ sha256, agentId: agentId ?? null }),
    discard: ({ control, body }) => discardExport(control, body),
  },

  async promoteAttempt({ control, actor, params }) {
    return promoteAttempt(control, actor, attemptOf(params));
  },
};

function attemptOf(params: { readonly message_id: string; readonly attempt_number: string }) {
  return { messageId: params.message_id, number: Number(params.attempt_number) };
}
