// Reads the manifest of an unpublished bundle.

import type { SourceSnapshotManifest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { readBundleManifest } from "../bundles/read-bundle-manifest.ts";

/** @throws AppError as `readBundleManifest`. */
export async function getSourceSnapshotManifest(
  control: Control,
  actor: Actor,
  sourceSnapshotId: string,
): Promise<SourceSnapshotManifest> {
  const { manifest, warnings } = await readBundleManifest(control, actor, sourceSnapshotId, undefined);
  // A plain object, as in a version's record.
  return { source_snapshot_id: sourceSnapshotId, manifest: { ...manifest }, warnings: [...warnings] };
}
