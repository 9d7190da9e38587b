// A session's workspace as a whole and its files one by one: written, deleted, archived.

import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { archiveSession, deleteSessionFile, putSessionFile } from "@dari/control";
import { AppError } from "@dari/domain";
import type { Request, Response } from "express";
import { Reply, type Call, type Handlers } from "../http/call.ts";
import { leaveOpen } from "../http/leave-open.ts";
import { isOn, readRepeated } from "../http/query.ts";

export const workspaceHandlers: Handlers<
  "putSessionFile" | "deleteSessionFile" | "getWorkspaceTarGz" | "getWorkspaceZip"
> = {
  async putSessionFile({ control, actor, params, query, settings, request, response }) {
    const maxBytes = settings.fileBytes;
    // Refused before the bytes are sent where the client says how many there will be.
    if (Number(request.get("content-length") ?? 0) > maxBytes) {
      throw new AppError("too_large", `a file has at most ${maxBytes} bytes`);
    }
    const { created, sha256, ...commit } = await putSessionFile(control, actor, {
      sessionId: params.session_id,
      path: query["path"] ?? "",
      conditions: conditionsOf(request),
      body: leaveOpen(request),
      maxBytes,
    });
    response.set("etag", `"${sha256}"`);
    return new Reply(created ? 201 : 200, commit);
  },

  async deleteSessionFile({ control, actor, params, query, request }) {
    await deleteSessionFile(control, actor, {
      sessionId: params.session_id,
      path: query["path"] ?? "",
      conditions: conditionsOf(request),
      recursive: isOn(query["recursive"]),
    });
    return { deleted: true };
  },

  async getWorkspaceTarGz(call) {
    const archive = await openArchive(call, "tar");
    announce(call, "application/gzip", "tar.gz");
    if (call.request.method === "HEAD") call.response.end();
    else await pipeline(archive, createGzip(), call.response);
  },

  async getWorkspaceZip(call) {
    const archive = await openArchive(call, "zip");
    announce(call, "application/zip", "zip");
    if (call.request.method === "HEAD") call.response.end();
    else await pipeline(archive, call.response);
  },
};

interface ArchiveCall extends Pick<Call, "control" | "actor"> {
  readonly params: { readonly session_id: string };
  readonly request: Request;
  readonly response: Response;
}

function openArchive({ control, actor, params, request }: ArchiveCall, format: "tar" | "zip") {
  const paths = readRepeated(request, "path");
  return archiveSession(control, actor, { sessionId: params.session_id, format, paths });
}

function announce({ params, response }: ArchiveCall, type: string, suffix: string): void {
  response.setHeader("content-type", type);
  response.set({
    "content-disposition": `attachment; filename="${params.session_id}.${suffix}"`,
    "cache-control": "private, no-cache",
  });
}

function conditionsOf(request: Request) {
  return { ifMatch: request.get("if-match"), ifNoneMatch: request.get("if-none-match") };
}
