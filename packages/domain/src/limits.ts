// Every limit of the platform in one place, with assertions on their relations.

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const limits = {
  /** JSON request bodies. */
  jsonBodyBytes: 4 * MiB,
  messagePartsMax: 64,
  messageTextBytes: 1 * MiB,
  /** A message that others were merged into. A message that does not fit stays separate. */
  mergedPartsMax: 256,
  mergedPartsBytes: 4 * MiB,
  /** The messages that steer one turn, and the bytes of their parts. More wait for their own turn. */
  steeringMessagesPerTurn: 100,
  steeringBytesPerTurn: 4 * MiB,
  /** A page of a list ends before its rows have this many bytes together; it always has its first row. */
  pageBytes: 8 * MiB,
  /** Messages of the conversation that a chat client sends each time, also one of OpenAI's Chat Completions. */
  chatMessagesMax: 2_000,
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
  /** Bytes that wait for slow readers in one API process. A reader that would exceed the limit is disconnected. */
  streamWaitingBytesPerProcess: 256 * MiB,
  streamWaitingBytesPerOrganization: 64 * MiB,
  /** Milliseconds between the comments that keep proxies from closing a stream. */
  streamHeartbeatMs: 15_000,
  /** A reader that reads nothing for this long is disconnected. Milliseconds. */
  streamStalledMs: 60_000,
  /** One preview as JSON; PostgreSQL's notifications carry less than 8,000 bytes. */
  previewBytes: 7_500,
  listLimitMax: 500,
  /** Calls without a valid key that one API process answers to one address per minute. */
  unauthenticatedCallsPerMinute: 1_200,
  /** Objects that one call checks in the store. */
  storeCheckDefault: 100,
  storeCheckMax: 1_000,
  secretValueBytes: 64 * KiB,
  /** Names in a manifest's `secrets`, and the bytes of their values together. Logs are searched for all of them. */
  agentSecretsMax: 100,
  turnSecretBytes: 1 * MiB,
  /** Hosts of all kept credentials of a turn. The certificate authority of its sandbox names each. */
  turnKeptHostsMax: 200,
  /** Hosts of one egress setting, of one manifest, and of one credential. */
  egressHostsMax: 200,
  /** How many encrypted values one call re-encrypts. */
  resealDefault: 200,
  resealMax: 1_000,
  idempotencyKeyChars: 255,
  /** How long a repeated call finds the result of the first one. Milliseconds. */
  idempotencyKeepMs: 48 * 3_600_000,
  credentialsPerOrganization: 500,
  webhookEndpointsPerOrganization: 20,
  webhookUrlChars: 2_048,
  webhookDescriptionChars: 500,
  /** Secrets that sign an endpoint's deliveries at the same time, and how long a replaced one continues to sign. */
  webhookSecretsMax: 5,
  webhookOldSecretMs: 24 * 3_600_000,
  /** One attempt, from the name's resolution to the end of the reply. Milliseconds. */
  webhookTimeoutMs: 15_000,
  /** How many bytes of a receiver's reply are read, and how many characters the delivery's record shows. */
  webhookReplyBytes: 16 * KiB,
  webhookExcerptChars: 1_000,
  /** An endpoint whose attempts have all failed for this long is disabled. Milliseconds. */
  webhookDisableAfterMs: 5 * 24 * 3_600_000,
  /** Deliveries that wait for one endpoint; the sweep disables an endpoint with more. */
  webhookPendingPerEndpoint: 100_000,
  /** How long an ended delivery can be read and sent again. Milliseconds. */
  webhookKeepMs: 14 * 24 * 3_600_000,
  /** Invitations of one organization that have not been accepted. */
  invitationsPerOrganization: 1_000,
  /** How long an invitation, a sign-in link and a device's codes are valid. Milliseconds. */
  invitationMs: 7 * 24 * 3_600_000,
  signInLinkMs: 3_600_000,
  deviceCodeMs: 600_000,
  /** How long a browser stays signed in. Shorter with an identity provider, which then decides again. Milliseconds. */
  signInByLinkMs: 14 * 24 * 3_600_000,
  signInByProviderMs: 12 * 3_600_000,
  /** How long a browser stays signed in with an API key, unless the key ends earlier. Milliseconds. */
  signInByKeyMs: 30 * 24 * 3_600_000,
  /** How long a link that signs a browser in with an API key is valid. Milliseconds. */
  keySignInLinkMs: 600_000,
  /** Browsers that are signed in with one API key. The next one signs the oldest one out. */
  signInsPerKey: 50,
  /** How long the key of a person's device is valid. Milliseconds. */
  deviceKeyMs: 90 * 24 * 3_600_000,
  /** Seconds between two polls of a device. Each early poll adds as many. */
  devicePollSeconds: 5,
  /** The length of links, codes and sign-ins. */
  signInTokenChars: 200,
  /** Tries from one address per minute for links, sign-ins and devices; and codes of one person in ten minutes. */
  signInTriesPerMinute: 120,
  deviceStartsPerMinute: 60,
  userCodeTriesPerTenMinutes: 20,
  /** Devices of the whole installation that wait for a person. */
  devicesWaiting: 10_000,
  /** How many of these one address can have. Addresses are counted like those of calls without a key. */
  devicesWaitingPerAddress: 100,
  schedulesPerOrganization: 500,
  scheduleCronChars: 200,
  /** All parts of a schedule's message, as JSON. */
  schedulePartsBytes: 64 * KiB,
  /** A due time that is not handled within this time is missed. Milliseconds. */
  scheduleLateMs: 300_000,
  /** The most consecutive missed due times that are counted. */
  scheduleMissedMax: 1_000,
  /** How long the outcome of a due time can be read. Milliseconds. */
  scheduleFiringKeepMs: 14 * 24 * 3_600_000,
  triggersPerAgent: 50,
  /** A trigger's template of a text, and its shorter templates. */
  triggerTextChars: 16_384,
  triggerKeyChars: 500,
  /** Placeholders of a template, names in one path, conditions, and values of one condition. */
  triggerPlaceholdersMax: 64,
  triggerPathSteps: 16,
  triggerConditionsMax: 20,
  triggerValuesMax: 50,
  triggerSecretCharsMin: 16,
  triggerSecretCharsMax: 256,
  /** The body of a trigger event, and the text that a template makes of it. A longer text is cut. */
  triggerBodyBytes: 1 * MiB,
  triggerOutputBytes: 256 * KiB,
  /** How far the time of a signature may be off, and how long a replaced secret is accepted. Milliseconds. */
  triggerToleranceMs: 300_000,
  triggerOldSecretMs: 24 * 3_600_000,
  /** Sessions that one call starts. */
  batchSessionsMax: 1_000,
  /** Secrets of all sessions of a batch. Each is encrypted before the call is answered. */
  batchSecretsMax: 10_000,
  /** How long the sessions that a call started can be read. Milliseconds. */
  batchKeepMs: 30 * 24 * 3_600_000,
  /**
   * While both lanes of an organization wait, one in this many of its turns is a background turn, and background turns
   * use at most the same part of its slots (at least one slot).
   */
  backgroundOneIn: 5,
  /** What an agent can ask for in `runtime.memory` and `runtime.cpus`. Operators allow less. */
  turnMemoryBytesMin: 128 * MiB,
  turnMemoryBytesDefault: 4 * GiB,
  turnMemoryBytesMax: 1024 * GiB,
  turnCpusMin: 0.1,
  turnCpusMax: 4_096,
  /** The highest `max_concurrency` of an agent or a batch. */
  maxConcurrencyMax: 10_000,
  /** Waiting and running messages; more are refused. An organization's own limit is in its row. */
  backlogPerOrganization: 10_000,

  /** The ranges of an organization's limits that operators can set. */
  organizationWeightMax: 1_000,
  organizationConcurrencyMax: 100_000,
  organizationBacklogMax: 100_000,
  organizationRetentionDaysMax: 36_500,
  /** Requests or messages per minute, or bytes per hour. */
  organizationRateMax: 1_000_000_000,
  organizationUploadBytesMax: 1024 ** 5,
  organizationStorageBytesMax: 1024 ** 5,
  /** The most objects of each kind that an organization can keep. */
  organizationKeptMax: 10_000_000,
  /** Budgets that the organization can set. Operators can set as many for it. */
  budgetsPerOrganization: 1_000,
  /** The largest limit of a budget. */
  budgetMax: 1_000_000_000_000,
  /** What one usage report covers: days, messages, agents and held sessions; and how far it counts. */
  usageDaysDefault: 7,
  usageDaysMax: 31,
  usageMessagesMax: 50_000,
  /** Messages, and sessions, that one page of session summaries examines. */
  summariesExamined: 3_000,
  /** Sessions whose texts one page of a search reads. */
  summariesSearched: 200,
  /** The newest messages and attempts of a session that its summary sums up. */
  summaryTurns: 200,
  /** Characters of a session's title and last words. Parts and answers with more compressed bytes are not read. */
  summaryTextChars: 300,
  summaryTextBytes: 64 * KiB,
  /** Characters of a text that sessions are searched for, and the longest message or answer that is searched. */
  searchTextChars: 200,
  searchedTextBytes: 64 * KiB,
  /** What one overview covers: days, messages, failures, rows of each list; and how far it counts. */
  overviewDaysDefault: 30,
  overviewDaysMax: 90,
  overviewMessagesMax: 200_000,
  overviewFailuresMax: 1_000,
  overviewRowsMax: 20,
  overviewCountMax: 1_000,
  usageAgentsMax: 100,
  usageHeldMax: 100,
  usageKeptMax: 100_000,
  /** Names of an agent's usage that one sum includes. */
  usageNamesMax: 64,
  /** The most rows of each list of the fleet. */
  fleetRowsMax: 100,
  /** How many waiting turns the pages of the queue board can cover. */
  boardOffsetMax: 100_000,
  /** Default rates of an organization, far above the capacity of an API process. */
  requestsPerMinute: 300_000,
  messagesPerMinute: 120_000,
  uploadBytesPerHour: 4 * 1024 ** 4,
  /**
   * Failed messages that one call retries. It is one transaction, which keeps their sessions' workers from renewing
   * leases.
   */
  bulkRetryMax: 200,
  bulkRetryDefault: 100,

  /** Uploaded files. */
  fileBytes: 5 * GiB,
  /**
   * Disk space of one API process for workspace files, imports and bundles that are being checked. An organization may
   * use half of it.
   */
  scratchBytes: 32 * GiB,
  filenameBytes: 255,

  /** Bundles: what `dari deploy` uploads. */
  bundleBytes: 256 * MiB,
  bundleEntries: 20_000,
  bundleUnpackedBytes: 1 * GiB,
  bundlePathBytes: 1024,
  manifestBytes: 256 * KiB,
  /**
   * Calls that list or read a published bundle at the same time, each inflating it: per process, and per organization.
   */
  bundleReadsPerProcess: 4,
  bundleReadsPerOrganization: 2,
  /** A file of a published bundle that one call returns as text. */
  bundleFileTextBytes: 1 * MiB,
  /** How many names a manifest's `env` can list. */
  environmentNamesMax: 256,
  uploadUrlSeconds: 3600,
  /** How long a signed URL for reading a file from the object store is valid. */
  downloadUrlSecondsDefault: 300,
  downloadUrlSecondsMax: 3600,

  /** Workspaces. */
  workspaceBytes: 10 * GiB,
  workspaceFiles: 200_000,
  workspaceFileBytes: 5 * GiB,
  /**
   * The holes of all sparse files that a turn wrote. They use no disk, but the worker hashes and packs them like other
   * bytes.
   */
  workspaceHoleBytes: 1 * GiB,
  workspacePathBytes: 4096,
  /** Paths of one request for an archive of a workspace. */
  archivePathsMax: 1_000,
  /** A turn's changes as text: of one file, and of all files. Larger changes are listed without text. */
  diffFileBytes: 1 * MiB,
  diffBytes: 8 * MiB,

  /** Exported sessions: the compressed file, the conversation in it, and each entry. */
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
  /** Claims that were lost or released before the entrypoint was called. After this many, the message fails. */
  uncountedClaimsMax: 50,
  /**
   * Claims that the platform itself failed before the call. After this many, the message fails with `internal_error`.
   */
  platformRetriesMax: 10,
  /** The part of its conversation that an agent gets: the newest messages within both limits. */
  historyMessages: 200,
  historyBytes: 4 * MiB,
  outputBytes: 8 * MiB,
  /** How much of an interrupted turn's answer the conversation keeps. */
  partialTextBytes: 1 * MiB,
  outputPartsMax: 256,
  /** Refused and failed connections in the notes of an answer without text and files. */
  outputNotesConnections: 10,
  agentEventBytes: 256 * KiB,
  agentEventsPerAttempt: 10_000,
  /** Events of one attempt about model requests, tool calls and the like. The next ones are only counted. */
  activityEventsPerAttempt: 10_000,
  /** The arguments of a tool call, its result, or a text of the model, in one such event. Longer ones are cut. */
  activityValueBytes: 16 * KiB,
  /**
   * The whole of a value that was cut, or a picture or other binary part of a result: one, all of an attempt together,
   * and how many an attempt has. What exceeds them stays cut.
   */
  valueBytes: 8 * MiB,
  valueBytesPerAttempt: 64 * MiB,
  valuesPerAttempt: 1_000,
  /** Bytes of values that wait for their upload; from here on, the agent waits. */
  valueBytesWaiting: 16 * MiB,
  /** How long the end of an attempt waits for its values, in milliseconds. */
  valuesWaitMs: 10_000,
  /** Calls that read whole values of tool calls into memory at the same time: per process, and per organization. */
  valueReadsPerProcess: 8,
  valueReadsPerOrganization: 4,
  /** The error of a model request in such an event. */
  activityErrorChars: 8_000,
  /** Numbers of a model request's usage. */
  activityUsageNames: 32,
  /** Previews of reasoning and of tool calls' arguments that one attempt sends, as JSON. More are not sent. */
  activityPreviewBytes: 8 * MiB,
  /** Todos of a plan, and the length of each. */
  planItems: 50,
  planItemChars: 500,
  /** Limits of one line of JSON from a sandbox, checked before it is parsed. */
  agentJsonDepth: 128,
  agentJsonValues: 300_000,
  logBytesPerAttempt: 1 * MiB,
  harnessFrameBytes: 16 * MiB,
  /** Inputs that an agent asks for during a message: how many, how large, and how long it waits. */
  inputsPerMessage: 32,
  inputKeyChars: 128,
  inputPromptChars: 2_000,
  inputSchemaBytes: 16 * KiB,
  inputWaitSecondsDefault: 7 * 86_400,
  inputWaitSecondsMax: 30 * 86_400,
  /** JSON values of a schema, and of an answer. The check compares each value of one with each of the other at most. */
  inputSchemaValues: 1_000,
  /** Schemas, with those in oneOf counted three times, and checking keywords. All are compiled for every answer. */
  inputSchemaRules: 256,
  /** How deep schemas can be nested. */
  inputSchemaDepth: 16,
  /** Keywords that read a whole text. Those that count an object's names count four times. */
  inputSchemaLengthBounds: 48,
  inputAnswerBytes: 64 * KiB,
  inputAnswerValues: 4_096,
  /** Values of the schema times values of the answer. */
  inputAnswerSteps: 50_000,
  /** Loading an agent's code, before its entrypoint is called. Milliseconds. */
  agentLoadMs: 120_000,

  /** The default length of a worker's lease of a turn. Milliseconds. */
  leaseMs: 15_000,
  /** A worker renews a lease this many times within its length; the reaper runs at least as often. */
  leaseRenewals: 3,
  /** The default interval of the reaper. Milliseconds. */
  reapEveryMs: 1_000,
  dispatchTtlMs: 5_000,
  syncWaitMs: 3_600_000,
  shutdownGraceMs: 30_000,

  /** Builds. */
  buildTimeoutMs: 600_000,
  /** Builds that were lost with their worker, or failed by the platform. After this many, the version fails. */
  buildLossesMax: 3,
  buildLogBytes: 4 * MiB,
  /** Each program of a build: its memory, its /tmp on the disk, and its other disk space. */
  buildMemoryBytes: 4 * GiB,
  buildTmpBytes: 8 * GiB,
  buildDiskBytes: 12 * GiB,
  buildDiskFiles: 1_000_000,
  entrypointCheckMs: 30_000,
  /** Images: a bundle with its installed dependencies. */
  imageUnpackedBytes: 4 * GiB,
  imageEntries: 400_000,
  /** Files of a bundle that appear in a turn's working directory (CLAUDE.md, .claude and similar). */
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
assert(
  limits.triggerBodyBytes <= limits.messageTextBytes && limits.triggerOutputBytes <= limits.messageTextBytes,
  "the body and the text of an event fit into parts of a message",
);
assert(limits.idempotencyKeepMs > 2 * limits.triggerToleranceMs, "a repeated event is found while its time is valid");
assert(limits.harnessFrameBytes > (limits.valueBytes / 3) * 4 + 1024, "a frame holds a value in base64");
assert(limits.harnessFrameBytes > limits.outputBytes, "harnessFrameBytes > outputBytes");
assert(2 * limits.agentJsonValues > 2 * limits.agentEventBytes, "every event within its bytes is within its values");
assert(limits.jsonBodyBytes > limits.messageTextBytes, "jsonBodyBytes > messageTextBytes");
assert(limits.bundleUnpackedBytes >= limits.bundleBytes, "bundleUnpackedBytes >= bundleBytes");
assert(limits.imageUnpackedBytes >= limits.bundleUnpackedBytes, "imageUnpackedBytes >= bundleUnpackedBytes");
