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
  /** Open event streams of one API process, and of one organization in it. */
  streamsPerProcess: 10_000,
  streamsPerOrganization: 2_000,
  /** Events that a stream reads at a time; the first is always read. */
  streamPageBytes: 256 * KiB,
  /** What readers that are slow for a while may keep waiting in one API process; who needs more is cut off. */
  streamWaitingBytesPerProcess: 256 * MiB,
  streamWaitingBytesPerOrganization: 64 * MiB,
  /** Milliseconds between the comments that keep proxies from closing a stream. */
  streamHeartbeatMs: 15_000,
  /** A reader that takes nothing for so long is cut off: milliseconds. */
  streamStalledMs: 60_000,
  /** One preview as JSON; PostgreSQL's notifications carry less than 8,000 bytes. */
  previewBytes: 7_500,
  listLimitMax: 500,
  /** Calls without a valid key that one API process answers one address in a minute. */
  unauthenticatedCallsPerMinute: 1_200,
  /** Objects that one call looks at in the store. */
  storeCheckDefault: 100,
  storeCheckMax: 1_000,
  secretValueBytes: 64 * KiB,
  /** Names in a manifest's `secrets`, and the bytes of their values together: all of them are looked for in logs. */
  agentSecretsMax: 100,
  turnSecretBytes: 1 * MiB,
  /** Hosts of a turn's kept credentials together: the authority of its sandbox names each. */
  turnKeptHostsMax: 200,
  /** Hosts of one egress setting, of a manifest, and of one credential. */
  egressHostsMax: 200,
  /** How many sealed values one call seals again. */
  resealDefault: 200,
  resealMax: 1_000,
  idempotencyKeyChars: 255,
  /** How long a repeated call finds what the first one made, in milliseconds. */
  idempotencyKeepMs: 48 * 3_600_000,
  credentialsPerOrganization: 500,
  webhookEndpointsPerOrganization: 20,
  webhookUrlChars: 2_048,
  webhookDescriptionChars: 500,
  /** Secrets that sign one endpoint's deliveries at once, and how long a replaced one still does. */
  webhookSecretsMax: 5,
  webhookOldSecretMs: 24 * 3_600_000,
  /** One attempt, from the look-up of the name to the end of the reply: milliseconds. */
  webhookTimeoutMs: 15_000,
  /** How many bytes of a receiver's reply are read, and how many characters the delivery's record shows. */
  webhookReplyBytes: 16 * KiB,
  webhookExcerptChars: 1_000,
  /** An endpoint of which every attempt has failed for so long is disabled: milliseconds. */
  webhookDisableAfterMs: 5 * 24 * 3_600_000,
  /** Deliveries that wait for one endpoint; the sweep disables an endpoint with more. */
  webhookPendingPerEndpoint: 100_000,
  /** How long a delivery that has ended can be looked at and sent again: milliseconds. */
  webhookKeepMs: 14 * 24 * 3_600_000,
  /** Invitations of one organization that nobody has accepted. */
  invitationsPerOrganization: 1_000,
  /** How long an invitation, a link that signs in, and a device's codes are good: milliseconds. */
  invitationMs: 7 * 24 * 3_600_000,
  signInLinkMs: 3_600_000,
  deviceCodeMs: 600_000,
  /** How long a browser stays signed in, in milliseconds. Shorter with a provider, which decides again who belongs. */
  signInByLinkMs: 14 * 24 * 3_600_000,
  signInByProviderMs: 12 * 3_600_000,
  /** How long the key of a person's device is good: milliseconds. */
  deviceKeyMs: 90 * 24 * 3_600_000,
  /** Seconds between two polls of a device; each poll that comes too early adds as many. */
  devicePollSeconds: 5,
  /** Links, codes and sign-ins as they are sent. */
  signInTokenChars: 200,
  /** Tries from one address in a minute: links, sign-ins and devices; and codes of one person in ten minutes. */
  signInTriesPerMinute: 120,
  deviceStartsPerMinute: 60,
  userCodeTriesPerTenMinutes: 20,
  /** Devices that wait for a person, of the whole installation. */
  devicesWaiting: 10_000,
  /** How many of these one address can have. Addresses are counted like those of calls without a key. */
  devicesWaitingPerAddress: 100,
  schedulesPerOrganization: 500,
  scheduleCronChars: 200,
  /** The parts of a schedule's message together, as JSON. */
  schedulePartsBytes: 64 * KiB,
  /** A due time that nobody acted on for so long is missed: milliseconds. */
  scheduleLateMs: 300_000,
  /** Due times that passed in a row are counted no further. */
  scheduleMissedMax: 1_000,
  /** How long it can be looked up what came of a due time: milliseconds. */
  scheduleFiringKeepMs: 14 * 24 * 3_600_000,
  /** Sessions that one call starts. */
  batchSessionsMax: 1_000,
  /** Secrets of all sessions of a batch together: each is sealed before the call is answered. */
  batchSecretsMax: 10_000,
  /** How long it can be looked up which sessions a call started: milliseconds. */
  batchKeepMs: 30 * 24 * 3_600_000,
  /**
   * While both lanes of an organization wait, one in this many of its turns is a background turn, and background turns
   * hold at most the same part of its slots (one slot at least).
   */
  backgroundOneIn: 5,
  /** The highest `max_concurrency` of an agent or a batch. */
  maxConcurrencyMax: 10_000,
  /** Messages that wait or run; more are refused. An organization's own bound stands in its row. */
  backlogPerOrganization: 10_000,

  /** What operators may set of an organization. */
  organizationWeightMax: 1_000,
  organizationConcurrencyMax: 100_000,
  organizationBacklogMax: 100_000,
  organizationRetentionDaysMax: 36_500,
  /** Per minute, of requests and of messages; and bytes per hour. */
  organizationRateMax: 1_000_000_000,
  organizationUploadBytesMax: 1024 ** 5,
  organizationStorageBytesMax: 1024 ** 5,
  /** The most objects of each kind that an organization can keep. */
  organizationKeptMax: 10_000_000,
  /** Budgets that the organization can set. Operators can set as many for it. */
  budgetsPerOrganization: 1_000,
  /** The largest limit of a budget. */
  budgetMax: 1_000_000_000_000,
  /** Days, messages, agents and held sessions that one look at what is used tells of; and how far it counts. */
  usageDaysDefault: 7,
  usageDaysMax: 31,
  usageMessagesMax: 50_000,
  usageAgentsMax: 100,
  usageHeldMax: 100,
  usageKeptMax: 100_000,
  /** Names of an agent's usage that one sum tells of. */
  usageNamesMax: 64,
  /** The most rows of each list that shows operators the fleet. */
  fleetRowsMax: 100,
  /** How far into what waits the queue board turns its pages, in turns. */
  boardOffsetMax: 100_000,
  /** What an organization may send in a while, by default: far above what an API process can take. */
  requestsPerMinute: 300_000,
  messagesPerMinute: 120_000,
  uploadBytesPerHour: 4 * 1024 ** 4,
  /**
   * Failed messages that one call retries: one transaction, which keeps their sessions' workers from renewing leases.
   */
  bulkRetryMax: 200,
  bulkRetryDefault: 100,

  /** Uploaded files. */
  fileBytes: 5 * GiB,
  /**
   * What calls hold on the disk of one API process while they are judged: files of workspaces, imports, bundles. An
   * organization has half of it.
   */
  scratchBytes: 32 * GiB,
  filenameBytes: 255,

  /** Bundles: what `dari deploy` uploads. */
  bundleBytes: 256 * MiB,
  bundleEntries: 20_000,
  bundleUnpackedBytes: 1 * GiB,
  bundlePathBytes: 1024,
  manifestBytes: 256 * KiB,
  /** Calls that list or read a published bundle at once, each inflating it: of one process, and of an organization. */
  bundleReadsPerProcess: 4,
  bundleReadsPerOrganization: 2,
  /** A file of a published bundle that one call returns as text. */
  bundleFileTextBytes: 1 * MiB,
  /** How many names a manifest's `env` may list. */
  environmentNamesMax: 256,
  uploadUrlSeconds: 3600,
  /** How long a URL is good under which a file is read from the object store. */
  downloadUrlSecondsDefault: 300,
  downloadUrlSecondsMax: 3600,

  /** Workspaces. */
  workspaceBytes: 10 * GiB,
  workspaceFiles: 200_000,
  workspaceFileBytes: 5 * GiB,
  /**
   * Parts of sparse files that a turn leaves unwritten, all files together. They use no disk, but the worker hashes and
   * packs them like all other bytes.
   */
  workspaceHoleBytes: 1 * GiB,
  workspacePathBytes: 4096,
  /** Paths that one archive of a workspace may be asked for. */
  archivePathsMax: 1_000,
  /** A turn's changes as text: of one file's content, and of the whole. More is only named. */
  diffFileBytes: 1 * MiB,
  diffBytes: 8 * MiB,

  /** Exported sessions: the compressed file, and of what is in it, the conversation and each of its members. */
  exportBytes: 32 * GiB,
  exportConversationBytes: 2 * GiB,
  exportMemberBytes: 64 * MiB,
  exportMessages: 100_000,
  exportUploads: 10_000,
  exportUploadBytes: 10 * GiB,

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
  /** What an interrupted turn had said so far, as far as the conversation keeps it. */
  partialTextBytes: 1 * MiB,
  outputPartsMax: 256,
  /** Refused and failed connections that the notes of an answer without text and files name. */
  outputNotesConnections: 10,
  agentEventBytes: 256 * KiB,
  agentEventsPerAttempt: 10_000,
  /** Limits of one line of JSON from a sandbox, checked before it is parsed. */
  agentJsonDepth: 128,
  agentJsonValues: 300_000,
  logBytesPerAttempt: 1 * MiB,
  harnessFrameBytes: 16 * MiB,
  /** What an agent asks for in the middle of a message: how much of it, how large, and how long it waits. */
  inputsPerMessage: 32,
  inputKeyChars: 128,
  inputPromptChars: 2_000,
  inputSchemaBytes: 16 * KiB,
  inputWaitSecondsDefault: 7 * 86_400,
  inputWaitSecondsMax: 30 * 86_400,
  /** JSON values of a schema, and of an answer: checking compares each of the one with each of the other at most. */
  inputSchemaValues: 1_000,
  /** Schemas, those in oneOf thrice, and keywords that check something: all are compiled for every answer. */
  inputSchemaRules: 256,
  /** How deep schemas can be nested. */
  inputSchemaDepth: 16,
  /** Keywords that read all of a text; those that count the names of an object count four times. */
  inputSchemaLengthBounds: 48,
  inputAnswerBytes: 64 * KiB,
  inputAnswerValues: 4_096,
  /** Values of the schema times values of the answer. */
  inputAnswerSteps: 50_000,
  /** Loading an agent's code, before its entrypoint is called: milliseconds. */
  agentLoadMs: 120_000,

  /** Default length of a worker's lease of a turn: milliseconds. */
  leaseMs: 15_000,
  /** A worker renews a lease this often within its length; the reaper looks at least as often. */
  leaseRenewals: 3,
  /** Default time between two looks of the reaper: milliseconds. */
  reapEveryMs: 1_000,
  dispatchTtlMs: 5_000,
  syncWaitMs: 3_600_000,
  shutdownGraceMs: 30_000,

  /** Builds. */
  buildTimeoutMs: 600_000,
  /** Builds lost with their worker, or failed by the platform; past this the version fails. */
  buildLossesMax: 3,
  buildLogBytes: 4 * MiB,
  /** Each program of a build: memory, /tmp on the disk, and what else it may hold on the disk. */
  buildMemoryBytes: 4 * GiB,
  buildTmpBytes: 8 * GiB,
  buildDiskBytes: 12 * GiB,
  buildDiskFiles: 1_000_000,
  entrypointCheckMs: 30_000,
  /** Images: a bundle with its installed dependencies. */
  imageUnpackedBytes: 4 * GiB,
  imageEntries: 400_000,
  /** Files of a bundle that a turn sees in its working directory (CLAUDE.md, .claude and the like). */
  sdkFilesMax: 2_000,
  sdkFilesBytes: 16 * MiB,
} as const;

function assert(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`limits: ${relation} does not hold`);
}

assert(limits.leaseMs >= limits.leaseRenewals * limits.reapEveryMs, "leaseMs >= leaseRenewals x reapEveryMs");
assert(limits.streamStalledMs >= 3 * limits.streamHeartbeatMs, "streamStalledMs >= 3 x streamHeartbeatMs");
assert(limits.shutdownGraceMs > limits.leaseMs, "shutdownGraceMs > leaseMs");
assert(
  limits.harnessFrameBytes >
    limits.historyBytes + limits.jsonBodyBytes + limits.inputsPerMessage * limits.inputAnswerBytes,
  "a frame holds history, message and answers",
);
assert(
  limits.scratchBytes / 2 >= limits.workspaceBytes + limits.exportConversationBytes + limits.bundleBytes,
  "an organization has room for an import",
);
assert(limits.deviceCodeMs > 10_000 * limits.devicePollSeconds, "deviceCodeMs > 10 polls");
assert(limits.mergedPartsBytes <= limits.jsonBodyBytes, "mergedPartsBytes <= jsonBodyBytes");
assert(limits.harnessFrameBytes > limits.outputBytes, "harnessFrameBytes > outputBytes");
assert(2 * limits.agentJsonValues > 2 * limits.agentEventBytes, "every event within its bytes is within its values");
assert(limits.jsonBodyBytes > limits.messageTextBytes, "jsonBodyBytes > messageTextBytes");
assert(limits.bundleUnpackedBytes >= limits.bundleBytes, "bundleUnpackedBytes >= bundleBytes");
assert(limits.imageUnpackedBytes >= limits.bundleUnpackedBytes, "imageUnpackedBytes >= bundleUnpackedBytes");
