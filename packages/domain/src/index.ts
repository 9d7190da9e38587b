// The vocabulary and the rules of the platform. Imports no other package of this repository.

export { agentNameExpected, agentNamePattern, isAgentName, looksLikeAgentId } from "./agent-name.ts";
export { AppError, appErrorCodes, type AppErrorCode, type FieldIssue } from "./app-error.ts";
export { didYouMean, similarWord } from "./did-you-mean.ts";
export { connectedAppLimits } from "./connected-app-limits.ts";
export { createWakeSignal, type WakeSignal } from "./wake-signal.ts";
export {
  egressHostChars,
  egressHostExpected,
  egressHostPattern,
  egressModes,
  isEgressHost,
  parseEgressHost,
  type EgressHost,
  type EgressMode,
  type EgressSetting,
} from "./egress.ts";
export { failure, failureCodes, isRetryable, retryAdvice, type Failure, type FailureCode } from "./failure.ts";
export { agentIdFromWire, deploymentIdOf, idPrefixes, isId, newId, type IdKind } from "./ids.ts";
export { inputKeyPattern, isInputKey } from "./input-key.ts";
export { isLoopbackHost } from "./loopback.ts";
export { limits } from "./limits.ts";
export { mcpLimits } from "./mcp-limits.ts";
export { sessionTokenLimits } from "./session-token-limits.ts";
export { stepLimits } from "./step-limits.ts";
export {
  answerRecordings,
  declaredModelLimits,
  microPerDollar,
  recordedAnswerLimits,
  modelEndpoint,
  recordingDaysMax,
  modelFormats,
  modelRequestLimits,
  modelSchemes,
  priceLimits,
  showUsd,
  unpricedReasons,
  unreadReasons,
  type AnswerRecording,
  type DeclaredModel,
  type MessageLimits,
  type ModelAnswer,
  type ModelFormat,
  type ModelScheme,
  type ModelTokens,
  type ReachedLimit,
  type UnpricedReason,
  type UnreadReason,
} from "./model-requests.ts";
export { memorySizePattern, parseMemorySize, showMemorySize } from "./memory-size.ts";
export { type Machine } from "./machine.ts";
export { leafFilename, normalizeWorkspacePath, numberedFilename } from "./paths.ts";
export { Redacted } from "./redacted.ts";
export { lowestRelease, release, releases } from "./release.ts";
export { requireFound, invalidField, notFound } from "./not-found.ts";
export { createScrubber, type Scrubber, type ScrubStream } from "./scrub/scrubber.ts";
export { backoffMs, defaultBackoff, type BackoffPolicy } from "./retry.ts";
export {
  attemptOutcomes,
  firingOutcomes,
  inputMachine,
  messageMachine,
  lanes,
  onBusyChoices,
  overlapPolicies,
  repeatedOutcomes,
  scheduleMachine,
  schedulePauseReasons,
  sessionMachine,
  sourceSnapshotMachine,
  versionMachine,
  webhookDeliveryMachine,
  type AttemptOutcome,
  type FiringOutcome,
  type InputState,
  type MessageState,
  type Lane,
  type OnBusy,
  type OverlapPolicy,
  type SchedulePauseReason,
  type ScheduleState,
  type SessionState,
  type SourceSnapshotState,
  type VersionState,
  type WebhookDeliveryState,
} from "./states.ts";
export { createListeners, type Listeners } from "./listeners.ts";
export type { Admission, DispatchedTurn, Log, Notifier, Preview, Previews, TurnDelivery, WakeTopic } from "./ports.ts";
export { decodePreview, encodePreview } from "./preview.ts";
export { waitUntilSettled, sharedWaitMs } from "./wait-until-settled.ts";
export { createSharedCount, type SharedBounds } from "./shared-count.ts";
export { createSharedLook, type SharedLook } from "./shared-look.ts";
export { msToNextTick } from "./shared-tick.ts";
export { createRaceWith } from "./race-with.ts";
export { createWakeRegistry } from "./wake-registry.ts";
export { renderStatesMarkdown } from "./states-page.ts";
export { webhookAttemptsMax, webhookRetryMs, webhookRetrySeconds } from "./webhooks.ts";
export type { WorkerReport } from "./worker-report.ts";
