// Uploads a file's bytes directly from the caller to the object store.

import type { CallOptions } from "./call.ts";
import type { File } from "./generated/models.ts";
import type { Operations } from "./generated/operations.ts";
import type { Transport } from "./transport.ts";

export interface DirectFileUpload {
  readonly filename: string;
  readonly content: Blob;
  readonly contentType?: string;
  /** The hash of the content, in lower-case hex. */
  readonly sha256: string;
}

export function directFileMethods(api: Operations, transport: Transport) {
  return {
    /** Uploads directly to the object store; refused (409) if clients cannot reach it. There is no time limit. */
    async uploadFileDirectly(file: DirectFileUpload, options: CallOptions = {}): Promise<File> {
      const { filename, content, contentType, sha256 } = file;
      const described = { filename, sha256, ...(contentType === undefined ? {} : { content_type: contentType }) };
      const to = await api.reserveFileUpload({ ...described, size_bytes: content.size }, options);
      const { upload_url: url, upload_headers: headers } = to;
      const request = { method: "PUT", url, headers, body: content, timeoutMs: 0, signal: options.signal };
      await transport.send({ ...request, canResend: true, isIdempotent: true }, (response) => response.arrayBuffer());
      return api.completeFileUpload({ upload_id: to.upload_id }, options);
    },
  };
}
