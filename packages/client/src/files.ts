// Calls about uploaded files and the files of a session. Contents are streamed.

import type { FileRecord, WorkspaceCommit } from "@dari/contract";
import { multipart } from "./multipart.ts";
import { bodyOf } from "./response-body.ts";
import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, HttpBody, Transport } from "./transport.ts";

export interface FileUpload {
  readonly filename: string;
  /** A Blob (`fs.openAsBlob(path)` reads nothing ahead), or a stream of unknown length. */
  readonly content: Blob | ReadableStream<Uint8Array>;
  readonly contentType?: string;
}

export interface FileConditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
}

export function fileCalls(transport: Transport) {
  const { call, open, upload } = transport;
  const { derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("listFiles", "getFile", "deleteFile"),

    /** Uploads a file. There is no time limit. */
    uploadFile: (file: FileUpload, options?: CallOptions): Promise<FileRecord> =>
      upload("uploadFile", file.content instanceof Blob ? formOf(file, file.content) : multipart(file), options),

    /** The bytes of an uploaded file. */
    async readFile(id: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("getFileContent", { path: { file_id: id }, options }));
    },

    /** Lists one directory of a session's workspace, or with `recursive` everything below it. */
    listSessionFiles: (
      sessionId: string,
      query: { readonly path?: string; readonly recursive?: boolean } = {},
      options?: CallOptions,
    ) => call("listSessionFiles", { path: { session_id: sessionId }, query: { ...query }, options }),

    /** The bytes of a file of a session's workspace. */
    async readSessionFile(sessionId: string, path: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("getSessionFileContent", { path: { session_id: sessionId }, query: { path }, options }));
    },

    /**
     * Writes a file of a session's workspace while no turn of it runs. There is no time limit. `ifMatch`: only replaces
     * the file with this ETag; `ifNoneMatch: "*"`: only creates a file.
     */
    writeSessionFile: (
      sessionId: string,
      path: string,
      content: HttpBody,
      { ifMatch, ifNoneMatch, ...options }: CallOptions & FileConditions = {},
    ): Promise<WorkspaceCommit> => {
      const headers = {
        "content-type": "application/octet-stream",
        ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
        ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
      };
      const body = { body: content, headers, path: { session_id: sessionId }, query: { path } };
      return upload("putSessionFile", body, options);
    },

    /** Deletes a file or link of a session's workspace, or with `recursive` a directory. */
    deleteSessionFile: (
      sessionId: string,
      path: string,
      query: { readonly recursive?: boolean } = {},
      options?: CallOptions,
    ) => call("deleteSessionFile", { path: { session_id: sessionId }, query: { path, ...query }, options }),

    /** Returns a session's workspace as one archive: all of it, or these paths. */
    async readWorkspace(
      sessionId: string,
      { format, paths = [] }: { readonly format: "tar.gz" | "zip"; readonly paths?: readonly string[] },
      options?: CallOptions,
    ): Promise<ReadableStream<Uint8Array>> {
      const name = format === "zip" ? "getWorkspaceZip" : "getWorkspaceTarGz";
      return bodyOf(await open(name, { path: { session_id: sessionId }, query: { path: paths }, options }));
    },
  };
}

function formOf(file: FileUpload, content: Blob): { body: FormData } {
  const typed = file.contentType === undefined ? content : content.slice(0, content.size, file.contentType);
  const body = new FormData();
  body.set("file", typed, file.filename);
  return { body };
}
