// Bundles: reserved, uploaded to a signed URL, checked.

import {
  createSourceSnapshot,
  deleteSourceSnapshot,
  finalizeSourceSnapshot,
  getSourceSnapshot,
  getSourceSnapshotManifest,
  uploadBundle,
} from "@dari/control/publishing";
import type { Handlers } from "../http/call.ts";
import { iterateWithoutDestroy } from "../http/iterate-without-destroy.ts";

export const sourceSnapshotHandlers: Handlers<
  | "createSourceSnapshot"
  | "uploadBundle"
  | "finalizeSourceSnapshot"
  | "getSourceSnapshotManifest"
  | "deleteSourceSnapshot"
> = {
  createSourceSnapshot: {
    async create({ control, actor, body }) {
      const created = await createSourceSnapshot(control, actor, body);
      return { resourceId: created.source_snapshot_id, reply: created };
    },
    read: ({ control, actor }, snapshotId) => getSourceSnapshot(control, actor, snapshotId),
  },

  async uploadBundle({ control, params, query, request }) {
    return uploadBundle(control, {
      sourceSnapshotId: params.source_snapshot_id,
      expires: query["expires"] ?? "",
      signature: query["signature"] ?? "",
      body: iterateWithoutDestroy(request),
    });
  },

  async finalizeSourceSnapshot({ control, actor, params }) {
    return finalizeSourceSnapshot(control, actor, params.source_snapshot_id);
  },

  async getSourceSnapshotManifest({ control, actor, params }) {
    return getSourceSnapshotManifest(control, actor, params.source_snapshot_id);
  },

  async deleteSourceSnapshot({ control, actor, params }) {
    return deleteSourceSnapshot(control, actor, params.source_snapshot_id);
  },
};
