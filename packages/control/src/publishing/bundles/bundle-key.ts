// Where uploaded bundles lie.

/** Every upload has a key of its own, so that bytes which were verified are never overwritten. */
export function bundleKey(organizationId: string, sourceSnapshotId: string, upload: string): string {
  return `${organizationId}/bundles/${sourceSnapshotId}/${upload}`;
}
