// The verbs of the control plane, by their story. Transport-free.

export {
  claimBuild,
  buildLeaseMs,
  createBuildLog,
  finishBuild,
  postponeBuild,
  releaseBuild,
  renewBuild,
  type BuildContext,
} from "./builds/hold-build.ts";
export { layerRegistryOf } from "./builds/layer-registry.ts";
export { settleBuildWaiters } from "./builds/settle-build-waiters.ts";
export type { Actor, Control } from "./context.ts";
export { createAdmission } from "./dispatch/admission.ts";
export { createBacklog, type Backlog } from "./dispatch/backlog.ts";
export { deliverTurns, type DeliveryContext } from "./dispatch/deliver.ts";
export { createDispatcher, type Dispatcher, type DispatcherSettings } from "./dispatch/dispatcher.ts";
export { workerSeenWithinMs } from "./dispatch/room.ts";
export {
  createRateLimiter,
  type RateDecision,
  type RateDefaults,
  type RateLimiter,
  type RateStanding,
} from "./limits/rate-limiter.ts";
export { deleteBudget } from "./budgets/delete-budget.ts";
export { listBudgets } from "./budgets/list-budgets.ts";
export { putBudget } from "./budgets/put-budget.ts";
export { createHeldRelease, releaseHeld } from "./budgets/release-held.ts";
export { getPlatformStop, resumePlatform, stopPlatform } from "./budgets/stop-platform.ts";
export { getFleet } from "./health/get-fleet.ts";
export { countTurns, findWaitingTurn, listWaitingTurns, type WaitingPage } from "./health/waiting-turns.ts";
export { getSessionCost } from "./usage/get-session-cost.ts";
export { getUsage } from "./usage/get-usage.ts";
export { quotaRefusal } from "./limits/quota-refusal.ts";
export { hasWaitingDispatch } from "./jobs/has-waiting-dispatch.ts";
export { promoteJob, type PromotedJob } from "./jobs/promote-job.ts";
export { rebuildFailedJobs } from "./jobs/rebuild-failed-jobs.ts";
export { createJobRepair, type JobContext, type JobRepair, type JobRepairs } from "./jobs/repair-jobs.ts";
export { retryJob, type JobRetry, type RetriedJob } from "./jobs/retry-job.ts";
export { joinNotifiers } from "./joined-notifier.ts";
export { followMessage } from "./streams/follow-message.ts";
export { followSession, type FollowOptions, type StreamItem } from "./streams/follow-session.ts";
export { createStreamGate } from "./streams/stream-gate.ts";
export { createSessionFeeds, type SessionFeeds } from "./streams/session-feeds.ts";
export { metricsByPart, platformMetrics, type PlatformMetric } from "./metrics/catalogue.ts";
export { eventMetrics } from "./metrics/event-metrics.ts";
export { createPlatformTraces, observing, type PlatformTraces, type TraceSettings } from "./traces/platform-traces.ts";
export { traceOf, traceparentOf, type TraceIds } from "./traces/trace-ids.ts";
export {
  createPlatformMetrics,
  type MetricsPart,
  type PlatformMetrics,
  type PlatformMetricsOptions,
  type WorkerLoad,
} from "./metrics/platform-metrics.ts";
export { answerInput, type AnswerInput } from "./messages/answer-input.ts";
export { cancelMessage } from "./messages/cancel-message.ts";
export { checkAccepting } from "./messages/check-accepting.ts";
export { retryMessage } from "./messages/retry-message.ts";
export { getRetried, retryMessages } from "./messages/retry-messages.ts";
export { sendMessage, type InputPart, type SendMessageInput } from "./messages/send-message.ts";
export { waitForMessage } from "./messages/wait-for-message.ts";
export { createSealer, deriveKey, type Sealer } from "./sealer.ts";
export { loadSessionTree } from "./sessions/workspace-tree.ts";
export { refuseAsked, type Asked } from "./turns/check-asked.ts";
export { claimTurn, isDispatchLed, pullTurn, type TurnClaim } from "./turns/claim-turn.ts";
export { expireInputs } from "./turns/expire-inputs.ts";
export { finishTurn, type FinishContext } from "./turns/finish-turn.ts";
export {
  announceWorker,
  countAttempt,
  forgetWorkers,
  recordAgentEvent,
  recordLogs,
  removeWorker,
  renewClaims,
  type WorkerPresence,
} from "./turns/hold-turn.ts";
export { loadTurn, type HistoryEntry, type Turn, type TurnPart } from "./turns/load-turn.ts";
export { createReaper, reapSessions, type Reaper, type ReapSettings } from "./turns/reap.ts";
export { checkStore, type StoreCheck, type StoreCheckInput, type StoreProblem } from "./storage/check-store.ts";
export { correctKeptCounts } from "./limits/correct-counts.ts";
export { emptyDeletedOrganizations } from "./storage/empty-organizations.ts";
export { deleteExpired, expiryDefaults, type ExpiryCounts, type ExpirySettings } from "./storage/delete-expired.ts";
export { purgeDeleted, purgeDefaults, type PurgeCounts, type PurgeSettings } from "./storage/purge-deleted.ts";
export { recordReferences } from "./storage/record-references.ts";
export { createSquasher, squashSnapshot, type SquashCounts } from "./storage/squash-snapshots.ts";
export type { StorageContext } from "./storage/storage-context.ts";
export { sweepDefaults, sweepStore, type SweepCounts, type SweepSettings } from "./storage/sweep-store.ts";
export { openWorkspace, type OpenedWorkspace, type WorkspaceContext } from "./workspaces/open-workspace.ts";
export type { FileChange } from "./workspaces/client-changes.ts";
export { saveWorkspace, type SavedWorkspace } from "./workspaces/save-workspace.ts";
export { createTrees, type LoadedTree, type Trees } from "./workspaces/trees.ts";
export {
  createInvariantRounds,
  findViolations,
  isDatabaseAway,
  isDatabaseDown,
  isDatabasePassing,
  retryThroughOutage,
  type BuildClaim,
  type BuildJob,
  type Claim,
  type Claimant,
  type ClaimedTurn,
  type Database,
  type FinishInput,
  type FinishResult,
  type InputAsked,
  type InvariantRounds,
  type LogLine,
  type RenewedLease,
  type Violation,
} from "@dari/db";
export { controlOf, openServices, openSource, type Services } from "./assemble/open-services.ts";
export {
  checkServiceSettings,
  masterKeyOf,
  serviceSettings,
  type ServiceSettings,
} from "./assemble/service-settings.ts";
export { cancelBatch, finishBatchCancels, sweepBatches } from "./batches/cancel-batch.ts";
export { createBatch } from "./batches/create-batch.ts";
export { getHostedBatch, isHosted } from "./batches/hosted-items.ts";
export { getBatch, listBatches, listBatchSessions } from "./batches/get-batch.ts";
export { createSchedule, deleteSchedule, updateSchedule } from "./schedules/change-schedule.ts";
export { fireSchedules, type FiringContext, type FiringCounts } from "./schedules/fire-schedules.ts";
export { getSchedule, listScheduleFirings, listSchedules } from "./schedules/get-schedule.ts";
export { sweepFirings } from "./schedules/sweep-firings.ts";
export { deleteCredential } from "./credentials/delete-credential.ts";
export { listCredentials } from "./credentials/list-credentials.ts";
export type { KeptSecret } from "./secrets/placeholder.ts";
export { putCredential } from "./credentials/put-credential.ts";
export { deleteEgress, putEgress } from "./egress/change-egress.ts";
export { getEgress } from "./egress/get-egress.ts";
export { archiveSession } from "./files/archive-session.ts";
export { createFile } from "./files/create-file.ts";
export { deleteFile } from "./files/delete-file.ts";
export { getFile, getFileContent, type OpenedContent } from "./files/get-file.ts";
export { deleteSessionFile, putSessionFile } from "./files/edit-session-file.ts";
export { getSessionFile } from "./files/get-session-file.ts";
export { listFiles } from "./files/list-files.ts";
export { listSessionFiles } from "./files/list-session-files.ts";
export { discardUpload, storeUpload, type StoredUpload } from "./files/store-upload.ts";
export { fingerprintOf } from "./idempotency/fingerprint.ts";
export { idempotently, type KeyedCall } from "./idempotency/idempotently.ts";
export { sweepIdempotencyKeys } from "./idempotency/sweep.ts";
export { authenticateKey, unauthenticated } from "./keys/authenticate.ts";
export { isKnownKey } from "./keys/is-known-key.ts";
export { createApiKey } from "./keys/create-api-key.ts";
export { resealSecrets } from "./secrets/reseal-secrets.ts";
export { resumeOperator } from "./keys/resume-operator.ts";
export { ensureManagedKey } from "./keys/ensure-managed-key.ts";
export { createKeySecret, hashKeySecret } from "./keys/key-secret.ts";
export { listApiKeys } from "./keys/list-api-keys.ts";
export { revokeApiKey } from "./keys/revoke-api-key.ts";
export { getApiKey } from "./keys/get-api-key.ts";
export { getAttemptFile, listAttemptFiles, promoteAttempt } from "./messages/attempt-files.ts";
export { diffMessage } from "./messages/message-diff.ts";
export { getSentEvent, sendAgentMessage } from "./messages/sent-event.ts";
export { getMessage } from "./messages/get-message.ts";
export { listMessages } from "./messages/list-messages.ts";
export { readMessageLogs } from "./messages/read-message-logs.ts";
export { removeMember, updateMember } from "./members/change-member.ts";
export { createInvitation, deleteInvitation, getInvitation, listInvitations } from "./members/invitations.ts";
export { listMembers } from "./members/list-members.ts";
export { createSignInLink } from "./sign-in/create-sign-in-link.ts";
export { decideDeviceRequest, getDeviceRequest, pollDevice, startDevice } from "./sign-in/devices.ts";
export { getMe, signOut } from "./sign-in/get-me.ts";
export { limitTries, type TryKind } from "./sign-in/limit-tries.ts";
export { openSignInLink } from "./sign-in/open-link.ts";
export { authenticateBrowser, type BrowserSignIn } from "./sign-in/sign-in.ts";
export { signInProvenPerson, type NoSignIn } from "./sign-in/sign-in-proven-person.ts";
export { createOrganization, setUpOrganization } from "./organizations/create-organization.ts";
export { deleteOrganization } from "./organizations/delete-organization.ts";
export { findFirstOrganizationId } from "./organizations/find-first-organization.ts";
export { hasSeveralOrganizations } from "./organizations/has-several-organizations.ts";
export { getOrganization } from "./organizations/get-organization.ts";
export { hasCreatedOrganization, listOrganizations } from "./organizations/list-organizations.ts";
export { isOperator, requireOperator } from "./organizations/operators.ts";
export { updateOrganization } from "./organizations/update-organization.ts";
export { listAuditLog } from "./audit/list-audit-log.ts";
export { onRecord, recordChange, type Change } from "./audit/record-change.ts";
export { examinePlatform } from "./health/examine-platform.ts";
export { activateVersion } from "./publishing/activate-version.ts";
export { createAgent } from "./publishing/create-agent.ts";
export { createSourceSnapshot } from "./publishing/create-source-snapshot.ts";
export { createVersion } from "./publishing/create-version.ts";
export { deleteAgent } from "./publishing/delete-agent.ts";
export { deleteSourceSnapshot } from "./publishing/delete-source-snapshot.ts";
export { finalizeSourceSnapshot } from "./publishing/finalize-source-snapshot.ts";
export { getAgent } from "./publishing/get-agent.ts";
export { getAgentPublication, getVersionPublication } from "./publishing/get-publication.ts";
export { getSourceSnapshot } from "./publishing/get-source-snapshot.ts";
export { getVersion } from "./publishing/get-version.ts";
export { listAgents } from "./publishing/list-agents.ts";
export { getSourceSnapshotManifest } from "./publishing/get-manifest.ts";
export { listVersions } from "./publishing/list-versions.ts";
export { getVersionBundle, getVersionBundleFile } from "./publishing/read-version-bundle.ts";
export { readBuildLogs } from "./publishing/read-build-logs.ts";
export { uploadBundle, type BundleUpload } from "./publishing/upload-bundle.ts";
export { completeSession } from "./sessions/complete-session.ts";
export { createSession } from "./sessions/create-session.ts";
export { deleteSession } from "./sessions/delete-session.ts";
export { forkSession } from "./sessions/fork-session.ts";
export { rollBackSession } from "./sessions/roll-back-session.ts";
export { getSession } from "./sessions/get-session.ts";
export { getTranscript } from "./sessions/get-transcript.ts";
export { listEvents } from "./sessions/list-events.ts";
export { listAgentSessions, listSessions, type SessionQuery } from "./sessions/list-sessions.ts";
export { exportSession } from "./portable/export-session.ts";
export { importSession } from "./portable/import-session.ts";
export { completeUpload } from "./direct/complete-upload.ts";
export { getDownloadUrl } from "./direct/get-download-url.ts";
export { reserveUpload } from "./direct/reserve-upload.ts";
export { discardExport, receiveExport, type ReceivedExport } from "./portable/receive-export.ts";

export type { PageOf } from "./page.ts";
export { renderMessage } from "./views/message.ts";
export type { Page, RateKind } from "@dari/db";

export {
  deleteAgentWebhook,
  getAgentWebhook,
  putAgentWebhook,
  rotateAgentWebhookSecret,
} from "./webhooks/agent-webhook.ts";
export {
  deleteWebhookEndpoint,
  updateWebhookEndpoint,
} from "./webhooks/change-endpoint.ts";
export { createWebhookEndpoint } from "./webhooks/create-endpoint.ts";
export {
  getWebhookDelivery,
  listWebhookDeliveries,
  resendWebhookDelivery,
  sendWebhookTest,
} from "./webhooks/deliveries.ts";
export { getWebhookEndpoint, listWebhookEndpoints } from "./webhooks/get-endpoint.ts";
export { receiverPolicyOf, type ReceiverPolicy } from "./webhooks/receivers.ts";
export { rotateWebhookSecret } from "./webhooks/rotate-secret.ts";
export {
  createWebhookSender,
  senderDefaults,
  type SenderSettings,
  type WebhookContext,
  type WebhookSender,
} from "./webhooks/sender.ts";
export { sweepWebhooks } from "./webhooks/sweep-webhooks.ts";
