// Calls about bundles: uploaded, checked, and read again.

import type { CreateSourceSnapshotRequest, SourceSnapshotCreated } from "@dari/contract";
import type { CallOptions, Transport } from "./transport.ts";

export function bundleCalls({ call, raw }: Transport) {
  return {
    createSourceSnapshot: (body: CreateSourceSnapshotRequest, options?: CallOptions) =>
      call("createSourceSnapshot", { path: {}, body, options }),

    /** Uploads a bundle's bytes to the address that its reservation gave, without the key. */
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

    finalizeSourceSnapshot: (id: string, options?: CallOptions) =>
      call("finalizeSourceSnapshot", { path: { source_snapshot_id: id }, options }),

    /** The checked manifest of a finalized bundle. */
    getSourceSnapshotManifest: (id: string, options?: CallOptions) =>
      call("getSourceSnapshotManifest", { path: { source_snapshot_id: id }, options }),

    deleteSourceSnapshot: (id: string, options?: CallOptions) =>
      call("deleteSourceSnapshot", { path: { source_snapshot_id: id }, options }),

    getVersionBundle: (agentId: string, versionId: string, options?: CallOptions) =>
      call("getVersionBundle", { path: { agent_id: agentId, version_id: versionId }, options }),

    /** One text file of a version's bundle. */
    getVersionBundleFile: (agentId: string, versionId: string, path: string, options?: CallOptions) =>
      call("getVersionBundleFile", { path: { agent_id: agentId, version_id: versionId }, query: { path }, options }),
  };
}
