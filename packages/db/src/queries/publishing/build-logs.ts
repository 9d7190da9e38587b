// Reads the logs of builds. Builders append with `appendBuildLogIfHeld` in builds.ts.

import type { Database } from "../../database.ts";

export interface BuildLogRow {
  readonly sequenceNumber: number;
  readonly text: string;
}

/** Returns rows after a number, in order, at most `limit` (primary key version_id, sequence_number). */
export async function listBuildLogs(
  db: Database,
  organizationId: string,
  versionId: string,
  afterSequenceNumber: number,
  limit: number,
): Promise<BuildLogRow[]> {
  return db.kysely
    .selectFrom("build_logs")
    .where("version_id", "=", versionId)
    .where("organization_id", "=", organizationId)
    .where("sequence_number", ">", afterSequenceNumber)
    .select(["sequence_number as sequenceNumber", "text"])
    .orderBy("sequence_number")
    .limit(limit)
    .execute();
}
