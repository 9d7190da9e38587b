// A session's workspace and its files: read, written, deleted, archived.

import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { archiveSession, deleteSessionFile, putSessionFile } from "@dari/control/storage";
import { AppError } from "@dari/domain";
import type { Request, Response } from "express";
import { Reply, type Call, type Handlers } from "../http/call.ts";
import { setRestoredHeader, readAhead } from "../http/content.ts";
import { iterateWithoutDestroy } from "../http/iterate-without-destroy.ts";
import { isFlagSet, readRepeated } from "../http/query.ts";

export const workspaceHandlers: Handlers<
  "putSessionFile" | "deleteSessionFile" | "getWorkspaceTarGz" | "getWorkspaceZip"
> = {
  async putSessionFile({ control, actor, params, query, settings, request, response }) {
    const maxBytes = settings.fileBytes;
    // If the client announces the size, refuse before the bytes are sent.
    if (Number(request.get("content-length") ?? 0) > maxBytes) {
      throw new AppError("too_large", `the file exceeds the limit of ${maxBytes} bytes`);
    }
    const { created, sha256, ...commit } = await putSessionFile(control, actor, {
      sessionId: params.session_id,
      path: query["path"] ?? "",
      conditions: conditionsOf(request),
      body: iterateWithoutDestroy(request),
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
      recursive: isFlagSet(query["recursive"]),
    });
    return { deleted: true };
  },

  async getWorkspaceTarGz(call) {
    await sendArchive(call, "tar", { type: "application/gzip", suffix: "tar.gz" });
  },

  async getWorkspaceZip(call) {
    await sendArchive(call, "zip", { type: "application/zip", suffix: "zip" });
  },
};

interface ArchiveCall extends Pick<Call, "control" | "actor"> {
  readonly params: { readonly session_id: string };
  readonly request: Request;
  readonly response: Response;
}

/** Sends nothing before the first part of the archive exists, so that a damaged file still gets an error status. */
async function sendArchive(
  { control, actor, params, request, response }: ArchiveCall,
  format: "tar" | "zip",
  { type, suffix }: { readonly type: string; readonly suffix: string },
): Promise<void> {
  const paths = readRepeated(request, "path");
  const archive = await archiveSession(control, actor, { sessionId: params.session_id, format, paths });
  const isHead = request.method === "HEAD";
  const packed = format === "tar" ? gzip(archive.bytes) : archive.bytes;
  const body = isHead ? undefined : await readAhead(packed, archiveAheadBytes);
  setRestoredHeader(response, archive.restoredFrom);
  response.setHeader("content-type", type);
  response.set({
    "content-disposition": `attachment; filename="${params.session_id}.${suffix}"`,
    "cache-control": "private, no-cache",
  });
  if (body === undefined) response.end();
  else await pipeline(body, response);
}

async function* gzip(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packer = createGzip();
  const feeding = pipeline(bytes, packer);
  // The read below throws the same error.
  feeding.catch(() => undefined);
  yield* packer as AsyncIterable<Uint8Array>;
  await feeding;
}

/** Smaller archives are read completely before anything is sent. */
const archiveAheadBytes = 1024 * 1024;

function conditionsOf(request: Request) {
  return { ifMatch: request.get("if-match"), ifNoneMatch: request.get("if-none-match") };
}
