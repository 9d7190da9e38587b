// Calls about uploaded files and the files of a session. Contents are streamed, never held.

import type { FileRecord } from "@dari/contract";
import { multipart } from "./multipart.ts";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface FileUpload {
  readonly filename: string;
  /** A Blob (`fs.openAsBlob(path)` reads nothing ahead), or a stream of unknown length. */
  readonly content: Blob | ReadableStream<Uint8Array>;
  readonly contentType?: string;
}

export function fileCalls(transport: Transport) {
  const { call, open, upload } = transport;

  return {
    /** Uploads a file; takes as long as it takes. */
    uploadFile: (file: FileUpload, options?: CallOptions): Promise<FileRecord> =>
      upload("uploadFile", file.content instanceof Blob ? formOf(file, file.content) : multipart(file), options),

    listFiles: (page: PageQuery = {}, options?: CallOptions) =>
      call("listFiles", { path: {}, query: { ...page }, options }),

    getFile: (id: string, options?: CallOptions) => call("getFile", { path: { file_id: id }, options }),

    /** The bytes of an uploaded file. */
    async readFile(id: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("getFileContent", { path: { file_id: id }, options }));
    },

    deleteFile: (id: string, options?: CallOptions) => call("deleteFile", { path: { file_id: id }, options }),

    /** One directory of a session's workspace, or with `recursive` everything below it. */
    listSessionFiles: (
      sessionId: string,
      query: { readonly path?: string; readonly recursive?: boolean } = {},
      options?: CallOptions,
    ) => call("listSessionFiles", { path: { session_id: sessionId }, query: { ...query }, options }),

    /** The bytes of a file of a session's workspace. */
    async readSessionFile(sessionId: string, path: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>> {
      return bodyOf(await open("getSessionFileContent", { path: { session_id: sessionId }, query: { path }, options }));
    },
  };
}

function formOf(file: FileUpload, content: Blob): { body: FormData } {
  const typed = file.contentType === undefined ? content : content.slice(0, content.size, file.contentType);
  const body = new FormData();
  body.set("file", typed, file.filename);
  return { body };
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  return response.body ?? new Blob([]).stream();
}
