// The public wire: schemas and their types, routes, error codes, dari.yml. Runs in a browser; knows no transport.

export { findActivityProblem, valueFieldOf } from "./check-activity.ts";
export { ErrorBody, errorKinds, renderError, renderErrorsMarkdown } from "./errors.ts";
export { compareManifests } from "./manifest/compare-manifests.ts";
export { manifestJsonSchema } from "./manifest/manifest-json-schema.ts";
export { type Language, type Manifest } from "./manifest/manifest.ts";
export { normalizeManifest } from "./manifest/normalize-manifest.ts";
export { formatManifestIssues, parseManifest } from "./manifest/parse-manifest.ts";
export { parsePriceFile } from "./parse-price-file.ts";
export { openAiStatusOf, renderOpenAiError } from "./openai-error.ts";
export { buildOpenApi } from "./build-openapi.ts";
export {
  fillPath,
  routePaths,
  routes,
  type ParametersOf,
  type PathParameters,
  type ReplyOf,
  type RequestOf,
  type RouteName,
} from "./routes.ts";
export { tokenScopeOf, tokenTargets } from "./session-token-access.ts";
export { isChatClientPath } from "./routes/chat-clients.ts";
export { isMcpPath } from "./routes/mcp.ts";
export { isOpenAiPath } from "./routes/openai.ts";
export type { Route } from "./routes/route.ts";
export {
  AgentCreated,
  AgentRecord,
  CreateAgentRequest,
  CreateVersionRequest,
  FailureRecord,
  sourceSnapshotIdOf,
  VersionCreated,
  VersionBundle,
  VersionBundleFile,
  VersionRecord,
} from "./schemas/agents.ts";
export { AgUiUserMessage, RunAgUiRequest, type AgUiContent } from "./schemas/ag-ui.ts";
export { SendUiMessageRequest, UiMessage, UiMessages, UiUserMessage, type UiUserPart } from "./schemas/ai-sdk.ts";
export { Deleted, renderList, type Metadata } from "./schemas/common.ts";
export {
  eventKinds,
  EventRecord,
  KnownEvent,
  KnownPreview,
  previewKinds,
  StreamedEvent,
  TranscriptEntry,
  type EventData,
  type MessageEndEvent,
  type PreviewEvent,
  type PreviewEventType,
  type UnknownEvent,
  type UnknownEventType,
} from "./schemas/events.ts";
export {
  DirectoryEntry,
  DirectoryListing,
  FileDownloadUrl,
  FileRecord,
  FileUploadReserved,
  ReserveFileUploadRequest,
} from "./schemas/files.ts";
export type { McpMessage } from "./schemas/mcp.ts";
export { ModelRequestRecord } from "./schemas/model-requests.ts";
export { RecordingRecord, ReplayMessageRequest, ReplayReport } from "./schemas/replays.ts";
export { ModelPriceRecord, PriceList, PutPriceListReply, PutPriceListRequest } from "./schemas/prices.ts";
export { ToolCall, type ToolCallValue } from "./schemas/tool-calls.ts";
export { findInputSchemaProblem, validateAnswer } from "./check-input-schema.ts";
export {
  AnswerInputRequest,
  FileChange,
  IncludedPart,
  MessageFiles,
  MessageInput,
  MessageOutput,
  MessagePart,
  MessageRecord,
  OutputPart,
  RetryMessageRequest,
  SendMessageRequest,
  waitingReasons,
  type Delivery,
  type MessagePartInput,
  type WaitingReason,
} from "./schemas/messages.ts";
export {
  ApiKeyCreated,
  ApiKeyRevoked,
  ApiKeyRecord,
  AuthConfig,
  Bootstrap,
  CreateApiKeyRequest,
  CreateOrganizationRequest,
  credentialName,
  CredentialPut,
  CredentialRecord,
  EnsureManagedKeyRequest,
  hasScope,
  ManagedKey,
  OrganizationRecord,
} from "./schemas/organizations.ts";
export {
  AppAuthorization,
  AppAuthorizationQuery,
  AppDecided,
  ConnectedApp,
  DecideAppAuthorizationRequest,
} from "./schemas/connected-apps.ts";
export {
  CreateInvitationRequest,
  DecideDeviceRequest,
  DeviceDecided,
  DevicePolled,
  DeviceRequest,
  DeviceStarted,
  InvitationCreated,
  InvitationRecord,
  KeySignInLink,
  Me,
  MemberRecord,
  scopesOfRole,
  SignedIn,
  SignedOut,
  SignInLink,
  UpdateMemberRequest,
} from "./schemas/members.ts";
export {
  AuditEntry,
  HealthCheck,
  MessagesRetried,
  OperatorHealth,
  Resealed,
  ResealRequest,
  RetryMessagesRequest,
  UpdateOrganizationRequest,
  type AuditAction,
  type SkipReason,
} from "./schemas/operators.ts";
export {
  PortableEvent,
  portableFormat,
  portableFormatVersion,
  PortableInput,
  eventsWithoutPayload,
  PortableMessage,
  PortableSession,
  eventsWithPayload,
} from "./schemas/portable.ts";
export {
  AgentWebhook,
  PutAgentWebhookRequest,
  CreateWebhookEndpointRequest,
  defaultWebhookEventTypes,
  UpdateWebhookEndpointRequest,
  WebhookDeliveryRecord,
  WebhookEndpointCreated,
  WebhookEndpointRecord,
  WebhookPayload,
  type WebhookDisabledReason,
} from "./schemas/webhooks.ts";
export {
  SessionBatchCreated,
  BatchResult,
  BatchSessionRecord,
  CreateSessionBatchRequest,
  SessionBatchRecord,
  SessionBatchSummary,
} from "./schemas/batches.ts";
export {
  CreateScheduleRequest,
  FiringRecord,
  ScheduleRecord,
  UpdateScheduleRequest,
  type FiringReason,
} from "./schemas/schedules.ts";
export {
  CreateTriggerRequest,
  RotateTriggerSecretRequest,
  TriggerCreated,
  TriggerReceipt,
  TriggerRecord,
  TriggerSecretRotated,
  UpdateTriggerRequest,
  type TriggerCondition,
} from "./schemas/triggers.ts";
export {
  CreateOpenAiChatCompletionRequest,
  OpenAiChatCompletion,
  type OpenAiChatMessage,
  type OpenAiChatPart,
} from "./schemas/openai-chat.ts";
export { OpenAiFile, OpenAiFiles } from "./schemas/openai-files.ts";
export {
  CreateOpenAiResponseRequest,
  OpenAiConversation,
  OpenAiErrorBody,
  OpenAiItems,
  OpenAiModel,
  OpenAiResponse,
  type OpenAiContentPart,
  type OpenAiInputItem,
} from "./schemas/openai-responses.ts";
export { SendAgentMessageRequest, SendSessionEventRequest, SentEvent } from "./schemas/sent-events.ts";
export {
  AllowedOrigins,
  CreateSessionTokenRequest,
  PutAllowedOriginsRequest,
  SessionTokenCreated,
  type EndUser,
} from "./schemas/session-tokens.ts";
export { CreateSessionRequest, SessionRecord, SessionSummary } from "./schemas/sessions.ts";
export {
  BundleUploaded,
  CreateSourceSnapshotRequest,
  SourceSnapshotCreated,
  SourceSnapshotFinalized,
  SourceSnapshotManifest,
} from "./schemas/source-snapshots.ts";
export { ForkSessionRequest, WorkspaceCommit } from "./schemas/workspaces.ts";
export { FleetRecord } from "./schemas/fleet.ts";
export { OverviewRecord } from "./schemas/overview.ts";
export { AgentUsage, SessionCost, UsageRecord } from "./schemas/usage.ts";
export { AnswerRecordingSetting } from "./schemas/answer-recording.ts";
export { EgressRecord, PutEgressRequest } from "./schemas/egress.ts";
export { validate } from "./validate-value.ts";
export { BudgetRecord, PlatformStop, PutBudgetRequest } from "./schemas/budgets.ts";
export { isMessageEnd } from "./schemas/message-end.ts";
export {
  activityTypes,
  apiKeyScopes,
  appRequestParameters,
  appScopes,
  budgetPeriods,
  dariRelease,
  eventTypes,
  redirectKinds,
  roles,
  scheduleStatuses,
  sessionStarters,
  sessionStatuses,
  sessionTokenScopes,
  shownActivityTypes,
  triggerSchemes,
  triggerStatuses,
  type ActivityType,
  type ApiKeyScope,
  type AppScope,
  type EventType,
  type RedirectKind,
  type Role,
  type ScheduleStatus,
  type SessionStarter,
  type SessionStatus,
  type TriggerScheme,
  type TriggerStatus,
  type SessionTokenScope,
} from "./vocabulary.ts";
