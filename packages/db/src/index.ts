// All SQL of the platform. Queries are grouped by the table or the subject that they serve.

import * as answerRecording from "./queries/answer-recording.ts";
import * as allowedOrigins from "./queries/allowed-origins.ts";
import * as agents from "./queries/agents.ts";
import * as apiKeys from "./queries/api-keys.ts";
import * as attemptLogs from "./queries/attempt-logs.ts";
import * as auditEntries from "./queries/audit-entries.ts";
import * as budgets from "./queries/budgets.ts";
import * as egressSettings from "./queries/egress-settings.ts";
import * as buildLogs from "./queries/build-logs.ts";
import * as credentials from "./queries/credentials.ts";
import * as events from "./queries/events.ts";
import * as failedMessages from "./queries/failed-messages.ts";
import * as fleet from "./queries/fleet.ts";
import * as files from "./queries/files.ts";
import * as heads from "./queries/heads.ts";
import * as health from "./queries/health.ts";
import * as idempotencyKeys from "./queries/idempotency-keys.ts";
import * as invitations from "./queries/invitations.ts";
import * as members from "./queries/members.ts";
import * as messageInputs from "./queries/message-inputs.ts";
import * as messageSteps from "./queries/message-steps.ts";
import * as messageValues from "./queries/message-values.ts";
import * as modelPrices from "./queries/model-prices.ts";
import * as modelAnswers from "./queries/model-answers.ts";
import * as modelRequests from "./queries/model-requests.ts";
import * as messages from "./queries/messages.ts";
import * as objects from "./queries/objects.ts";
import * as organizations from "./queries/organizations.ts";
import * as purges from "./queries/purge-deleted.ts";
import * as rateWindows from "./queries/rate-windows.ts";
import * as recordings from "./queries/recordings.ts";
import * as retention from "./queries/retention.ts";
import * as scheduleFirings from "./queries/schedule-firings.ts";
import * as schedules from "./queries/schedules.ts";
import * as sealedValues from "./queries/sealed-values.ts";
import * as sessionBatches from "./queries/session-batches.ts";
import * as sessionExports from "./queries/session-exports.ts";
import * as sessionImports from "./queries/session-imports.ts";
import * as sessionSummaries from "./queries/session-summaries.ts";
import * as sessionTokens from "./queries/session-tokens.ts";
import * as sessions from "./queries/sessions.ts";
import * as sourceSnapshots from "./queries/source-snapshots.ts";
import * as overview from "./queries/overview.ts";
import * as connectedApps from "./queries/connected-apps.ts";
import * as conversationDigests from "./queries/conversation-digests.ts";
import * as toolCalls from "./queries/tool-calls.ts";
import * as usage from "./queries/usage.ts";
import * as versions from "./queries/versions.ts";
import * as builds from "./queries/builds.ts";
import * as dependencyLayers from "./queries/dependency-layers.ts";
import * as dispatch from "./queries/dispatch.ts";
import * as deviceRequests from "./queries/device-requests.ts";
import * as signInTries from "./queries/sign-in-tries.ts";
import * as signIns from "./queries/sign-ins.ts";
import * as sideSnapshots from "./queries/side-snapshots.ts";
import * as snapshots from "./queries/snapshots.ts";
import * as squashes from "./queries/squashes.ts";
import * as takeovers from "./queries/worker-by-pid.ts";
import * as readiness from "./queries/readiness.ts";
import * as triggers from "./queries/triggers.ts";
import * as turnDetails from "./queries/turn-details.ts";
import * as steering from "./queries/steering.ts";
import * as turnJobs from "./queries/turn-jobs.ts";
import * as turns from "./queries/turns.ts";
import * as webhookDeliveries from "./queries/webhook-deliveries.ts";
import * as webhookEndpoints from "./queries/webhook-endpoints.ts";
import * as webhookOutbox from "./queries/webhook-outbox.ts";
import * as workers from "./queries/workers.ts";

export {
  budgets,
  egressSettings,
  builds,
  dependencyLayers,
  deviceRequests,
  dispatch,
  readiness,
  sideSnapshots,
  signInTries,
  signIns,
  snapshots,
  steering,
  takeovers,
  triggers,
  turnDetails,
  turnJobs,
  turns,
  webhookDeliveries,
  webhookEndpoints,
  webhookOutbox,
  workers,
};
export {
  allowedOrigins,
  answerRecording,
  agents,
  apiKeys,
  connectedApps,
  attemptLogs,
  auditEntries,
  buildLogs,
  credentials,
  events,
  failedMessages,
  files,
  fleet,
  heads,
  health,
  idempotencyKeys,
  invitations,
  members,
  messageInputs,
  messages,
  messageSteps,
  messageValues,
  modelPrices,
  modelAnswers,
  modelRequests,
  objects,
  organizations,
  purges,
  rateWindows,
  recordings,
  retention,
  scheduleFirings,
  schedules,
  sealedValues,
  sessionBatches,
  sessionExports,
  sessionImports,
  sessionSummaries,
  sessionTokens,
  sessions,
  sourceSnapshots,
  squashes,
  overview,
  conversationDigests,
  toolCalls,
  usage,
  versions,
};
export { coalesceReads } from "./coalesce-reads.ts";
export { withinTransaction, openDatabase, withSavepoint, withTransaction, type Database } from "./database.ts";
export { readDueWork, readWorkerWork, type DueWork, type WorkerWork } from "./queries/due-work.ts";
export { getRowSecurityState } from "./row-security.ts";
export { migrate, newestMigration } from "./migrate.ts";
export { createPgNotifier } from "./notifier.ts";
export { withOnlineBackup } from "./online-backup.ts";
export { createPgPreviews } from "./previews.ts";
export { createInvariantRounds, type InvariantRounds } from "./queries/invariant-rounds.ts";
export { findViolations, invariants, type Violation } from "./queries/invariants.ts";
export type { EgressSetter, EgressSettingRow } from "./queries/egress-settings.ts";
export type { BudgetRow, NewBudget } from "./queries/budgets.ts";
export type { BuildClaim, BuildJob } from "./queries/builds.ts";
export type { DependencyLayerClaimant } from "./queries/dependency-layers.ts";
export type { FleetLoad, SlotGrant, OrganizationShare, ReapedSession } from "./queries/dispatch.ts";
export type { WaitingTurn } from "./queries/fleet.ts";
export type { ReferencedObject, StoredObject } from "./queries/objects.ts";
export type { DeepSnapshot, ObjectUse } from "./queries/squashes.ts";
export type { SentAttachment } from "./queries/side-snapshots.ts";
export type {
  AttachmentToPlace,
  PlacedAttachment,
  HistoryRow,
  ModelAnswerRow,
  RecordedStep,
  TakenMessage,
  TurnEgress,
  TurnReplay,
  TurnResume,
} from "./queries/turn-details.ts";
export type {
  AcceptedMessage,
  Claim,
  Claimant,
  ClaimedTurn,
  ClaimResult,
  FinishInput,
  FinishResult,
  InputAsked,
  LogLine,
  AttachedFile,
  RenewedLease,
  TurnEnding,
  TurnSnapshot,
} from "./queries/turns.ts";
export type { AgentRow } from "./queries/agents.ts";
export type { SessionSummaryRow, SummaryFilter } from "./queries/session-summaries.ts";
export type { ApiKeyRow, KeyRates, UsableApiKey } from "./queries/api-keys.ts";
export type { AdvancedApp, AppState, ConnectedAppRow } from "./queries/connected-apps.ts";
export type { AuditEntryRow } from "./queries/audit-entries.ts";
export type { CredentialRow } from "./queries/credentials.ts";
export type { EventRow, EventsAfter } from "./queries/events.ts";
export type { FailedFilter, FailedMessageRow } from "./queries/failed-messages.ts";
export type { FileRow } from "./queries/files.ts";
export type { ForkOutcome, HeadWrite, RollbackOutcome, WriteOutcome } from "./queries/heads.ts";
export type { ApprovedDevice } from "./queries/device-requests.ts";
export type { InvitationRow } from "./queries/invitations.ts";
export type { MemberRefusal, MemberRow, VerifiedPerson } from "./queries/members.ts";
export type { AnsweredInput } from "./queries/message-inputs.ts";
export type { AskedInput, MessageRow, MessageWalk } from "./queries/messages.ts";
export type { OrganizationRow, TurnBounds, WorkspaceBounds } from "./queries/organizations.ts";
export type { ListPage, Page } from "./queries/page.ts";
export type { CallEventRow, PartEventRow } from "./queries/tool-calls.ts";
export type { ValueRow } from "./queries/message-values.ts";
export type { ModelPrice } from "./queries/model-prices.ts";
export type {
  ListedModelRequest,
  ModelRequestRow,
  RequestToReserve,
  ReservationResult,
} from "./queries/model-requests.ts";
export type { DueSchedule, FiringRow } from "./queries/schedule-firings.ts";
export type { ScheduleFilter, ScheduleKey, ScheduleRow } from "./queries/schedules.ts";
export {
  correctCount,
  listCountsToCorrect,
  quotaRefusalOf,
  type CorrectedCount,
  type CountKey,
  type QuotaKind,
} from "./queries/quotas.ts";
export type { RecordingRow } from "./queries/recordings.ts";
export type { RateKind, RateRequest, RateGrant } from "./queries/rate-windows.ts";
export type {
  BatchItemRow,
  BatchKey,
  BatchProgress,
  BatchResultRow,
  BatchRow,
  InsertedBatch,
  NewBatchItem,
} from "./queries/session-batches.ts";
export type { ExportedInput, ExportedMessage, ExportRow } from "./queries/session-exports.ts";
export type { ImportedMessage } from "./queries/session-imports.ts";
export type { SessionEnding, SessionRow } from "./queries/sessions.ts";
export type { SessionTokenClaims, SessionTokenState } from "./queries/session-tokens.ts";
export type { SourceSnapshotRow } from "./queries/source-snapshots.ts";
export type { ReceivingTrigger, TriggerKey, TriggerRow } from "./queries/triggers.ts";
export type { VersionRow } from "./queries/versions.ts";
export type { WebhookDeliveryRow } from "./queries/webhook-deliveries.ts";
export type { WebhookEndpointKey, WebhookEndpointRow } from "./queries/webhook-endpoints.ts";
export type { AttemptResult, ClaimedDelivery } from "./queries/webhook-outbox.ts";
export { isDatabaseUnreachable, isDatabaseDown, isDatabaseErrorTransient } from "./errors.ts";
export { retryThroughOutage } from "./retry-through-outage.ts";
