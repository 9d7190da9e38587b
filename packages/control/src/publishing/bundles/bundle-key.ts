// The object keys of uploaded bundles.

/** Every upload has its own key, so that verified bytes are never overwritten. */
export function bundleKey(organizationId: string, sourceSnapshotId: string, upload: string): string {
  return `${organizationId}/bundles/${sourceSnapshotId}/${upload}`;
}
