// Records the objects that stored snapshots need, if an import or an earlier release did not record them.

import { objects } from "@dari/db";
import { readReferences, SnapshotDamagedError } from "@dari/workspace";
import { recordObject } from "../workspaces/store-snapshot.ts";
import type { StorageContext } from "./storage-context.ts";

const perPass = 100;

/**
 * Records a limited number of references per call. The sweep skips an organization's snapshots until all are recorded.
 */
export async function recordReferences(context: StorageContext): Promise<{ recorded: number; damaged: number }> {
  const counts = { recorded: 0, damaged: 0 };
  for (const { organizationId, objectKey } of await objects.listSnapshotsWithoutReferences(context.db, perPass)) {
    try {
      const references = await readReferences(context.blobs, objectKey);
      const sizeBytes = (await context.blobs.head(objectKey))?.sizeBytes ?? 0;
      await recordObject(context, organizationId, { objectKey, sizeBytes, references });
      counts.recorded++;
    } catch (error) {
      if (!(error instanceof SnapshotDamagedError)) throw error;
      // The snapshot is damaged: it references nothing that could still be read.
      await recordObject(context, organizationId, { objectKey, sizeBytes: 0, references: [] });
      context.log.error({ err: error, org: organizationId }, "snapshot.damaged");
      counts.damaged++;
    }
  }
  return counts;
}
