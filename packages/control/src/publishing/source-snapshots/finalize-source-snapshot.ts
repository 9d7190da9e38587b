// Judges an uploaded bundle once: there, whole, unchanged, and harmless to unpack. Does not judge its manifest.

import { join } from "node:path";
import { BlobNotFoundError } from "@dari/blobs";
import { inspectBundle } from "@dari/bundles";
import type { SourceSnapshotFinalized } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { stagingKey } from "@dari/control/storage";
import { sourceSnapshots, type SourceSnapshotRow } from "@dari/db";
import { AppError, found } from "@dari/domain";
import { writeHashed } from "@dari/runtime";
import { takeBundle } from "./upload-bundle.ts";

/** An upload that arrives while another is being judged makes us look again; more often than this is not a client. */
const roundsMax = 5;

type Verdict = sourceSnapshots.SourceSnapshotVerdict;

/**
 * The verdict; the same one however often and from wherever it is asked for.
 * @throws AppError `not_found`; without room on the disk `limit_exceeded`, `unavailable`. A bad bundle is an answer.
 */
export async function finalizeSourceSnapshot(
  control: Control,
  actor: Actor,
  sourceSnapshotId: string,
): Promise<SourceSnapshotFinalized> {
  const { organizationId } = actor;
  for (let round = 0; round < roundsMax; round++) {
    const row = found(
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
 * Takes over what the client put into the object store by itself, since nothing there is safe from being put again.
 * False when there is nothing. What is too long is left where it is: nothing was uploaded that could be the bundle.
 */
async function adoptStaged(control: Control, organizationId: string, row: SourceSnapshotRow): Promise<boolean> {
  if (control.blobs.signedUrls === undefined) return false;
  const staged = stagingKey(organizationId, row.id);
  const found = await control.blobs.head(staged);
  if (found === undefined || found.sizeBytes > row.sizeBytes) return false;
  const { id, sizeBytes } = row;
  try {
    await takeBundle(control, { id, organizationId, sizeBytes }, await control.blobs.get(staged));
    await control.blobs.delete([staged]);
  } catch (error) {
    // Another call to finalize has taken it over.
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
    // Replaced by another upload since the row was read; the next round looks at that one.
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

/** The reason may quote names from the archive; what cannot be stored is made visible. */
function rejected(reason: string): Verdict {
  return { edge: "reject", failureReason: reason.toWellFormed().replaceAll("\0", "\u2400") };
}
