// Checks an uploaded bundle once: present, complete, unchanged, and safe to unpack. Does not check its manifest.

import { join } from "node:path";
import { BlobNotFoundError } from "@dari/blobs";
import { inspectBundle } from "@dari/bundles";
import type { SourceSnapshotFinalized } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { stagingKey } from "@dari/control/storage";
import { sourceSnapshots, type SourceSnapshotRow } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { writeHashed } from "@dari/runtime";
import { storeBundleIfPending } from "./upload-bundle.ts";

/** An upload that arrives during the check starts another round. No real client needs more rounds than this. */
const roundsMax = 5;

type Verdict = sourceSnapshots.SourceSnapshotVerdict;

/**
 * Returns the verdict, which never changes. A bad bundle is a verdict, not an error.
 * @throws AppError `not_found`; `limit_exceeded` or `unavailable` if there is no disk space.
 */
export async function finalizeSourceSnapshot(
  control: Control,
  actor: Actor,
  sourceSnapshotId: string,
): Promise<SourceSnapshotFinalized> {
  const { organizationId } = actor;
  for (let round = 0; round < roundsMax; round++) {
    const row = requireFound(
      await sourceSnapshots.findSourceSnapshot(control.db, organizationId, sourceSnapshotId),
      "source snapshot",
    );
    if (row.state !== "pending_upload") return render(row);
    if (await adoptStaged(control, organizationId, row)) continue;
    const settled = await sourceSnapshots.settleSourceSnapshotIfPending(
      control.db,
      organizationId,
      sourceSnapshotId,
      row.objectKey,
      await judge(control, organizationId, row),
    );
    if (settled !== undefined) {
      control.log.info(
        { org: organizationId, source_snapshot: settled.id, failure_reason: settled.failureReason },
        `source snapshot ${settled.state}`,
      );
      return render(settled);
    }
  }
  throw new AppError("conflict", "the bundle was uploaded again while it was checked; finalize it again");
}

/**
 * Copies what the client uploaded to the object store, because the client could overwrite it there. Returns false if
 * there is nothing. An upload that is too long is left: it cannot be the bundle.
 */
async function adoptStaged(control: Control, organizationId: string, row: SourceSnapshotRow): Promise<boolean> {
  if (control.blobs.signedUrls === undefined) return false;
  const staged = stagingKey(organizationId, row.id);
  const found = await control.blobs.head(staged);
  if (found === undefined || found.sizeBytes > row.sizeBytes) return false;
  const { id, sizeBytes } = row;
  try {
    await storeBundleIfPending(control, { id, organizationId, sizeBytes }, await control.blobs.get(staged));
    await control.blobs.delete([staged]);
  } catch (error) {
    // A concurrent call to finalize has copied it.
    if (!(error instanceof BlobNotFoundError)) throw error;
  }
  return true;
}

function render(row: SourceSnapshotRow): SourceSnapshotFinalized {
  const status = row.state === "ready" ? "ready" : "failed";
  return { source_snapshot_id: row.id, status, failure_reason: row.failureReason };
}

async function judge(control: Control, organizationId: string, row: SourceSnapshotRow): Promise<Verdict> {
  const stored = await control.blobs.head(row.objectKey);
  if (stored === undefined) return rejected("no bundle was uploaded");
  if (stored.sizeBytes !== row.sizeBytes) {
    return rejected(`the upload has ${stored.sizeBytes} bytes; ${row.sizeBytes} were announced`);
  }
  await using scratch = await control.scratch.open("bundle", organizationId);
  scratch.take(row.sizeBytes);
  try {
    const file = join(scratch.dir, "bundle.tar.gz");
    const { sha256 } = await writeHashed(await control.blobs.get(row.objectKey), file);
    if (sha256 !== row.sha256) return rejected(`the upload's SHA-256 is ${sha256}; ${row.sha256} was announced`);
    return await inspect(file);
  } catch (error) {
    // Another upload replaced it after the row was read. The next round checks that one.
    if (error instanceof BlobNotFoundError) return rejected("no bundle was uploaded");
    throw error;
  }
}

async function inspect(file: string): Promise<Verdict> {
  const inspection = await inspectBundle({ file });
  if (!inspection.ok) return rejected(inspection.reason);
  if (inspection.manifest.includes("\0")) return rejected("dari.yml contains NUL bytes");
  return { edge: "verify", manifestText: inspection.manifest };
}

/** The reason can quote names from the archive. Characters that cannot be stored are escaped. */
function rejected(reason: string): Verdict {
  return { edge: "reject", failureReason: reason.toWellFormed().replaceAll("\0", "\u2400") };
}
