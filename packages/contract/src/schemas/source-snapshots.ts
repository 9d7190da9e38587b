// Source snapshots: the uploaded bundles.

import { limits, sourceSnapshotMachine } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, nullable, oneOf, sha256, noOtherFields, timestamp } from "./common.ts";

export const CreateSourceSnapshotRequest = Type.Object(
  {
    format: oneOf(["tar.gz"]),
    sha256,
    size_bytes: Type.Integer({ minimum: 1, maximum: limits.bundleBytes }),
    metadata: Type.Optional(
      Type.Unsafe<Record<string, string | boolean>>({
        type: "object",
        maxProperties: limits.metadataPairs,
        propertyNames: { minLength: 1, maxLength: limits.metadataKeyChars },
        additionalProperties: { type: ["string", "boolean"], maxLength: limits.metadataValueChars },
      }),
    ),
  },
  { ...noOtherFields, title: "CreateSourceSnapshotRequest" },
);
export type CreateSourceSnapshotRequest = Static<typeof CreateSourceSnapshotRequest>;

export const SourceSnapshotCreated = Type.Object(
  {
    source_snapshot_id: idOutput("sourceSnapshot"),
    upload_url: Type.String({ description: "Absolute URL. Its query authorizes the upload. Send the bytes with PUT." }),
    upload_headers: Type.Record(Type.String(), Type.String()),
    expires_at: timestamp,
    status: oneOf(sourceSnapshotMachine.states),
  },
  { title: "SourceSnapshotCreated" },
);
export type SourceSnapshotCreated = Static<typeof SourceSnapshotCreated>;

export const SourceSnapshotFinalized = Type.Object(
  {
    source_snapshot_id: idOutput("sourceSnapshot"),
    status: oneOf(["ready", "failed"]),
    failure_reason: nullable(Type.String()),
  },
  { title: "SourceSnapshotFinalized" },
);
export type SourceSnapshotFinalized = Static<typeof SourceSnapshotFinalized>;

export const SourceSnapshotManifest = Type.Object(
  {
    source_snapshot_id: idOutput("sourceSnapshot"),
    manifest: Type.Unsafe<Record<string, unknown>>({
      type: "object",
      description: "`dari.yml` with its defaults, as a version of this bundle shows it.",
    }),
    warnings: Type.Array(Type.String()),
  },
  { title: "SourceSnapshotManifest" },
);
export type SourceSnapshotManifest = Static<typeof SourceSnapshotManifest>;

export const BundleUploaded = Type.Object(
  { source_snapshot_id: idOutput("sourceSnapshot"), status: oneOf(sourceSnapshotMachine.states) },
  { title: "BundleUploaded" },
);
export type BundleUploaded = Static<typeof BundleUploaded>;
