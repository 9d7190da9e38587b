// One method for each operation of the platform. Generated from the platform's OpenAPI document; not edited by hand.

import type { CallOptions, Content, FileUpload, OperationRow, StreamOptions } from "../call.ts";
import type {
  Page,
  ActivateVersionRequest,
  Agent,
  AgentCreated,
  AgentUsage,
  AgentWebhook,
  AllowedOrigins,
  AnswerInputRequest,
  AnswerRecordingSetting,
  ApiKey,
  ApiKeyCreated,
  ApiKeyRevoked,
  AppAuthorization,
  AppDecided,
  AuditEntry,
  AuthConfig,
  BatchSession,
  Bootstrap,
  BootstrapRequest,
  Budget,
  BundleUploaded,
  CompleteFileUploadRequest,
  ConnectedApp,
  CreateAgentRequest,
  CreateApiKeyRequest,
  CreateInvitationRequest,
  CreateOrganizationRequest,
  CreateScheduleRequest,
  CreateSessionBatchRequest,
  CreateSessionRequest,
  CreateSessionTokenRequest,
  CreateSourceSnapshotRequest,
  CreateTriggerRequest,
  CreateVersionRequest,
  CreateWebhookEndpointRequest,
  Credential,
  CredentialPut,
  DecideAppAuthorizationRequest,
  DecideDeviceRequest,
  Deleted,
  DeviceDecided,
  DevicePolled,
  DeviceRequest,
  DeviceStarted,
  DirectoryListing,
  Egress,
  EnsureManagedKeyRequest,
  Event,
  File,
  FileDownloadUrl,
  FileUploadReserved,
  Fleet,
  ForkSessionRequest,
  Invitation,
  InvitationCreated,
  KeySignInLink,
  ManagedKey,
  Me,
  Member,
  Message,
  MessageFiles,
  MessagesRetried,
  ModelRequest,
  OpenLinkRequest,
  OperatorHealth,
  Organization,
  OrganizationCreated,
  Overview,
  PlatformStop,
  PollDeviceRequest,
  PriceList,
  PutAgentWebhookRequest,
  PutAllowedOriginsRequest,
  PutBudgetRequest,
  PutCredentialRequest,
  PutEgressRequest,
  PutPriceListReply,
  PutPriceListRequest,
  Recording,
  ReplayMessageRequest,
  ReplayReport,
  ResealRequest,
  Resealed,
  ReserveFileUploadRequest,
  RetryMessageRequest,
  RetryMessagesRequest,
  RollbackSessionRequest,
  RotateTriggerSecretRequest,
  Schedule,
  ScheduleFiring,
  SendAgentMessageRequest,
  SendMessageRequest,
  SendSessionEventRequest,
  SentEvent,
  Session,
  SessionBatch,
  SessionBatchCreated,
  SessionBatchSummary,
  SessionCost,
  SessionSummary,
  SessionTokenCreated,
  SignInLink,
  SignedIn,
  SignedOut,
  SourceSnapshotCreated,
  SourceSnapshotFinalized,
  SourceSnapshotManifest,
  StartDeviceRequest,
  StopPlatformRequest,
  StoreCheck,
  StreamItem,
  ToolCall,
  TranscriptEntry,
  Trigger,
  TriggerCreated,
  TriggerEvent,
  TriggerReceipt,
  TriggerSecretRotated,
  UpdateAgentRequest,
  UpdateMemberRequest,
  UpdateOrganizationRequest,
  UpdateScheduleRequest,
  UpdateTriggerRequest,
  UpdateWebhookEndpointRequest,
  Usage,
  Version,
  VersionBundle,
  VersionBundleFile,
  VersionCreated,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookEndpointCreated,
  WorkspaceCommit,
} from "./models.ts";

/** Every operation, by its name in the OpenAPI document. */
export interface Operations {
  /** Reserve a bundle. Returns the URL to upload its bytes to. */
  createSourceSnapshot(body: CreateSourceSnapshotRequest, options?: CallOptions): Promise<SourceSnapshotCreated>;

  /** Upload the bundle's bytes. The URL's query authorizes the upload; no API key is needed. */
  uploadBundle(sourceSnapshotId: string, content: Content, query: { expires: string; signature: string }, options?: CallOptions): Promise<BundleUploaded>;

  /** Check an uploaded bundle: that it is there, its size, its checksum and its files. */
  finalizeSourceSnapshot(sourceSnapshotId: string, options?: CallOptions): Promise<SourceSnapshotFinalized>;

  /** Get the manifest of a finalized bundle with its defaults, before you publish it. */
  getSourceSnapshotManifest(sourceSnapshotId: string, options?: CallOptions): Promise<SourceSnapshotManifest>;

  /** Delete a bundle that no version uses. */
  deleteSourceSnapshot(sourceSnapshotId: string, options?: CallOptions): Promise<Deleted>;

  /** Create an agent from a bundle and build its first version. If the name is taken, `on_name_conflict` decides. */
  createAgent(body: CreateAgentRequest, options?: CallOptions): Promise<AgentCreated>;

  /** List agents, newest first. */
  listAgents(query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Agent>>;

  /** Get an agent. */
  getAgent(agentId: string, options?: CallOptions): Promise<Agent>;

  /** Rename an agent. The old name becomes free. */
  updateAgent(agentId: string, body: UpdateAgentRequest, options?: CallOptions): Promise<Agent>;

  /** Delete an agent. It starts no new sessions; running messages finish. */
  deleteAgent(agentId: string, options?: CallOptions): Promise<Deleted>;

  /** Publish a bundle as the agent's next version. */
  createVersion(agentId: string, body: CreateVersionRequest, options?: CallOptions): Promise<VersionCreated>;

  /** List an agent's versions, newest first. */
  listVersions(agentId: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Version>>;

  /** Get a version. */
  getVersion(agentId: string, versionId: string, options?: CallOptions): Promise<Version>;

  /** List the files of a version's bundle. */
  getVersionBundle(agentId: string, versionId: string, options?: CallOptions): Promise<VersionBundle>;

  /** Get one text file of a version's bundle. */
  getVersionBundleFile(agentId: string, versionId: string, query: { path: string }, options?: CallOptions): Promise<VersionBundleFile>;

  /** Make a ready version the active one, for example to go back to an older version. */
  activateVersion(agentId: string, body: ActivateVersionRequest, options?: CallOptions): Promise<Agent>;

  /** Get a version's build log. With `follow=1`, the reply continues until the build ends. */
  getBuildLogs(versionId: string, query?: { follow?: boolean | undefined }, options?: CallOptions): Promise<string>;

  /** Start a session on the agent's active version. */
  createSession(agentId: string, body?: CreateSessionRequest, options?: CallOptions): Promise<Session>;

  /** List an agent's sessions, newest first; `metadata.<key>=<value>` filters by metadata. */
  listAgentSessions(agentId: string, query?: { limit?: number | undefined; after?: string | undefined; status?: "idle" | "active" | "completed" | "failed" | "expired" | undefined; name?: string | undefined; metadata?: Readonly<Record<string, string>> }, options?: CallOptions): Promise<Page<Session>>;

  /** List sessions, newest first; `metadata.<key>=<value>` filters by metadata. */
  listSessions(query?: { limit?: number | undefined; after?: string | undefined; status?: "idle" | "active" | "completed" | "failed" | "expired" | undefined; name?: string | undefined; agent_id?: string | undefined; metadata?: Readonly<Record<string, string>> }, options?: CallOptions): Promise<Page<Session>>;

  /** List sessions by their newest message, with first and last words and sums; `metadata.<key>=<value>` filters by metadata. One page examines at most 3000 messages, and with `q` the texts of 200 sessions: with filters it can be short. */
  listSessionSummaries(query?: { limit?: number | undefined; after?: string | undefined; agent_id?: string | undefined; status?: "idle" | "active" | "completed" | "failed" | "expired" | undefined; started_by?: "caller" | "schedule" | "batch" | "trigger" | undefined; q?: string | undefined; metadata?: Readonly<Record<string, string>> }, options?: CallOptions): Promise<Page<SessionSummary>>;

  /** Get a session. */
  getSession(sessionId: string, options?: CallOptions): Promise<Session>;

  /** Delete a session and its workspace. With `cancel=1`, also while messages are queued or running. */
  deleteSession(sessionId: string, query?: { cancel?: boolean | undefined }, options?: CallOptions): Promise<Deleted>;

  /** Complete a session: it accepts no more messages. With `cancel=1`, also while messages are queued or running. */
  completeSession(sessionId: string, query?: { cancel?: boolean | undefined }, options?: CallOptions): Promise<Session>;

  /** List a session's messages, oldest first. */
  listMessages(sessionId: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Message>>;

  /** Send a message and wait until it ends, at most an hour. 202 with the record so far after that, or as soon as the message waits for an input. */
  sendMessageSync(sessionId: string, body: SendMessageRequest, options?: CallOptions): Promise<Message>;

  /** Send a message and return immediately. */
  sendMessageAsync(sessionId: string, body: SendMessageRequest, options?: CallOptions): Promise<Message>;

  /** Send a message in the form of the hosted service's clients, and return immediately. */
  sendSessionEvent(sessionId: string, body: SendSessionEventRequest, options?: CallOptions): Promise<SentEvent>;

  /** List a session's events, oldest first. */
  listEvents(sessionId: string, query?: { limit?: number | undefined; after?: string | undefined; after_seq?: number | undefined }, options?: CallOptions): Promise<Page<Event>>;

  /** Start a session with its first message and return immediately. If one is refused, neither is created. */
  sendAgentMessage(agentId: string, body: SendAgentMessageRequest, options?: CallOptions): Promise<SentEvent>;

  /** Get a message. */
  getMessage(messageId: string, query?: { include?: "tool_calls" | undefined }, options?: CallOptions): Promise<Message>;

  /** Cancel a message: immediately while it is queued, otherwise as soon as its turn stops. */
  cancelMessage(messageId: string, options?: CallOptions): Promise<Message>;

  /** Send a failed message again: as the session's newest message, or in a fork from before it, which can use another version. */
  retryMessage(messageId: string, body?: RetryMessageRequest, options?: CallOptions): Promise<Message>;

  /** Answer an input that a message waits for; `key` names the input. Its turn continues. */
  answerInput(messageId: string, body: AnswerInputRequest, options?: CallOptions): Promise<Message>;

  /** Get the files that the turn changed. */
  getMessageFiles(messageId: string, options?: CallOptions): Promise<MessageFiles>;

  /** Get what each attempt wrote to stdout and stderr. */
  getMessageLogs(messageId: string, query?: { attempt?: number | undefined; timestamps?: boolean | undefined }, options?: CallOptions): Promise<string>;

  /** Create a token with which a browser can use this session, and nothing else, until it expires. */
  createSessionToken(sessionId: string, body?: CreateSessionTokenRequest, options?: CallOptions): Promise<SessionTokenCreated>;

  /** Revoke all tokens of this session. Streams that were opened with them end within seconds. */
  revokeSessionTokens(sessionId: string, options?: CallOptions): Promise<Deleted>;

  /** Get the origins whose pages can use the organization's session tokens. */
  getAllowedOrigins(organizationId?: string, options?: CallOptions): Promise<AllowedOrigins>;

  /** Set the origins whose pages can use the organization's session tokens. An empty list allows no page. */
  putAllowedOrigins(body: PutAllowedOriginsRequest, organizationId?: string, options?: CallOptions): Promise<AllowedOrigins>;

  /** Send a message and stream its turn until its last event. */
  sendMessageStream(sessionId: string, body: SendMessageRequest, options?: StreamOptions): AsyncGenerator<StreamItem>;

  /** Stream a message from its acceptance to its last event. 204 if that event is not after the requested position. */
  streamMessage(messageId: string, query?: { after_seq?: number | undefined }, options?: StreamOptions): AsyncGenerator<StreamItem>;

  /** Stream a session's events: each once, in order, with previews between them. */
  streamSession(sessionId: string, query?: { after_seq?: number | undefined }, options?: StreamOptions): AsyncGenerator<StreamItem>;

  /** Get the conversation as a timeline: messages, answers, what the agent did, changed files and failures. With `include=tool_calls`, tool calls are also parts of the answers. */
  getTranscript(sessionId: string, query?: { limit?: number | undefined; after?: string | undefined; include?: "tool_calls" | undefined }, options?: CallOptions): Promise<Page<TranscriptEntry>>;

  /** Get a tool call with its whole arguments and result. If several attempts made a call with this id, get the last one. */
  getToolCall(messageId: string, callId: string, query?: { attempt?: number | undefined }, options?: CallOptions): Promise<ToolCall>;

  /** Download a large or binary value that the agent's events name: arguments, a result, a picture. Accepts `Range`. */
  getMessageValue(messageId: string, valueId: string, options?: CallOptions & { range?: string }): Promise<ReadableStream<Uint8Array>>;

  /** List the requests to models that the message's attempts made with kept credentials, oldest first, with their tokens as the answers report them. */
  listModelRequests(messageId: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<ModelRequest>>;

  /** Run a completed turn again with its recorded answers, in a fork from before the message. Its tools run again. Requires `retries.record_answers.keep_days`. */
  replayMessage(messageId: string, body?: ReplayMessageRequest, options?: CallOptions): Promise<Message>;

  /** Compare a replay that has ended with the message that it replays. */
  getReplay(messageId: string, options?: CallOptions): Promise<ReplayReport>;

  /** List the messages of an agent that can be replayed, newest first. */
  listRecordings(agentId: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Recording>>;

  /** Get a price list of models, and the dates of all lists. */
  getPriceList(query?: { valid_from?: string | undefined }, options?: CallOptions): Promise<PriceList>;

  /** Replace the price list of a date. Costs that are stored do not change. */
  putPriceList(body: PutPriceListRequest, options?: CallOptions): Promise<PutPriceListReply>;

  /** Upload a file as multipart form data, in one part named `file`. */
  uploadFile(file: FileUpload, options?: CallOptions): Promise<File>;

  /** List uploaded files, newest first. */
  listFiles(query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<File>>;

  /** Get an uploaded file's record. */
  getFile(fileId: string, options?: CallOptions): Promise<File>;

  /** Delete an uploaded file. Copies in workspaces stay. */
  deleteFile(fileId: string, options?: CallOptions): Promise<Deleted>;

  /** Get an uploaded file's bytes, with the content type of the upload. Accepts `Range`. */
  getFileContent(fileId: string, options?: CallOptions & { range?: string }): Promise<ReadableStream<Uint8Array>>;

  /** Get a URL that downloads the bytes from the object store. 409 if clients cannot reach the object store. */
  getFileDownloadUrl(fileId: string, query?: { expires_seconds?: number | undefined }, options?: CallOptions): Promise<FileDownloadUrl>;

  /** Get a URL that takes the file's bytes at the object store. 409 if clients cannot reach the object store. */
  reserveFileUpload(body: ReserveFileUploadRequest, options?: CallOptions): Promise<FileUploadReserved>;

  /** Check the bytes that were uploaded to the object store and create the file. Can be repeated. */
  completeFileUpload(body: CompleteFileUploadRequest, options?: CallOptions): Promise<File>;

  /** List a directory of the session's workspace. With `recursive=1`, list everything below it. */
  listSessionFiles(sessionId: string, query?: { path?: string | undefined; recursive?: boolean | undefined }, options?: CallOptions): Promise<DirectoryListing>;

  /** Get the bytes of a file in the session's workspace. Accepts `Range`; the reply has an `ETag`. */
  getSessionFileContent(sessionId: string, query: { path: string }, options?: CallOptions & { range?: string }): Promise<ReadableStream<Uint8Array>>;

  /** Write a file in the session's workspace. 409 while a turn runs. Accepts `If-Match` and `If-None-Match`. */
  putSessionFile(sessionId: string, content: Content, query: { path: string }, options?: CallOptions & { ifMatch?: string; ifNoneMatch?: string }): Promise<WorkspaceCommit>;

  /** Delete a file or link in the session's workspace or, with `recursive=1`, a directory. 409 while a turn runs. Accepts `If-Match`. */
  deleteSessionFile(sessionId: string, query: { path: string; recursive?: boolean | undefined }, options?: CallOptions & { ifMatch?: string; ifNoneMatch?: string }): Promise<Deleted>;

  /** Get the session's workspace as a gzipped tar archive: all of it, or the files and directories that `path` names. */
  getWorkspaceTarGz(sessionId: string, query?: { path?: string[] | undefined }, options?: CallOptions): Promise<ReadableStream<Uint8Array>>;

  /** Get the session's workspace as a ZIP archive: all of it, or the files and directories that `path` names. */
  getWorkspaceZip(sessionId: string, query?: { path?: string[] | undefined }, options?: CallOptions): Promise<ReadableStream<Uint8Array>>;

  /** Start a session with a copy of the conversation and the workspace after a message; by default, after the last completed one. */
  forkSession(sessionId: string, body?: ForkSessionRequest, options?: CallOptions): Promise<Session>;

  /** Restore an idle session to its state after a message. Later messages are kept and marked as rolled back. */
  rollBackSession(sessionId: string, body: RollbackSessionRequest, options?: CallOptions): Promise<Session>;

  /** Get the turn's changes as a unified diff for `git apply`. Binary and large files are named without their contents. */
  getMessageDiff(messageId: string, options?: CallOptions): Promise<string>;

  /** List a directory of the workspace as an unsuccessful attempt left it. With `recursive=1`, list everything below it. */
  listAttemptFiles(messageId: string, attemptNumber: number | string, query?: { path?: string | undefined; recursive?: boolean | undefined }, options?: CallOptions): Promise<DirectoryListing>;

  /** Get the bytes of a file as an unsuccessful attempt left it. Accepts `Range`. */
  getAttemptFileContent(messageId: string, attemptNumber: number | string, query: { path: string }, options?: CallOptions & { range?: string }): Promise<ReadableStream<Uint8Array>>;

  /** Export a session as one file for another installation: its conversation, its workspace and its version's bundle. Secrets are not included. */
  exportSession(sessionId: string, options?: CallOptions): Promise<ReadableStream<Uint8Array>>;

  /** Start a session from an export. It runs on a version with the same bundle: of the agent `agent_id`, else of any agent, else of a new agent. */
  importSession(content: Content, query?: { agent_id?: string | undefined }, options?: CallOptions): Promise<Session>;

  /** Replace the workspace with what an unsuccessful attempt left. The session must be idle and its workspace unchanged since that attempt. */
  promoteAttempt(messageId: string, attemptNumber: number | string, options?: CallOptions): Promise<WorkspaceCommit>;

  /** Get how people sign in. */
  getAuthConfig(options?: CallOptions): Promise<AuthConfig>;

  /** List the caller's organization and the organizations that its key created. */
  bootstrap(body?: BootstrapRequest, options?: CallOptions): Promise<Bootstrap>;

  /** List the caller's organization, then the organizations that its key created, newest first. */
  listOrganizations(query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Organization>>;

  /** Create an organization. */
  createOrganization(body: CreateOrganizationRequest, options?: CallOptions): Promise<OrganizationCreated>;

  /** List API keys, without their secrets. */
  listApiKeys(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<ApiKey>>;

  /** Create an API key. Its secret is shown once. */
  createApiKey(body: CreateApiKeyRequest, organizationId?: string, options?: CallOptions): Promise<ApiKeyCreated>;

  /** Revoke an API key. */
  revokeApiKey(apiKeyId: string, organizationId?: string, options?: CallOptions): Promise<ApiKeyRevoked>;

  /** Create an API key for a device. It replaces the device's earlier key. */
  ensureManagedKey(body: EnsureManagedKeyRequest, organizationId?: string, options?: CallOptions): Promise<ManagedKey>;

  /** List credentials, without their values. */
  listCredentials(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Credential>>;

  /** Set a credential's value. */
  putCredential(name: string, body: PutCredentialRequest, organizationId?: string, options?: CallOptions): Promise<CredentialPut>;

  /** Delete a credential. */
  deleteCredential(name: string, organizationId?: string, options?: CallOptions): Promise<Deleted>;

  /** List members. */
  listMembers(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Member>>;

  /** Change a member's role. An organization keeps at least one owner. */
  updateMember(memberId: string, body: UpdateMemberRequest, organizationId?: string, options?: CallOptions): Promise<Member>;

  /** Remove a member. The person's sign-ins, sign-in links and device keys end immediately. */
  removeMember(memberId: string, organizationId?: string, options?: CallOptions): Promise<Deleted>;

  /** Create a link that signs a member in once. It replaces the member's earlier link. */
  createSignInLink(memberId: string, organizationId?: string, options?: CallOptions): Promise<SignInLink>;

  /** List invitations that are not accepted yet, including expired ones. */
  listInvitations(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Invitation>>;

  /** Invite a person. The reply has the link to pass on; inviting the same address again makes a new link. */
  createInvitation(body: CreateInvitationRequest, organizationId?: string, options?: CallOptions): Promise<InvitationCreated>;

  /** Revoke an invitation. Its link stops working. */
  deleteInvitation(invitationId: string, organizationId?: string, options?: CallOptions): Promise<Deleted>;

  /** Get the caller's organization and, if the caller is a person, the member. */
  getMe(options?: CallOptions): Promise<Me>;

  /** End the sign-in that this request uses: a browser's cookie, or the key of a person's device. */
  signOut(options?: CallOptions): Promise<SignedOut>;

  /** Sign this browser in with the key of this request. The reply sets the cookie; it ends with the key, or after 30 days. */
  signInWithKey(options?: CallOptions): Promise<SignedIn>;

  /** Create a link that signs a browser in with the key of this request, once, within ten minutes. */
  createKeySignInLink(options?: CallOptions): Promise<KeySignInLink>;

  /** Get the command-line sign-in that waits with this code. For signed-in people. */
  getDeviceRequest(query: { user_code: string }, options?: CallOptions): Promise<DeviceRequest>;

  /** Approve or deny the command-line sign-in that waits with this code. For signed-in people. */
  decideDeviceRequest(body: DecideDeviceRequest, options?: CallOptions): Promise<DeviceDecided>;

  /** Open an invitation or a sign-in link, once. The reply sets the cookie that signs the browser in. */
  openSignInLink(body: OpenLinkRequest, options?: CallOptions): Promise<SignedIn>;

  /** Start a command-line sign-in (RFC 8628). */
  startDevice(body: StartDeviceRequest, options?: CallOptions): Promise<DeviceStarted>;

  /** Ask whether the person has decided. The first request after the approval returns the key. */
  pollDevice(body: PollDeviceRequest, options?: CallOptions): Promise<DevicePolled>;

  /** Get what an app asks for. For signed-in people. */
  getAppAuthorization(query: { client_id: string; redirect_uri: string; response_type?: string | undefined; code_challenge?: string | undefined; code_challenge_method?: string | undefined; scope?: string | undefined; resource?: string | undefined; state?: string | undefined }, options?: CallOptions): Promise<AppAuthorization>;

  /** Approve or deny what an app asks for. For signed-in people. */
  decideAppAuthorization(body: DecideAppAuthorizationRequest, options?: CallOptions): Promise<AppDecided>;

  /** List the apps that the caller has connected, newest first. */
  listConnectedApps(query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<ConnectedApp>>;

  /** Disconnect an app of the caller. Its tokens stop working immediately. */
  disconnectApp(apiKeyId: string, options?: CallOptions): Promise<Deleted>;

  /** Get an organization and its limits. */
  getOrganization(organizationId?: string, options?: CallOptions): Promise<Organization>;

  /** Set an organization's limits. Absent fields keep their values. */
  updateOrganization(organizationId: string, body: UpdateOrganizationRequest, options?: CallOptions): Promise<Organization>;

  /** Delete an organization and everything that it owns. Its keys end immediately; its audit log is kept. */
  deleteOrganization(organizationId: string, options?: CallOptions): Promise<Deleted>;

  /** List changes in the organization, with the key that made each, newest first. */
  listAuditLog(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<AuditEntry>>;

  /** Check the installation. Reads every table; do not use it as a health probe. */
  getOperatorHealth(options?: CallOptions): Promise<OperatorHealth>;

  /** Check that stored objects exist and are undamaged, page by page. With `deep=1`, read every byte. */
  checkStore(query?: { after?: string | undefined; limit?: number | undefined; deep?: boolean | undefined }, options?: CallOptions): Promise<StoreCheck>;

  /** Encrypt stored secrets again with the current master key, in steps. Can be repeated. */
  resealSecrets(body?: ResealRequest, options?: CallOptions): Promise<Resealed>;

  /** Retry the failed messages that match a filter, oldest failure first: all of them or none. */
  retryMessages(body: RetryMessagesRequest, options?: CallOptions): Promise<MessagesRetried>;

  /** List the organization's budgets and how much of each is used, newest first. */
  listBudgets(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Budget>>;

  /** Set a budget: what the turns of an organization, an agent or a session may use per period. When it is used up, messages wait; they continue when you raise it or the next period starts. */
  putBudget(body: PutBudgetRequest, organizationId?: string, options?: CallOptions): Promise<Budget>;

  /** Delete a budget. Messages that waited for it continue. Only operators delete budgets that operators set. */
  deleteBudget(budgetId: string, organizationId?: string, options?: CallOptions): Promise<Deleted>;

  /** Get whether operators have stopped all turns. */
  getPlatformStop(options?: CallOptions): Promise<PlatformStop>;

  /** Stop all organizations from starting turns. Running turns finish; messages are accepted and wait. */
  stopPlatform(body: StopPlatformRequest, options?: CallOptions): Promise<PlatformStop>;

  /** Allow turns to start again. */
  resumePlatform(options?: CallOptions): Promise<Deleted>;

  /** Get the hosts that the organization's agents can connect to. */
  getEgress(organizationId?: string, options?: CallOptions): Promise<Egress>;

  /** Set which hosts the organization's agents may connect to, from their next turns on. Operators' rules are stored separately, and the organization cannot change them: both must allow a host. */
  putEgress(body: PutEgressRequest, organizationId?: string, options?: CallOptions): Promise<Egress>;

  /** Remove the rules: an operator's key removes the operators' rules, an admin key the organization's own. */
  deleteEgress(organizationId?: string, options?: CallOptions): Promise<Egress>;

  /** Get whether answers of models may be recorded. */
  getAnswerRecording(organizationId?: string, options?: CallOptions): Promise<AnswerRecordingSetting>;

  /** Set whether answers of models may be recorded, from the next attempt of each message on. Answers that are recorded already stay until their message ends. */
  putAnswerRecording(body: AnswerRecordingSetting, organizationId?: string, options?: CallOptions): Promise<AnswerRecordingSetting>;

  /** Get what the organization's turns used on the last days, what it stores, and what holds its sessions back. */
  getUsage(organizationId?: string, query?: { days?: number | undefined }, options?: CallOptions): Promise<Usage>;

  /** Get the organization's turns, failures, durations, tokens and costs by day, what runs now, and what waits for a person. */
  getOverview(query?: { days?: number | undefined }, options?: CallOptions): Promise<Overview>;

  /** Get an agent's failures, durations and tokens of the last days. */
  getAgentUsage(agentId: string, query?: { days?: number | undefined }, options?: CallOptions): Promise<AgentUsage>;

  /** Get what a session's turns used, without its deleted and copied messages. */
  getSessionCost(sessionId: string, options?: CallOptions): Promise<SessionCost>;

  /** Get which organizations wait, which turns run, and the workers. Reads only what waits and runs, so you can poll it. */
  getFleet(options?: CallOptions): Promise<Fleet>;

  /** Get an agent's webhook in the hosted service's form: the organization's endpoint for this agent. */
  getAgentWebhook(agentId: string, options?: CallOptions): Promise<AgentWebhook>;

  /** Set an agent's webhook: create its endpoint, or change and enable the existing one. */
  putAgentWebhook(agentId: string, body: PutAgentWebhookRequest, options?: CallOptions): Promise<AgentWebhook>;

  /** Delete an agent's webhook endpoint, if it has one. */
  deleteAgentWebhook(agentId: string, options?: CallOptions): Promise<AgentWebhook>;

  /** Replace the secret of an agent's webhook. For 24 hours, deliveries are signed with the old one as well. */
  rotateAgentWebhookSecret(agentId: string, options?: CallOptions): Promise<AgentWebhook>;

  /** List webhook endpoints, without their secrets. */
  listWebhookEndpoints(organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<WebhookEndpoint>>;

  /** Deliver events to a URL from now on. The signing secret is shown once. */
  createWebhookEndpoint(body: CreateWebhookEndpointRequest, organizationId?: string, options?: CallOptions): Promise<WebhookEndpointCreated>;

  /** Get a webhook endpoint, without its secret. */
  getWebhookEndpoint(webhookEndpointId: string, organizationId?: string, options?: CallOptions): Promise<WebhookEndpoint>;

  /** Change a webhook endpoint, or disable and enable it. Absent fields keep their values. */
  updateWebhookEndpoint(webhookEndpointId: string, body: UpdateWebhookEndpointRequest, organizationId?: string, options?: CallOptions): Promise<WebhookEndpoint>;

  /** Delete a webhook endpoint. Deliveries that wait are not sent. */
  deleteWebhookEndpoint(webhookEndpointId: string, organizationId?: string, options?: CallOptions): Promise<Deleted>;

  /** Replace the signing secret. For 24 hours, deliveries are signed with the old one as well. */
  rotateWebhookSecret(webhookEndpointId: string, organizationId?: string, options?: CallOptions): Promise<WebhookEndpointCreated>;

  /** Deliver a `webhook.test` event, signed and retried like every other event. */
  testWebhookEndpoint(webhookEndpointId: string, organizationId?: string, options?: CallOptions): Promise<WebhookDelivery>;

  /** List deliveries with the outcome of their last attempt, newest first. */
  listWebhookDeliveries(webhookEndpointId: string, organizationId?: string, query?: { limit?: number | undefined; after?: string | undefined; status?: "pending" | "delivered" | "failed" | "cancelled" | undefined }, options?: CallOptions): Promise<Page<WebhookDelivery>>;

  /** Send a delivery again now, with a full set of attempts. Its `webhook-id` stays the same. */
  resendWebhookDelivery(webhookEndpointId: string, webhookDeliveryId: string, organizationId?: string, options?: CallOptions): Promise<WebhookDelivery>;

  /** List schedules, newest first. */
  listSchedules(query?: { limit?: number | undefined; after?: string | undefined; agent_id?: string | undefined; status?: "active" | "paused" | undefined }, options?: CallOptions): Promise<Page<Schedule>>;

  /** Send a message at set times: to a new session of an agent each time, or always to one session. */
  createSchedule(body: CreateScheduleRequest, options?: CallOptions): Promise<Schedule>;

  /** Get a schedule. */
  getSchedule(scheduleId: string, options?: CallOptions): Promise<Schedule>;

  /** Change a schedule, or pause and resume it with `status`. Absent fields keep their values. Due times that passed during a pause are not made up for. */
  updateSchedule(scheduleId: string, body: UpdateScheduleRequest, options?: CallOptions): Promise<Schedule>;

  /** Delete a schedule and its firings. Messages that it sent continue. */
  deleteSchedule(scheduleId: string, options?: CallOptions): Promise<Deleted>;

  /** List the outcome of each due time, newest first. */
  listScheduleFirings(scheduleId: string, query?: { limit?: number | undefined; after?: string | undefined; outcome?: "fired" | "skipped" | "missed" | "failed" | undefined }, options?: CallOptions): Promise<Page<ScheduleFiring>>;

  /** List an agent's triggers, newest first, without their URLs and secrets. */
  listTriggers(agentId: string, query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<Trigger>>;

  /** Create a URL that turns another service's events into messages of the agent. The URL is shown once. */
  createTrigger(agentId: string, body: CreateTriggerRequest, options?: CallOptions): Promise<TriggerCreated>;

  /** Get a trigger, without its URL and secret. */
  getTrigger(agentId: string, triggerId: string, options?: CallOptions): Promise<Trigger>;

  /** Change a trigger, or pause and resume it with `status`. Absent fields keep their values. Events that come during a pause are answered and send no message. */
  updateTrigger(agentId: string, triggerId: string, body: UpdateTriggerRequest, options?: CallOptions): Promise<Trigger>;

  /** Delete a trigger. Its URL stops working at once; its sessions and messages stay. */
  deleteTrigger(agentId: string, triggerId: string, options?: CallOptions): Promise<Deleted>;

  /** Replace the secret that events are signed with. For 24 hours, the one before is accepted as well. */
  rotateTriggerSecret(agentId: string, triggerId: string, body?: RotateTriggerSecretRequest, options?: CallOptions): Promise<TriggerSecretRotated>;

  /** Send an event to a trigger: 202 if it sends a message, 200 if it came before or is ignored. The answer does not wait for the agent. */
  receiveTriggerEvent(triggerToken: string, body: TriggerEvent, options?: CallOptions): Promise<TriggerReceipt>;

  /** Start many sessions of an agent, each with a first message. If one session is refused, none is started. */
  createSessionBatch(body: CreateSessionBatchRequest, options?: CallOptions): Promise<SessionBatchCreated>;

  /** List batches, newest first, without the outcome of their messages. */
  listSessionBatches(query?: { limit?: number | undefined; after?: string | undefined }, options?: CallOptions): Promise<Page<SessionBatchSummary>>;

  /** Get a batch, with the number of its first messages by status. */
  getSessionBatch(sessionBatchId: string, options?: CallOptions): Promise<SessionBatch>;

  /** List the sessions of a batch, in the order of the request. */
  listBatchSessions(sessionBatchId: string, query?: { limit?: number | undefined; after?: string | undefined; message_status?: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | undefined }, options?: CallOptions): Promise<Page<BatchSession>>;

  /** Get a batch's results as JSON lines, in the order of the request: prompt, status, answer, error, duration. A retried message has the result of its newest retry. */
  getBatchResults(sessionBatchId: string, options?: CallOptions): Promise<string>;

  /** Cancel the first messages of a batch that have not ended: queued ones immediately, running ones when their turns stop. */
  cancelSessionBatch(sessionBatchId: string, options?: CallOptions): Promise<SessionBatch>;
}

export const operations = {
  createSourceSnapshot: { method: "POST", path: "/v1/source-snapshots", body: "json", isKeyed: true },
  uploadBundle: { method: "PUT", path: "/v1/source-snapshots/{source_snapshot_id}/content", body: "bytes", hasQuery: true, isKeyless: true },
  finalizeSourceSnapshot: { method: "POST", path: "/v1/source-snapshots/{source_snapshot_id}/finalize" },
  getSourceSnapshotManifest: { method: "GET", path: "/v1/source-snapshots/{source_snapshot_id}/manifest" },
  deleteSourceSnapshot: { method: "DELETE", path: "/v1/source-snapshots/{source_snapshot_id}" },
  createAgent: { method: "POST", path: "/v1/agents", body: "json", isKeyed: true },
  listAgents: { method: "GET", path: "/v1/agents", hasQuery: true },
  getAgent: { method: "GET", path: "/v1/agents/{agent_id}" },
  updateAgent: { method: "PATCH", path: "/v1/agents/{agent_id}", body: "json" },
  deleteAgent: { method: "DELETE", path: "/v1/agents/{agent_id}" },
  createVersion: { method: "POST", path: "/v1/agents/{agent_id}/versions", body: "json", isKeyed: true },
  listVersions: { method: "GET", path: "/v1/agents/{agent_id}/versions", hasQuery: true },
  getVersion: { method: "GET", path: "/v1/agents/{agent_id}/versions/{version_id}" },
  getVersionBundle: { method: "GET", path: "/v1/agents/{agent_id}/versions/{version_id}/bundle" },
  getVersionBundleFile: { method: "GET", path: "/v1/agents/{agent_id}/versions/{version_id}/bundle/file", hasQuery: true },
  activateVersion: { method: "POST", path: "/v1/agents/{agent_id}/activate", body: "json" },
  getBuildLogs: { method: "GET", path: "/v1/versions/{version_id}/build-logs", hasQuery: true, reply: "text" },
  createSession: { method: "POST", path: "/v1/agents/{agent_id}/sessions", body: "json", isKeyed: true },
  listAgentSessions: { method: "GET", path: "/v1/agents/{agent_id}/sessions", hasQuery: true },
  listSessions: { method: "GET", path: "/v1/sessions", hasQuery: true },
  listSessionSummaries: { method: "GET", path: "/v1/session-summaries", hasQuery: true },
  getSession: { method: "GET", path: "/v1/sessions/{session_id}" },
  deleteSession: { method: "DELETE", path: "/v1/sessions/{session_id}", hasQuery: true },
  completeSession: { method: "POST", path: "/v1/sessions/{session_id}/complete", hasQuery: true },
  listMessages: { method: "GET", path: "/v1/sessions/{session_id}/messages", hasQuery: true },
  sendMessageSync: { method: "POST", path: "/v1/sessions/{session_id}/messages/sync", body: "json", isKeyed: true, timeoutMs: 0 },
  sendMessageAsync: { method: "POST", path: "/v1/sessions/{session_id}/messages/async", body: "json", isKeyed: true },
  sendSessionEvent: { method: "POST", path: "/v1/sessions/{session_id}/events", body: "json", isKeyed: true },
  listEvents: { method: "GET", path: "/v1/sessions/{session_id}/events", hasQuery: true },
  sendAgentMessage: { method: "POST", path: "/v1/agents/{agent_id}/messages", body: "json", isKeyed: true },
  getMessage: { method: "GET", path: "/v1/messages/{message_id}", hasQuery: true },
  cancelMessage: { method: "POST", path: "/v1/messages/{message_id}/cancel" },
  retryMessage: { method: "POST", path: "/v1/messages/{message_id}/retry", body: "json", isKeyed: true },
  answerInput: { method: "POST", path: "/v1/messages/{message_id}/inputs", body: "json", isKeyed: true },
  getMessageFiles: { method: "GET", path: "/v1/messages/{message_id}/files" },
  getMessageLogs: { method: "GET", path: "/v1/messages/{message_id}/logs", hasQuery: true, reply: "text" },
  createSessionToken: { method: "POST", path: "/v1/sessions/{session_id}/tokens", body: "json" },
  revokeSessionTokens: { method: "DELETE", path: "/v1/sessions/{session_id}/tokens" },
  getAllowedOrigins: { method: "GET", path: "/v1/organizations/{organization_id}/allowed-origins", hasDefaultOrganization: true },
  putAllowedOrigins: { method: "PUT", path: "/v1/organizations/{organization_id}/allowed-origins", body: "json", hasDefaultOrganization: true },
  sendMessageStream: { method: "POST", path: "/v1/sessions/{session_id}/messages/stream", body: "json", reply: "events", isKeyed: true },
  streamMessage: { method: "GET", path: "/v1/messages/{message_id}/stream", hasQuery: true, reply: "events" },
  streamSession: { method: "GET", path: "/v1/sessions/{session_id}/stream", hasQuery: true, reply: "events" },
  getTranscript: { method: "GET", path: "/v1/sessions/{session_id}/transcript", hasQuery: true },
  getToolCall: { method: "GET", path: "/v1/messages/{message_id}/tool-calls/{call_id}", hasQuery: true },
  getMessageValue: { method: "GET", path: "/v1/messages/{message_id}/values/{value_id}", reply: "content" },
  listModelRequests: { method: "GET", path: "/v1/messages/{message_id}/model-requests", hasQuery: true },
  replayMessage: { method: "POST", path: "/v1/messages/{message_id}/replay", body: "json", isKeyed: true },
  getReplay: { method: "GET", path: "/v1/messages/{message_id}/replay" },
  listRecordings: { method: "GET", path: "/v1/agents/{agent_id}/recordings", hasQuery: true },
  getPriceList: { method: "GET", path: "/v1/operator/prices", hasQuery: true },
  putPriceList: { method: "PUT", path: "/v1/operator/prices", body: "json" },
  uploadFile: { method: "POST", path: "/v1/files", body: "form", isKeyed: true },
  listFiles: { method: "GET", path: "/v1/files", hasQuery: true },
  getFile: { method: "GET", path: "/v1/files/{file_id}" },
  deleteFile: { method: "DELETE", path: "/v1/files/{file_id}" },
  getFileContent: { method: "GET", path: "/v1/files/{file_id}/content", reply: "content" },
  getFileDownloadUrl: { method: "GET", path: "/v1/files/{file_id}/download-url", hasQuery: true },
  reserveFileUpload: { method: "POST", path: "/v1/files/uploads", body: "json" },
  completeFileUpload: { method: "POST", path: "/v1/files/uploads/complete", body: "json", timeoutMs: 3600000 },
  listSessionFiles: { method: "GET", path: "/v1/sessions/{session_id}/files", hasQuery: true },
  getSessionFileContent: { method: "GET", path: "/v1/sessions/{session_id}/files/content", hasQuery: true, reply: "content" },
  putSessionFile: { method: "PUT", path: "/v1/sessions/{session_id}/files/content", body: "bytes", hasQuery: true },
  deleteSessionFile: { method: "DELETE", path: "/v1/sessions/{session_id}/files/content", hasQuery: true },
  getWorkspaceTarGz: { method: "GET", path: "/v1/sessions/{session_id}/workspace.tar.gz", hasQuery: true, reply: "content" },
  getWorkspaceZip: { method: "GET", path: "/v1/sessions/{session_id}/workspace.zip", hasQuery: true, reply: "content" },
  forkSession: { method: "POST", path: "/v1/sessions/{session_id}/fork", body: "json", isKeyed: true },
  rollBackSession: { method: "POST", path: "/v1/sessions/{session_id}/rollback", body: "json" },
  getMessageDiff: { method: "GET", path: "/v1/messages/{message_id}/diff", reply: "text" },
  listAttemptFiles: { method: "GET", path: "/v1/messages/{message_id}/attempts/{attempt_number}/files", hasQuery: true },
  getAttemptFileContent: { method: "GET", path: "/v1/messages/{message_id}/attempts/{attempt_number}/files/content", hasQuery: true, reply: "content" },
  exportSession: { method: "GET", path: "/v1/sessions/{session_id}/export", reply: "content" },
  importSession: { method: "POST", path: "/v1/sessions/import", body: "bytes", contentType: "application/gzip", hasQuery: true, isKeyed: true },
  promoteAttempt: { method: "POST", path: "/v1/messages/{message_id}/attempts/{attempt_number}/promote" },
  getAuthConfig: { method: "GET", path: "/v1/auth/config", isKeyless: true },
  bootstrap: { method: "POST", path: "/v1/me/bootstrap", body: "json" },
  listOrganizations: { method: "GET", path: "/v1/organizations", hasQuery: true },
  createOrganization: { method: "POST", path: "/v1/organizations", body: "json", isKeyed: true },
  listApiKeys: { method: "GET", path: "/v1/organizations/{organization_id}/api-keys", hasDefaultOrganization: true, hasQuery: true },
  createApiKey: { method: "POST", path: "/v1/organizations/{organization_id}/api-keys", body: "json", hasDefaultOrganization: true, isKeyed: true },
  revokeApiKey: { method: "DELETE", path: "/v1/organizations/{organization_id}/api-keys/{api_key_id}", hasDefaultOrganization: true },
  ensureManagedKey: { method: "POST", path: "/v1/organizations/{organization_id}/managed-cli-key/ensure", body: "json", hasDefaultOrganization: true },
  listCredentials: { method: "GET", path: "/v1/organizations/{organization_id}/credentials", hasDefaultOrganization: true, hasQuery: true },
  putCredential: { method: "PUT", path: "/v1/organizations/{organization_id}/credentials/{name}", body: "json", hasDefaultOrganization: true },
  deleteCredential: { method: "DELETE", path: "/v1/organizations/{organization_id}/credentials/{name}", hasDefaultOrganization: true },
  listMembers: { method: "GET", path: "/v1/organizations/{organization_id}/members", hasDefaultOrganization: true, hasQuery: true },
  updateMember: { method: "PATCH", path: "/v1/organizations/{organization_id}/members/{member_id}", body: "json", hasDefaultOrganization: true },
  removeMember: { method: "DELETE", path: "/v1/organizations/{organization_id}/members/{member_id}", hasDefaultOrganization: true },
  createSignInLink: { method: "POST", path: "/v1/organizations/{organization_id}/members/{member_id}/sign-in-link", hasDefaultOrganization: true },
  listInvitations: { method: "GET", path: "/v1/organizations/{organization_id}/invitations", hasDefaultOrganization: true, hasQuery: true },
  createInvitation: { method: "POST", path: "/v1/organizations/{organization_id}/invitations", body: "json", hasDefaultOrganization: true, isKeyed: true },
  deleteInvitation: { method: "DELETE", path: "/v1/organizations/{organization_id}/invitations/{invitation_id}", hasDefaultOrganization: true },
  getMe: { method: "GET", path: "/v1/me" },
  signOut: { method: "DELETE", path: "/v1/me/sign-in" },
  signInWithKey: { method: "POST", path: "/v1/me/sign-in" },
  createKeySignInLink: { method: "POST", path: "/v1/me/sign-in-link" },
  getDeviceRequest: { method: "GET", path: "/v1/me/device", hasQuery: true },
  decideDeviceRequest: { method: "POST", path: "/v1/me/device", body: "json" },
  openSignInLink: { method: "POST", path: "/v1/auth/link", body: "json", isKeyless: true },
  startDevice: { method: "POST", path: "/v1/auth/device", body: "json", isKeyless: true },
  pollDevice: { method: "POST", path: "/v1/auth/device/token", body: "json", isKeyless: true },
  getAppAuthorization: { method: "GET", path: "/v1/me/app-authorization", hasQuery: true },
  decideAppAuthorization: { method: "POST", path: "/v1/me/app-authorization", body: "json" },
  listConnectedApps: { method: "GET", path: "/v1/me/apps", hasQuery: true },
  disconnectApp: { method: "DELETE", path: "/v1/me/apps/{api_key_id}" },
  getOrganization: { method: "GET", path: "/v1/organizations/{organization_id}", hasDefaultOrganization: true },
  updateOrganization: { method: "PATCH", path: "/v1/organizations/{organization_id}", body: "json" },
  deleteOrganization: { method: "DELETE", path: "/v1/organizations/{organization_id}" },
  listAuditLog: { method: "GET", path: "/v1/organizations/{organization_id}/audit-log", hasDefaultOrganization: true, hasQuery: true },
  getOperatorHealth: { method: "GET", path: "/v1/operator/health", timeoutMs: 300000 },
  checkStore: { method: "GET", path: "/v1/operator/store-check", hasQuery: true, timeoutMs: 300000 },
  resealSecrets: { method: "POST", path: "/v1/operator/reseal", body: "json", timeoutMs: 300000 },
  retryMessages: { method: "POST", path: "/v1/messages/retry", body: "json", isKeyed: true },
  listBudgets: { method: "GET", path: "/v1/organizations/{organization_id}/budgets", hasDefaultOrganization: true, hasQuery: true },
  putBudget: { method: "PUT", path: "/v1/organizations/{organization_id}/budgets", body: "json", hasDefaultOrganization: true },
  deleteBudget: { method: "DELETE", path: "/v1/organizations/{organization_id}/budgets/{budget_id}", hasDefaultOrganization: true },
  getPlatformStop: { method: "GET", path: "/v1/operator/stop" },
  stopPlatform: { method: "PUT", path: "/v1/operator/stop", body: "json" },
  resumePlatform: { method: "DELETE", path: "/v1/operator/stop" },
  getEgress: { method: "GET", path: "/v1/organizations/{organization_id}/egress", hasDefaultOrganization: true },
  putEgress: { method: "PUT", path: "/v1/organizations/{organization_id}/egress", body: "json", hasDefaultOrganization: true },
  deleteEgress: { method: "DELETE", path: "/v1/organizations/{organization_id}/egress", hasDefaultOrganization: true },
  getAnswerRecording: { method: "GET", path: "/v1/organizations/{organization_id}/answer-recording", hasDefaultOrganization: true },
  putAnswerRecording: { method: "PUT", path: "/v1/organizations/{organization_id}/answer-recording", body: "json", hasDefaultOrganization: true },
  getUsage: { method: "GET", path: "/v1/organizations/{organization_id}/usage", hasDefaultOrganization: true, hasQuery: true },
  getOverview: { method: "GET", path: "/v1/overview", hasQuery: true },
  getAgentUsage: { method: "GET", path: "/v1/agents/{agent_id}/usage", hasQuery: true },
  getSessionCost: { method: "GET", path: "/v1/costs/sessions/{session_id}" },
  getFleet: { method: "GET", path: "/v1/operator/fleet" },
  getAgentWebhook: { method: "GET", path: "/v1/agents/{agent_id}/webhook" },
  putAgentWebhook: { method: "PUT", path: "/v1/agents/{agent_id}/webhook", body: "json" },
  deleteAgentWebhook: { method: "DELETE", path: "/v1/agents/{agent_id}/webhook" },
  rotateAgentWebhookSecret: { method: "POST", path: "/v1/agents/{agent_id}/webhook/rotate-secret", isKeyed: true },
  listWebhookEndpoints: { method: "GET", path: "/v1/organizations/{organization_id}/webhook-endpoints", hasDefaultOrganization: true, hasQuery: true },
  createWebhookEndpoint: { method: "POST", path: "/v1/organizations/{organization_id}/webhook-endpoints", body: "json", hasDefaultOrganization: true, isKeyed: true },
  getWebhookEndpoint: { method: "GET", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}", hasDefaultOrganization: true },
  updateWebhookEndpoint: { method: "PATCH", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}", body: "json", hasDefaultOrganization: true },
  deleteWebhookEndpoint: { method: "DELETE", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}", hasDefaultOrganization: true },
  rotateWebhookSecret: { method: "POST", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}/rotate-secret", hasDefaultOrganization: true, isKeyed: true },
  testWebhookEndpoint: { method: "POST", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}/test", hasDefaultOrganization: true, isKeyed: true },
  listWebhookDeliveries: { method: "GET", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}/deliveries", hasDefaultOrganization: true, hasQuery: true },
  resendWebhookDelivery: { method: "POST", path: "/v1/organizations/{organization_id}/webhook-endpoints/{webhook_endpoint_id}/deliveries/{webhook_delivery_id}/resend", hasDefaultOrganization: true, isKeyed: true },
  listSchedules: { method: "GET", path: "/v1/schedules", hasQuery: true },
  createSchedule: { method: "POST", path: "/v1/schedules", body: "json", isKeyed: true },
  getSchedule: { method: "GET", path: "/v1/schedules/{schedule_id}" },
  updateSchedule: { method: "PATCH", path: "/v1/schedules/{schedule_id}", body: "json" },
  deleteSchedule: { method: "DELETE", path: "/v1/schedules/{schedule_id}" },
  listScheduleFirings: { method: "GET", path: "/v1/schedules/{schedule_id}/firings", hasQuery: true },
  listTriggers: { method: "GET", path: "/v1/agents/{agent_id}/triggers", hasQuery: true },
  createTrigger: { method: "POST", path: "/v1/agents/{agent_id}/triggers", body: "json", isKeyed: true },
  getTrigger: { method: "GET", path: "/v1/agents/{agent_id}/triggers/{trigger_id}" },
  updateTrigger: { method: "PATCH", path: "/v1/agents/{agent_id}/triggers/{trigger_id}", body: "json" },
  deleteTrigger: { method: "DELETE", path: "/v1/agents/{agent_id}/triggers/{trigger_id}" },
  rotateTriggerSecret: { method: "POST", path: "/v1/agents/{agent_id}/triggers/{trigger_id}/rotate-secret", body: "json", isKeyed: true },
  receiveTriggerEvent: { method: "POST", path: "/v1/triggers/{trigger_token}", body: "json", isKeyless: true },
  createSessionBatch: { method: "POST", path: "/v1/session-batches", body: "json", isKeyed: true },
  listSessionBatches: { method: "GET", path: "/v1/session-batches", hasQuery: true },
  getSessionBatch: { method: "GET", path: "/v1/session-batches/{session_batch_id}" },
  listBatchSessions: { method: "GET", path: "/v1/session-batches/{session_batch_id}/sessions", hasQuery: true },
  getBatchResults: { method: "GET", path: "/v1/session-batches/{session_batch_id}/results", reply: "text" },
  cancelSessionBatch: { method: "POST", path: "/v1/session-batches/{session_batch_id}/cancel" },
} as const satisfies Readonly<Record<keyof Operations, OperationRow>>;
