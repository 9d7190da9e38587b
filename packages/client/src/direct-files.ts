// Calls that transfer a file's bytes directly between the caller and the object store.

import type { FileRecord } from "@dari/contract";
import type { CallOptions, Transport } from "./transport.ts";

export interface DirectFileUpload {
  readonly filename: string;
  readonly content: Blob;
  readonly contentType?: string;
  /** The hash of the content, in lower-case hex. */
  readonly sha256: string;
}

/** The platform reads the whole upload before it answers. Milliseconds. */
const completionMs = 3_600_000;

export function directFileCalls(transport: Transport) {
  const { call, raw } = transport;

  return {
    /** A temporary address of the bytes in the object store; refused (409) if clients cannot reach it. */
    getFileDownloadUrl: (id: string, expiresSeconds?: number, options?: CallOptions) =>
      call("getFileDownloadUrl", { path: { file_id: id }, query: { expires_seconds: expiresSeconds }, options }),

    /** Uploads directly to the object store; refused (409) if clients cannot reach it. There is no time limit. */
    async uploadFileDirectly(file: DirectFileUpload, options?: CallOptions): Promise<FileRecord> {
      const { filename, content, contentType, sha256 } = file;
      const described = { filename, sha256, ...(contentType === undefined ? {} : { content_type: contentType }) };
      const body = { ...described, size_bytes: content.size };
      const to = await call("reserveFileUpload", { path: {}, body, options });
      const request = { method: "PUT", url: to.upload_url, headers: to.upload_headers, body: content };
      await (await raw({ ...request, signal: options?.signal })).arrayBuffer();
      const completion = { path: {}, body: { upload_id: to.upload_id } };
      return call("completeFileUpload", { ...completion, options: { timeoutMs: completionMs, ...options } });
    },
  };
}
