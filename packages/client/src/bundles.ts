// Calls about bundles: upload, check, and read.

import type { SourceSnapshotCreated } from "@dari/contract";
import { createDeriver } from "./derive-methods.ts";
import type { CallOptions, Transport } from "./transport.ts";

export function bundleCalls(transport: Transport) {
  const { call, raw } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("createSourceSnapshot", "finalizeSourceSnapshot", "deleteSourceSnapshot", "getVersionBundle"),

    /** Uploads a bundle's bytes to the address in its reservation, without the key. */
    async uploadBundle(to: SourceSnapshotCreated, body: Uint8Array | Blob, options?: CallOptions): Promise<void> {
      const content = body instanceof Blob ? body : new Uint8Array(body);
      const response = await raw({
        method: "PUT",
        url: to.upload_url,
        headers: to.upload_headers,
        body: content,
        signal: options?.signal,
      });
      await response.arrayBuffer();
    },

    /** The checked manifest of a finalized bundle. */
    getSourceSnapshotManifest: derived("getSourceSnapshotManifest"),

    /** One text file of a version's bundle. */
    getVersionBundleFile: (agentId: string, versionId: string, path: string, options?: CallOptions) =>
      call("getVersionBundleFile", { path: { agent_id: agentId, version_id: versionId }, query: { path }, options }),
  };
}
