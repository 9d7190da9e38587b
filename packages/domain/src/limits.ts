// Every bound of the platform in one place, with their relations asserted at load.

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const limits = {
  /** JSON request bodies. */
  jsonBodyBytes: 4 * MiB,
  messagePartsMax: 64,
  messageTextBytes: 1 * MiB,
  /** A message that others were merged into; what does not fit stays a message of its own. */
  mergedPartsMax: 256,
  mergedPartsBytes: 4 * MiB,
  /** Rows of a list stop before they have this many bytes together; the first is always shown. */
  pageBytes: 8 * MiB,
  metadataPairs: 64,
  metadataKeyChars: 64,
  metadataValueChars: 2048,
  nameChars: 200,
  listLimitDefault: 50,
  listLimitMax: 500,
  secretValueBytes: 64 * KiB,
  idempotencyKeyChars: 255,
  /** How long a repeated call finds what the first one made, in milliseconds. */
  idempotencyKeepMs: 48 * 3_600_000,
  credentialsPerOrganization: 500,
  /** Messages that wait or run; more are refused. An organization's own bound stands in its row. */
  backlogPerOrganization: 10_000,

  /** Uploaded files. */
  fileBytes: 5 * GiB,
  filenameBytes: 255,

  /** Bundles: what `dari deploy` uploads. */
  bundleBytes: 256 * MiB,
  bundleMembers: 20_000,
  bundleUnpackedBytes: 1 * GiB,
  bundlePathBytes: 1024,
  manifestBytes: 256 * KiB,
  /** How many names a manifest's `secrets`, and its `env`, may list. */
  environmentNamesMax: 256,
  uploadUrlSeconds: 3600,

  /** Workspaces. */
  workspaceBytes: 10 * GiB,
  workspaceFiles: 200_000,
  workspaceFileBytes: 5 * GiB,
  workspacePathBytes: 4096,

  /** Turns. */
  turnTimeoutSecondsDefault: 1800,
  turnTimeoutSecondsMax: 86_400,
  maxAttemptsMax: 100,
  /** Claims that were lost or given back before the entrypoint was called; past this the message fails. */
  uncountedClaimsMax: 50,
  /** Claims that the platform itself failed before the call; past this the message fails with `internal_error`. */
  platformRetriesMax: 10,
  /** What an agent is shown of its conversation: the newest messages within both bounds. */
  historyMessages: 200,
  historyBytes: 4 * MiB,
  outputBytes: 8 * MiB,
  outputPartsMax: 256,
  agentEventBytes: 256 * KiB,
  agentEventsPerAttempt: 10_000,
  logBytesPerAttempt: 1 * MiB,
  harnessFrameBytes: 16 * MiB,
  /** Loading an agent's code, before its entrypoint is called: milliseconds. */
  agentLoadMs: 120_000,

  /** Leases: milliseconds, defaults. */
  leaseMs: 15_000,
  leaseRenewMs: 5_000,
  reapEveryMs: 1_000,
  dispatchTtlMs: 5_000,
  syncWaitMs: 3_600_000,
  shutdownGraceMs: 30_000,

  /** Builds. */
  buildTimeoutMs: 600_000,
  /** Builds lost with their worker, or failed by the platform; past this the version fails. */
  buildLossesMax: 3,
  buildLogBytes: 4 * MiB,
  entrypointCheckMs: 30_000,
  /** Images: a bundle with its installed dependencies. */
  imageUnpackedBytes: 4 * GiB,
  imageMembers: 400_000,
} as const;

function assert(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`limits: ${relation} does not hold`);
}

assert(limits.leaseMs >= 3 * limits.leaseRenewMs, "leaseMs >= 3 x leaseRenewMs");
assert(limits.shutdownGraceMs > limits.leaseMs, "shutdownGraceMs > leaseMs");
assert(limits.harnessFrameBytes > limits.historyBytes + limits.jsonBodyBytes, "a frame holds history and message");
assert(limits.mergedPartsBytes <= limits.jsonBodyBytes, "mergedPartsBytes <= jsonBodyBytes");
assert(limits.harnessFrameBytes > limits.outputBytes, "harnessFrameBytes > outputBytes");
assert(limits.jsonBodyBytes > limits.messageTextBytes, "jsonBodyBytes > messageTextBytes");
assert(limits.bundleUnpackedBytes >= limits.bundleBytes, "bundleUnpackedBytes >= bundleBytes");
assert(limits.imageUnpackedBytes >= limits.bundleUnpackedBytes, "imageUnpackedBytes >= bundleUnpackedBytes");
