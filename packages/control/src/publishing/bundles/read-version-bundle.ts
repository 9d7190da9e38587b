// Shows the files of a version's bundle: the uploaded source, without installed dependencies.

import { join } from "node:path";
import { BlobNotFoundError } from "@dari/blobs";
import { BundleRefusedError, inspectBundle, readBundleFile } from "@dari/bundles";
import type { VersionBundle, VersionBundleFile } from "@dari/contract";
import { createPlaces, type Actor, type Control } from "@dari/control/context";
import { sourceSnapshots, type SourceSnapshotRow } from "@dari/db";
import { requireFound, invalidField, limits, notFound } from "@dari/domain";
import { writeHashed } from "@dari/runtime";
import { SnapshotDamagedError } from "@dari/workspace";
import { getVersion } from "../versions/get-version.ts";

interface VersionName {
  readonly agentId: string;
  readonly versionId: string;
}

/** Listing inflates a whole bundle, up to `limits.bundleUnpackedBytes`. */
const takePlace = createPlaces(
  { perProcess: limits.bundleReadsPerProcess, perOrganization: limits.bundleReadsPerOrganization },
  "reads bundles",
);

/**
 * @throws AppError `not_found`; `limit_exceeded` or `unavailable` while other calls read bundles or use the disk space;
 *   SnapshotDamagedError if the stored bundle is missing or changed.
 */
export async function getVersionBundle(control: Control, actor: Actor, name: VersionName): Promise<VersionBundle> {
  return withBundle(control, actor, name, async (file, row) => {
    const inspected = await inspectBundle({ file });
    if (!inspected.ok) throw new SnapshotDamagedError(row.objectKey, inspected.reason);
    const files = inspected.entries.map(({ path, sizeBytes, mode }) => ({
      path,
      size_bytes: sizeBytes,
      is_executable: mode === 0o755,
    }));
    return {
      agent_id: name.agentId,
      version_id: name.versionId,
      source_snapshot_id: row.id,
      archive_sha256: row.sha256,
      size_bytes: row.sizeBytes,
      files: files.sort((one, other) => (one.path < other.path ? -1 : 1)),
    };
  });
}

/**
 * Returns one file as text.
 * @throws AppError `not_found`; `invalid` for a file that is too large or not text; and as `getVersionBundle`.
 */
export async function getVersionBundleFile(
  control: Control,
  actor: Actor,
  { path, ...name }: VersionName & { readonly path: string },
): Promise<VersionBundleFile> {
  return withBundle(control, actor, name, async (file) => {
    const maxBytes = limits.bundleFileTextBytes;
    const member = await readBundleFile({ file, path, maxBytes });
    if (member === undefined) throw notFound(`file ${path}`);
    if (member.content === undefined) {
      const [size, most] = [member.sizeBytes, maxBytes].map((bytes) => bytes.toLocaleString("en"));
      throw invalidField("path", `${member.path} has ${size} bytes; the limit is ${most} bytes`);
    }
    const content = decode(member.content);
    if (content === undefined) {
      throw invalidField("path", `${member.path} is not UTF-8 text; only text files can be read`);
    }
    return { version_id: name.versionId, path: member.path, size_bytes: member.sizeBytes, content };
  });
}

/** Runs `read` on a temporary copy of the bundle. Counts as one read. */
async function withBundle<Result>(
  control: Control,
  actor: Actor,
  name: VersionName,
  read: (file: string, row: SourceSnapshotRow) => Promise<Result>,
): Promise<Result> {
  const { organizationId } = actor;
  const { source_snapshot_id: snapshotId } = await getVersion(control, actor, name);
  const row = requireFound(await sourceSnapshots.findSourceSnapshot(control.db, organizationId, snapshotId), "bundle");
  using _place = takePlace(organizationId);
  await using scratch = await control.scratch.open("bundle", organizationId);
  scratch.take(row.sizeBytes);
  const file = join(scratch.dir, "bundle.tar.gz");
  try {
    const { sha256 } = await writeHashed(await control.blobs.get(row.objectKey), file);
    if (sha256 !== row.sha256) throw new SnapshotDamagedError(row.objectKey, "it is not the bundle that was accepted");
    return await read(file, row);
  } catch (cause) {
    if (cause instanceof BundleRefusedError) throw new SnapshotDamagedError(row.objectKey, cause.message, { cause });
    if (cause instanceof BlobNotFoundError) throw new SnapshotDamagedError(row.objectKey, "it is missing", { cause });
    throw cause;
  }
}

/** Returns undefined for bytes that are not UTF-8, or contain NUL, which JSON clients cannot show. */
function decode(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
