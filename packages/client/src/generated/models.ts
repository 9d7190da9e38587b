// What the platform is sent and answers. Generated from the platform's OpenAPI document; not edited by hand.

/** One page of a list; `next` is the `after` of the page after it. */
export interface Page<Row> {
  data: Row[];
  has_more: boolean;
  next: string | null;
}

/**
 * A type that this client does not know. Every other string is one; it is declared as an enum because TypeScript
 * narrows a union only by types of a single value. Nothing of it exists at run time.
 */
declare enum UnknownType {
  text = "",
}

export interface ActivateVersionRequest {
  version_id: string;
}

export interface Agent {
  id: string;
  agent_id: string;
  deployment_id: string;
  /** Unique in the organization. */
  name: string;
  description: string | null;
  agent_url: string;
  deployment_url: string;
  active_version_id: string | null;
  created_at: string;
}

export interface AgentCreated {
  id: string;
  agent_id: string;
  deployment_id: string;
  /** Unique in the organization. */
  name: string;
  description: string | null;
  agent_url: string;
  deployment_url: string;
  active_version_id: string | null;
  created_at: string;
  version_id: string;
  version_status: "building" | "ready" | "failed";
  /** Problems that do not stop the build, for example a runtime version that is replaced by another. */
  warnings: string[];
}

/** The agent called `emit`. */
export interface AgentEventEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** The first argument of `emit`. */
    name: string;
    data: unknown;
  };
  type: "agent.event";
  message_id: string;
  attempt_id?: string;
}

/** The attempt had more events of model requests, tool calls and the like than are stored. */
export interface AgentEventsOmittedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** How many were not stored, at least. */
    count: number;
  };
  type: "agent.events_omitted";
  message_id: string;
  attempt_id?: string;
}

/** An agent hands the conversation to another agent. */
export interface AgentHandoffEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Name of an agent. */
    from_agent: string;
    /** Name of an agent. */
    to_agent: string;
  };
  type: "agent.handoff";
  message_id: string;
  attempt_id?: string;
}

export interface AgentUsage {
  agent_id: string;
  /** Messages accepted since then are counted. Later than the first day if the organization has more than 50000 messages on these days. */
  since: string;
  is_cut: boolean;
  /** Messages accepted on these days. */
  messages: number;
  /** How many of these messages failed. */
  failed: number;
  /** Attempts of these messages whose entrypoint was called. */
  turns: number;
  /** Seconds that these attempts held a slot, added up. */
  turn_seconds: number;
  /** Tokens that agents' SDKs report for these messages. */
  tokens: number;
  /** Requests to models that the platform metered in attempts of these messages that have ended. */
  metered_requests: number;
  /** Input and output tokens of the metered requests, as the models' providers report them. */
  metered_tokens: number;
  metered_cost_microusd: number | null;
  /** Metered requests without a cost: no price fits their model, or no tokens were reported. */
  unpriced_requests: number;
  p50_seconds: number | null;
  p95_seconds: number | null;
  /** Days in UTC, oldest first, without days on which no message was accepted. */
  days: ({
    date: string;
    /** Messages accepted on these days. */
    messages: number;
    /** How many of these messages failed. */
    failed: number;
    /** Attempts of these messages whose entrypoint was called. */
    turns: number;
    /** Seconds that these attempts held a slot, added up. */
    turn_seconds: number;
    /** Tokens that agents' SDKs report for these messages. */
    tokens: number;
    /** Requests to models that the platform metered in attempts of these messages that have ended. */
    metered_requests: number;
    /** Input and output tokens of the metered requests, as the models' providers report them. */
    metered_tokens: number;
    metered_cost_microusd: number | null;
    /** Metered requests without a cost: no price fits their model, or no tokens were reported. */
    unpriced_requests: number;
    p50_seconds: number | null;
    p95_seconds: number | null;
  })[];
}

/** The organization's webhook endpoint for this agent. */
export interface AgentWebhook {
  webhook_url: string | null;
  /** True: every delivery is signed. */
  signing_enabled: boolean;
  event_types: ("session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled")[];
  signing_secret: string | null;
  webhook_endpoint_id: string | null;
}

/** Pages of these origins can call the organization's sessions with a session token. */
export interface AllowedOrigins {
  origins: string[];
}

export interface AnswerInputRequest {
  key: string;
  /** Any JSON value that matches the `schema` of the input. */
  value: unknown;
}

export interface AnswerRecordingSetting {
  /** `allowed`: if an agent's dari.yml asks for it (`retries.record_answers`). `never`: whatever dari.yml says. */
  mode: "allowed" | "never";
}

export interface ApiKey {
  id: string;
  label: string;
  scopes: ("admin" | "deploy" | "run" | "read")[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  max_requests_per_minute: number | null;
  max_messages_per_minute: number | null;
  max_upload_bytes_per_hour: number | null;
}

export interface ApiKeyCreated {
  id: string;
  label: string;
  scopes: ("admin" | "deploy" | "run" | "read")[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  max_requests_per_minute: number | null;
  max_messages_per_minute: number | null;
  max_upload_bytes_per_hour: number | null;
  /** The secret. Shown once: absent if an idempotent request is repeated. */
  api_key?: string;
}

export interface ApiKeyRevoked {
  deleted: true;
  id: string;
  /** Active schedules that this key created or changed last. They continue; pause or delete those you do not want. */
  active_schedules: string[];
}

export interface AppAuthorization {
  /** Name that the client gives itself. It is not verified. */
  client_name: string;
  /** Host that the browser is sent to after the decision. */
  redirect_host: string;
  redirect_kind: "website" | "this_computer";
  /** What the app can do at /mcp. */
  scopes: ("run" | "read")[];
  organization_id: string;
  member_id: string | null;
  problem: {
    error: string;
    error_description: string;
  } | null;
}

export interface AppDecided {
  /** Where to send the browser: to the client, with a code or an error. */
  redirect_to: string;
}

/** The agent answered. */
export interface AssistantMessageCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    output: MessageOutput;
  };
  type: "assistant.message_completed";
  message_id: string;
  attempt_id?: string;
}

/** Text that the model wrote before a tool call. It is not part of the answer. */
export interface AssistantMessageEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    text: string;
    /** Size of the whole value. Only if it has more than 16 KiB: the event then has its beginning, as text. */
    text_bytes?: number;
    /** Only of a value that was cut and whose whole is kept: `GET /v1/messages/{id}/values/{value_id}`. */
    text_value_id?: string;
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "assistant.message";
  message_id: string;
  attempt_id?: string;
}

/** A piece of the answer, as the agent writes it. */
export interface AssistantTextDeltaEvent {
  session_id: string;
  message_id: string;
  attempt_id: string;
  data: {
    text: string;
    /** Where the piece begins in the attempt's text, in UTF-16 units. */
    offset: number;
    /** The `ordinal` of the model request that writes it. So each message of the model has its own. */
    ordinal?: number;
  };
  type: "assistant.text_delta";
}

/** The attempt ended. If it lost its worker, `error` says whether the turn is run again. */
export interface AttemptEndedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    outcome: "completed" | "failed" | "retry" | "released" | "lost" | "cancelled" | "suspended";
    error?: Failure;
    /** Model usage of the answer, as the agent's SDK or its own code reports it. */
    usage?: Record<string, number>;
  };
  type: "attempt.ended";
  message_id: string;
  attempt_id: string;
}

/** A worker claimed the message and starts an attempt. */
export interface AttemptStartedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Counts attempts from 1; an attempt that does not count is repeated. */
    number: number;
  };
  type: "attempt.started";
  message_id: string;
  attempt_id: string;
}

export interface AuditEntry {
  id: string;
  action: "organization.create" | "organization.update" | "organization.delete" | "invitation.create" | "invitation.accept" | "invitation.delete" | "member.update" | "member.remove" | "member.link" | "member.sign_in" | "member.sign_out" | "api_key.sign_in" | "api_key.sign_out" | "device.approve" | "device.deny" | "app.approve" | "app.end" | "api_key.create" | "api_key.revoke" | "credential.put" | "credential.delete" | "egress.put" | "egress.delete" | "answer_recording.put" | "allowed_origins.put" | "webhook.create" | "webhook.update" | "webhook.delete" | "webhook.rotate_secret" | "webhook.test" | "webhook.resend" | "webhook.disable" | "agent.create" | "agent.update" | "agent.delete" | "version.publish" | "version.activate" | "secrets.reseal" | "budget.put" | "budget.delete" | "platform.stop" | "platform.resume" | "prices.put" | "schedule.create" | "schedule.update" | "schedule.delete" | "schedule.pause" | "trigger.create" | "trigger.update" | "trigger.delete" | "trigger.rotate_secret" | "session_batch.cancel" | "session.delete" | "session.revoke_tokens" | "message.answer" | "message.cancel" | "message.promote" | "message.retry" | "message.retry_many" | "message.replay";
  actor_key_id: string | null;
  actor_member_id: string | null;
  /** Id of the changed resource. */
  target: string;
  details: Record<string, unknown>;
  request_id: string | null;
  created_at: string;
}

export interface AuthConfig {
  supabase_url: string;
  supabase_publishable_key: string;
  sign_in?: SignInWays;
  /** Release of the platform. */
  release?: string;
}

export interface BatchSession {
  /** Position in the request, from 0. */
  index: number;
  session_id: string;
  message_id: string;
  name: string | null;
  message_status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | null;
  error: Failure | null;
  /** The first message, or its newest retry. */
  newest_message_id: string;
  newest_status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | null;
  prompt: string | null;
  answer: string | null;
  duration_ms: number | null;
}

export interface Bootstrap {
  organizations: Organization[];
}

export interface BootstrapRequest {}

export interface Budget {
  id: string;
  scope: "organization" | "agent" | "session";
  /** Id of the organization, the agent or the session that the budget is for. */
  target_id: string;
  period: "day" | "month" | "total";
  set_by: "organization" | "operator";
  max_turns: number | null;
  max_turn_seconds: number | null;
  max_tokens: number | null;
  /** Turns used in this period. */
  turns: number;
  /** Turn seconds used in this period. */
  turn_seconds: number;
  /** Tokens used in this period. */
  tokens: number;
  /** True: a limit is used up. No turn starts; messages wait. */
  is_exhausted: boolean;
  created_at: string;
}

export interface BudgetInput {
  limit: "requests" | "tokens" | "cost_usd";
  /** The limit's value. */
  value: number;
  /** What the message has used of it, or reserved, in all attempts. */
  used: number;
  requested: number | null;
  /** The lowest limit with which the refused request fits. */
  needed: number;
}

export interface BundleUploaded {
  source_snapshot_id: string;
  status: "pending_upload" | "ready" | "failed";
}

export interface CompleteFileUploadRequest {
  upload_id: string;
}

export interface ConnectedApp {
  id: string;
  /** Name that the client gives itself. It is not verified. */
  client_name: string;
  /** Host that the browser is sent to after the decision. */
  redirect_host: string;
  redirect_kind: "website" | "this_computer";
  /** What the app can do at /mcp. */
  scopes: ("run" | "read")[];
  created_at: string;
  last_used_at: string | null;
  expires_at: string;
}

export interface CreateAgentRequest {
  /** Default: the manifest's name. */
  name?: string;
  /** What to do if another agent has the name. `number` (default): create the agent as `name-2`, `name-3`, …. `refuse`: 409 `agent_name_taken`. `new_version`: publish the bundle as that agent's next version. */
  on_name_conflict?: "number" | "refuse" | "new_version";
  manifest?: Record<string, unknown>;
  source_snapshot_id?: string;
  source?: {
    type: "upload";
    source_snapshot_id: string;
  };
}

export interface CreateApiKeyRequest {
  label: string;
  scopes?: ("admin" | "deploy" | "run" | "read")[];
  /** For the hosted service's clients. Every key is a `management` key; `routing` is refused. */
  key_type?: "management" | "routing";
  expires_at?: string;
  /** Requests per minute by this key. Null: only the organization's limit. */
  max_requests_per_minute?: number | null;
  /** Messages sent per minute by this key. Null: only the organization's limit. */
  max_messages_per_minute?: number | null;
  /** Bytes uploaded per hour by this key. Null: only the organization's limit. */
  max_upload_bytes_per_hour?: number | null;
}

export interface CreateInvitationRequest {
  email: string;
  role: "owner" | "admin" | "member";
}

export interface CreateOrganizationRequest {
  name: string;
  slug?: string;
}

export interface CreateScheduleRequest {
  name?: string;
  /** Id or name of the agent that gets a new session at each due time. */
  agent_id?: string;
  /** Session that gets every message, instead of `agent_id`. */
  session_id?: string;
  /** Five fields: minute, hour, day of the month, month, day of the week. Allows `*`, lists, ranges and steps. */
  cron: string;
  /** IANA time zone (default UTC). */
  time_zone?: string;
  parts: ({
    type: "text";
    text: string;
  } | {
    type: "file" | "image";
    file_id: string;
  })[];
  metadata?: Record<string, string | number | boolean>;
  /** If the schedule's previous message is still open at a due time: `skip` sends nothing, `allow` sends anyway, `replace` cancels the previous message first. Default: `skip`. */
  overlap?: "skip" | "allow" | "replace";
  /** An organization's interactive messages run before its background messages. Default: background. */
  lane?: "interactive" | "background";
  status?: "active" | "paused";
}

export interface CreateSessionBatchRequest {
  /** Id or name of the agent. */
  agent_id?: string;
  version_id?: string;
  name?: string;
  metadata?: Record<string, string | number | boolean>;
  on_busy?: "enqueue" | "reject" | "interrupt" | "rollback" | "merge" | "steer";
  /** An organization's interactive messages run before its background messages. Default: background. */
  lane?: "interactive" | "background";
  /** Maximum number of concurrent turns of the batch. Default: no limit. */
  max_concurrency?: number;
  /** One session per entry: the parts of its first message, and metadata for both. */
  sessions?: ({
    parts: ({
      type: "text";
      text: string;
    } | {
      type: "file" | "image";
      file_id: string;
    })[];
    name?: string;
    metadata?: Record<string, string | number | boolean>;
    /** Values by secret name, for this session only. They replace the organization's credentials. */
    secrets?: Record<string, string>;
  })[];
  /** Same as the `Idempotency-Key` header. */
  idempotency_key?: string;
  /** The hosted service's form, instead of `agent_id` and `sessions`. All items name the same agent and version. */
  items?: ({
    /** Id or name of the agent. */
    agent_id: string;
    version_id?: string;
    /** Not accepted: the agent's code chooses its model. */
    llm_id?: string;
    metadata?: Record<string, string | number | boolean>;
    /** Values by secret name, for this session only. They replace the organization's credentials. */
    secrets?: Record<string, string>;
    message: {
      content: ({
        type: "text";
        text: string;
      } | {
        type: "file" | "image";
        file_id: string;
      })[];
    };
  })[];
}

export interface CreateSessionRequest {
  name?: string;
  metadata?: Record<string, string | number | boolean>;
  /** Default: the agent's active version. */
  version_id?: string;
  /** If the session is busy: `enqueue` waits; `reject` refuses the message (409); `interrupt` cancels the running turn; `rollback` cancels all open messages and removes them from the conversation; `merge` takes over the parts of messages that have not started; `steer` hands the message to the running turn, and waits like `enqueue` if that turn does not take it. Default: `enqueue`. */
  on_busy?: "enqueue" | "reject" | "interrupt" | "rollback" | "merge" | "steer";
  /** Values by secret name, for this session only. They replace the organization's credentials. */
  secrets?: Record<string, string>;
  /** False: the session's agent connects to nothing. True or absent: it reaches what the platform, the organization and dari.yml allow. True allows nothing more. */
  internet_access?: boolean;
}

export interface CreateSessionTokenRequest {
  /** How long the token is valid, in seconds (default 3600). */
  expires_in?: number;
  /** `send`: send messages. `read`: read the session, its messages, events and files. `answer`: answer what its agent asks for. `upload`: upload files for its messages. `cancel`: cancel messages. Default: all. */
  scopes?: ("send" | "read" | "answer" | "upload" | "cancel")[];
  /** Who gets the token. Messages sent with it have `end_user_id` and `end_user_name` in their `metadata`. */
  end_user?: {
    /** The end user's id in your application. */
    id?: string;
    /** The end user's name, for people. */
    name?: string;
  };
}

export interface CreateSourceSnapshotRequest {
  format: "tar.gz";
  sha256: string;
  size_bytes: number;
  metadata?: Record<string, string | boolean>;
}

export interface CreateTriggerRequest {
  name?: string;
  /** How the sender signs events. `none`: everyone who has the URL can send. */
  scheme: "none" | "standard-webhooks" | "github" | "slack" | "stripe";
  /** The secret that the sender signs with. Default: a new one for `github` and `standard-webhooks`. `slack` and `stripe` choose it themselves: until it is set, every event is refused. */
  secret?: string;
  /** Template of the message's text. `{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and `{{first|second}}` the first of them that is there. */
  text: string;
  /** Template of a key. Events with the same key go to the same session. Absent: each event starts a session. `{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and `{{first|second}}` the first of them that is there. */
  session_key?: string;
  /** Template of the event's id. An event whose id came before sends no message. Default: the scheme's own id. `{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and `{{first|second}}` the first of them that is there. */
  event_id?: string;
  /** Conditions that an event must all meet. Other events are answered, but send no message. */
  when?: TriggerCondition[];
  /** If a value of `text` is missing: `empty` leaves its place empty, `refuse` answers 422. Default: `empty`. Values of `session_key` and `event_id` must not be missing. */
  missing?: "empty" | "refuse";
  /** Whether the message has the event's JSON body as its second text part (default false). */
  include_body?: boolean;
  /** An organization's interactive messages run before its background messages. Default: interactive. */
  lane?: "interactive" | "background";
  status?: "active" | "paused";
}

export interface CreateVersionRequest {
  manifest?: Record<string, unknown>;
  source_snapshot_id?: string;
  source?: {
    type: "upload";
    source_snapshot_id: string;
  };
  /** False: the version does not become active when it is ready. Sessions that name it can use it, and `activate` makes it active. Default: true. */
  activate?: boolean;
  /** True: publish nothing if the version that is active, or is being built to become active, has the same bundle and manifest. The reply names that version. Default: false. */
  only_if_changed?: boolean;
}

export interface CreateWebhookEndpointRequest {
  /** https:// URL on a public address. Redirects are not followed. */
  url: string;
  /** Event types to deliver (default message.completed, message.failed, message.cancelled). */
  event_types?: ("session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled")[];
  /** Id or name of the agent. */
  agent_id?: string;
  description?: string;
}

export interface Credential {
  id: string;
  name: string;
  hosts: string[] | null;
  created_at: string;
  updated_at: string;
}

export interface CredentialPut {
  id: string;
  name: string;
  /** False if an existing value was replaced. */
  created: boolean;
  hosts: string[] | null;
}

export interface DecideAppAuthorizationRequest {
  decision: "approve" | "deny";
  /** The organization that the request was shown for. */
  organization_id: string;
  /** The member that the request was shown for; absent if it was null. */
  member_id?: string;
  /** Client id, from the registration. */
  client_id: string;
  /** Where the client wants the answer. */
  redirect_uri: string;
  /** `code`. */
  response_type?: string;
  /** PKCE code challenge. */
  code_challenge?: string;
  /** `S256`. */
  code_challenge_method?: string;
  /** Requested scopes, separated by spaces (default: all). */
  scope?: string;
  /** URL of /mcp (RFC 8707). */
  resource?: string;
  /** Value that the client gets back. */
  state?: string;
}

export interface DecideDeviceRequest {
  user_code: string;
  decision: "approve" | "deny";
}

export interface Deleted {
  deleted: true;
  id?: string;
}

export interface DeviceDecided {
  decision: "approve" | "deny";
  device_name: string;
}

export interface DevicePolled {
  status: "authorization_pending" | "slow_down" | "access_denied" | "expired_token" | "approved";
  /** Minimum time until the next poll, in seconds. */
  interval: number;
  /** The device's key. Only the first poll after the approval has it. */
  api_key?: string;
  api_key_expires_at?: string;
  organization_id?: string;
  member_id?: string;
}

export interface DeviceRequest {
  user_code: string;
  /** Name that the device gives itself. It is not verified. */
  device_name: string;
  expires_at: string;
  created_at: string;
}

export interface DeviceStarted {
  /** Secret for polling. Keep it on the device. */
  device_code: string;
  /** Code that the person enters or compares. */
  user_code: string;
  verification_uri: string;
  /** Verification URL that includes the code. */
  verification_uri_complete: string;
  /** Lifetime of the codes, in seconds. */
  expires_in: number;
  /** Minimum time between two polls, in seconds. */
  interval: number;
}

export interface DirectoryEntry {
  /** Absolute path; `/` is the workspace. */
  path: string;
  type: "file" | "directory" | "symlink";
  size_bytes: number | null;
}

export interface DirectoryListing {
  path: string;
  entries: DirectoryEntry[];
}

/** An agent reaches a host if both rules allow it, the platform's setting allows it, and the agent's dari.yml allows it. Null: no rule is set, and nothing is restricted. */
export interface Egress {
  organization: EgressSetting | null;
  operator: EgressSetting | null;
}

export interface EgressSetting {
  /** `off`: no host. `allow`: only `hosts`. `open`: every public address that the platform allows. */
  mode: "off" | "allow" | "open";
  hosts: string[];
  updated_at: string;
}

/** The end user of the session token that the message was sent with. */
export interface EndUser {
  id?: string;
  name?: string;
}

export interface EnsureManagedKeyRequest {
  device_name: string;
}

export interface Error {
  /** What went wrong, for people. May change; decide by `code`. */
  detail: string;
  code: "unauthenticated" | "forbidden" | "not_found" | "invalid" | "conflict" | "agent_name_taken" | "precondition_failed" | "session_busy" | "idempotency_key_reused" | "too_large" | "limit_exceeded" | "quota_exceeded" | "unavailable" | "snapshot_damaged" | "internal";
  request_id: string;
  errors?: ({
    path: string;
    message: string;
  })[];
}

export type Event = KnownEvent | UnknownEvent;

export interface Failure {
  code: "agent_error" | "credential_refused" | "agent_exit" | "out_of_memory" | "too_many_processes" | "disk_full" | "cpu_limit" | "worker_lost" | "internal_error" | "timeout" | "budget_exceeded" | "replay_diverged" | "invalid_output" | "output_too_large" | "workspace_limit" | "storage_quota" | "entrypoint_not_found" | "unsupported_export" | "build_failed" | "missing_secret" | "runtime_unavailable" | "input_expired" | "cancelled";
  message: string;
}

export interface File {
  id: string;
  filename: string;
  size_bytes: number;
  content_type: string;
  sha256: string;
  created_at: string;
}

export interface FileChange {
  path: string;
  change: "created" | "modified" | "deleted";
  size_bytes: number | null;
}

export interface FileDownloadUrl {
  /** Absolute URL. Its query authorizes the download. Accepts `Range`. */
  url: string;
  expires_at: string;
}

export interface FileUploadReserved {
  upload_id: string;
  /** Absolute URL. Its query authorizes the upload. Send the bytes with PUT. */
  upload_url: string;
  /** Headers to send with the bytes. */
  upload_headers: Record<string, string>;
  expires_at: string;
}

export interface Fleet {
  /** Sessions of all organizations, by their place in the schedule. */
  schedule: {
    /** Sessions that wait for a slot. */
    ready: number;
    /** Dispatched sessions, which no worker has claimed yet. */
    dispatched: number;
    /** Sessions whose turn runs. */
    leased: number;
    /** Sessions whose next attempt is not due yet. */
    retry_wait: number;
    /** Sessions that wait for a build, a budget, operators or an input. */
    blocked: number;
  };
  /** Organizations with waiting or running turns, the longest wait first; at most 100. */
  organizations: ({
    organization_id: string;
    name: string;
    weight: number;
    max_concurrency: number | null;
    /** Turns that wait for a slot, counted up to 10000. */
    ready: number;
    oldest_ready_ms: number | null;
    /** Dispatched and running turns. */
    in_flight: number;
  })[];
  /** Dispatched and running turns, the earliest end of the lease first; at most 100. */
  turns: ({
    organization_id: string;
    session_id: string;
    message_id: string | null;
    state: "dispatched" | "leased";
    worker_id: string | null;
    attempt: number | null;
    running_ms: number | null;
    /** Time until the lease expires. Negative: it has expired, and another worker can run the turn. */
    lease_left_ms: number;
  })[];
  /** Workers, the most recently seen first; at most 100. */
  workers: ({
    id: string;
    pool: string;
    /** Slots that it offers. Fewer while its memory is short. */
    slots: number;
    in_use: number;
    draining: boolean;
    seen_ms_ago: number;
    sandbox: string | null;
    memory_available_bytes: number | null;
    memory_needed_bytes: number | null;
  })[];
}

export interface ForkSessionRequest {
  /** Default: the last completed message. */
  message_id?: string;
  /** A ready version of the agent. Default: the session's. */
  version_id?: string;
}

export interface HealthCheck {
  name: string;
  ok: boolean;
  /** What the check found, for people. */
  found: string;
  what_to_do: string | null;
}

export interface HostedBatchSession {
  index: number;
  session_id: string;
  message_id: string;
  status: string | null;
  last_message_status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | null;
  agent_id: string;
  version_id: string | null;
  llm_id: null;
  metadata: Record<string, string | number | boolean>;
  transcript_url: string;
  error: string | null;
}

export type IncludedPart = OutputPart | ToolCallPart | ToolResultPart;

/** The agent asked for input, or a limit asks to be raised. The message waits for the answer. */
export interface InputRequestedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    key: string;
    /** A limit of the message was reached, and the platform asks for a higher one. Absent: the agent asks. */
    type?: "budget";
    budget?: BudgetInput;
    /** JSON Schema of the answer. */
    schema: Record<string, unknown>;
    prompt: string | null;
    expires_at: string;
  };
  type: "input.requested";
  message_id: string;
  attempt_id?: string;
}

/** The input was answered. */
export interface InputSubmittedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    key: string;
    value: unknown;
  };
  type: "input.submitted";
  message_id: string;
  attempt_id?: never;
}

export interface Invitation {
  id: string;
  email: string;
  role: "owner" | "admin" | "member";
  expires_at: string;
  created_at: string;
}

export interface InvitationCreated {
  id: string;
  email: string;
  role: "owner" | "admin" | "member";
  expires_at: string;
  created_at: string;
  /** Link for the invited person. Works once. Shown once: absent if an idempotent request is repeated. */
  url?: string;
}

export interface KeySignInLink {
  /** Link that signs a browser in with this key. Works once, for ten minutes. */
  url: string;
  expires_at: string;
}

export type KnownEvent = SessionCreatedEvent | SessionStatusChangedEvent | SessionRolledBackEvent | UserMessageEvent | MessageStatusChangedEvent | MessageSteeredEvent | AttemptStartedEvent | AttemptEndedEvent | AssistantMessageCompletedEvent | ModelRequestStartedEvent | ModelRequestCompletedEvent | ReasoningCompletedEvent | AssistantMessageEvent | ToolCallRequestedEvent | ToolCallCompletedEvent | AgentHandoffEvent | SubagentStartedEvent | SubagentCompletedEvent | PlanUpdatedEvent | StepCompletedEvent | AgentEventsOmittedEvent | AgentEventEvent | InputRequestedEvent | InputSubmittedEvent | WorkspaceCommittedEvent | WorkspaceRestoredFromOlderEvent | MessageCompletedEvent | MessageFailedEvent | MessageCancelledEvent;

export type KnownPreview = AssistantTextDeltaEvent | ReasoningDeltaEvent | ToolArgumentsDeltaEvent | LogEvent;

export type KnownWebhook = WebhookEvent | WebhookTest;

/** A piece of what the agent prints. */
export interface LogEvent {
  session_id: string;
  message_id: string;
  attempt_id: string;
  data: {
    stream: "stdout" | "stderr" | "platform";
    text: string;
  };
  type: "log";
}

export interface ManagedKey {
  api_key: string;
}

/** A request, a notification or a response of JSON-RPC 2.0. Batches are refused. */
export interface McpMessage {
  jsonrpc: "2.0";
  /** Names a request. Absent for a notification. */
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
}

/** A refusal by the rules of the Model Context Protocol. */
export interface McpRefusal {
  jsonrpc: "2.0";
  error: {
    code: number;
    message: string;
  };
}

/** A response or, in a stream, also a notification of JSON-RPC 2.0. */
export interface McpReply {
  jsonrpc: "2.0";
}

export interface Me {
  method: "link" | "oidc" | "key";
  scopes: ("admin" | "deploy" | "run" | "read")[];
  organization: Organization;
  member: Member | null;
}

export interface Member {
  id: string;
  email: string;
  role: "owner" | "admin" | "member";
  last_signed_in_at: string | null;
  created_at: string;
}

export interface Message {
  id: string;
  session_id: string;
  sequence_number: number;
  status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled";
  waiting_reason: "build" | "budget" | "paused" | "input" | "retry" | null;
  lane: "interactive" | "background";
  parts: MessagePart[];
  metadata: Record<string, string | number | boolean>;
  output: ShownOutput | null;
  files_changed: FileChange[];
  /** Number of the current or last attempt. 1 while queued. */
  attempt: number;
  /** Maximum number of attempts: `retries.max_attempts` of the manifest. One more once an attempt that called the agent has lost its worker, unless `retries.on_worker_lost` is false. */
  max_attempts: number;
  limits?: MessageLimits;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  /** Duration of each phase, in milliseconds. */
  timings: Record<string, number>;
  /** The later message that this message became part of. */
  merged_into?: string;
  /** The earlier message whose turn has taken this message, and with whose turn it ends. */
  delivered_in?: string;
  /** Sequence number of the event `message.steered`: the place in the turn. With `delivered_in`. */
  delivered_after?: number;
  /** The failed message that this message retries. */
  retry_of?: string;
  /** The completed message that this message replays. */
  replay_of?: string;
  /** The message in the source session that a fork copied. */
  copied_from?: string;
  /** Inputs that the message asked for, in order. At most one waits for its answer. */
  inputs?: MessageInput[];
  /** The session was rolled back to before this message; agents do not see it. */
  rolled_back?: true;
}

/** The message was cancelled. Last event of the message. */
export interface MessageCancelledEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: Message;
  type: "message.cancelled";
  message_id: string;
  attempt_id?: never;
}

/** The message completed. Last event of the message. */
export interface MessageCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: Message;
  type: "message.completed";
  message_id: string;
  attempt_id?: never;
}

/** The message failed. Last event of the message. */
export interface MessageFailedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: Message;
  type: "message.failed";
  message_id: string;
  attempt_id?: never;
}

export interface MessageFiles {
  message_id: string;
  session_id: string;
  files_changed: FileChange[];
}

export interface MessageInput {
  key: string;
  /** A limit of the message was reached, and the platform asks for a higher one. Absent: the agent asks. */
  type?: "budget";
  budget?: BudgetInput;
  status: "waiting" | "answered" | "expired" | "cancelled";
  /** JSON Schema of the answer. */
  schema: Record<string, unknown>;
  prompt: string | null;
  requested_at: string;
  expires_at: string;
  ended_at: string | null;
}

/** Limits of the message's requests to models, in all attempts. They can only lower those of dari.yml. A message with limits does not steer, and merges only with messages that have the same ones. */
export interface MessageLimits {
  /** Maximum number of requests. */
  requests?: number;
  /** Maximum number of tokens, input and output together. */
  tokens?: number;
  /** Maximum cost in US dollars, by the operators' price list. A request that names a model without a price is refused. */
  cost_usd?: number;
}

export interface MessageOutput {
  parts: OutputPart[];
  error?: Failure;
  /** Model usage of the answer, as the agent's SDK or its own code reports it. */
  usage?: Record<string, number>;
  /** Notes on an answer without text and without changed files. The first note says so; the others name connections that were refused or failed (at most 10). Absent for every other answer. */
  notes?: string[];
}

export type MessagePart = {
  type: "text";
  text: string;
} | {
  type: "file" | "image";
  file_id: string;
  filename?: string;
  path?: string;
};

/** The message's status changed. */
export interface MessageStatusChangedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled";
  };
  type: "message.status_changed";
  message_id: string;
  attempt_id?: never;
}

/** The attempt of message `into` took message `message_id`, which steers its turn. */
export interface MessageSteeredEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    into: string;
  };
  type: "message.steered";
  message_id: string;
  attempt_id?: string;
}

export interface MessagesRetried {
  /** Number of messages that match: retried and skipped ones. */
  matched: number;
  retried: ({
    message_id: string;
    retry_message_id: string | null;
  })[];
  skipped: ({
    message_id: string;
    reason: "already_retried" | "backlog_full" | "session_ended" | "version_failed" | "file_deleted" | "not_possible";
  })[];
  has_more: boolean;
  next: string | null;
  dry_run: boolean;
}

export interface ModelPrice {
  host: string;
  model: string;
  /** Prices in US dollars for a million tokens. */
  usd_per_million_tokens: {
    /** Input that the provider neither read from its cache nor wrote to it; at most six decimals. */
    input: number;
    /** Input that the provider read from its cache (default: as `input`). */
    cached_input?: number;
    /** Input that the provider wrote to its cache (default: as `input`). */
    cache_write?: number;
    /** Output, including reasoning. */
    output: number;
  };
}

export interface ModelRequest {
  attempt_id: string;
  /** Position among the attempt's requests. */
  ordinal: number;
  /** 1. If an attempt made more than 1000 requests, its last row has the sums of the other requests, and this is their number. */
  requests: number;
  host: string | null;
  format: "openai-responses" | "openai-chat" | "anthropic-messages" | "gemini" | null;
  model: string | null;
  status: number | null;
  input_tokens: number | null;
  cached_input_tokens: number | null;
  cache_write_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  reserved_tokens: number | null;
  reserved_cost_microusd: number | null;
  finish_reason: string | null;
  /** From the request to the end of its answer. */
  duration_ms: number;
  /** Whether the answer was read to its end. */
  is_complete: boolean;
  unread: "encoding" | "too_large" | "too_fast" | "too_many" | "malformed" | null;
  cost_microusd: number | null;
  unpriced: "no_price" | "no_tokens" | "sum" | null;
  /** Whether the agent got the answer that an earlier attempt had recorded (`retries.record_answers`). No model was asked, and no tokens are counted. */
  is_recorded: boolean;
  created_at: string;
}

/** The model has answered, or the request failed. */
export interface ModelRequestCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Counts the attempt's model requests from 1. */
    ordinal: number;
    /** As the SDK names it. */
    provider?: string;
    /** As the SDK names it. */
    model?: string;
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
    /** Tokens of this request. */
    usage?: Record<string, number>;
    duration_ms: number;
    /** As the SDK names it. */
    finish_reason?: string;
    error?: string;
  };
  type: "model.request_completed";
  message_id: string;
  attempt_id?: string;
}

/** The agent asks a model. */
export interface ModelRequestStartedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Counts the attempt's model requests from 1. */
    ordinal: number;
    /** As the SDK names it. */
    provider?: string;
    /** As the SDK names it. */
    model?: string;
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "model.request_started";
  message_id: string;
  attempt_id?: string;
}

export interface OpenLinkRequest {
  /** The part of the link after `#`. */
  token: string;
}

export interface OperatorHealth {
  /** True if every check is ok. */
  ok: boolean;
  release: string;
  checks: HealthCheck[];
  workers: ({
    id: string;
    pool: string;
    slots: number;
    draining: boolean;
    seen_ms_ago: number;
  })[];
  /** Rows that break an invariant; at most 20 per invariant. */
  violations: ({
    invariant: string;
    says: string;
    rows: string[];
  })[];
}

export interface Organization {
  id: string;
  name: string;
  slug: string;
  role: "owner" | "admin" | "member";
  /** True: its admin keys are operators of the whole installation. */
  is_operator: boolean;
  /** Share of the fleet's slots, relative to other organizations that wait. */
  weight: number;
  max_concurrency: number | null;
  max_backlog: number | null;
  max_workspace_bytes: number | null;
  max_workspace_files: number | null;
  max_workspace_file_bytes: number | null;
  session_retention_days: number | null;
  max_requests_per_minute: number | null;
  max_messages_per_minute: number | null;
  max_upload_bytes_per_hour: number | null;
  max_storage_bytes: number | null;
  max_files: number | null;
  max_agents: number | null;
  max_sessions: number | null;
  max_api_keys: number | null;
  max_turn_memory_bytes: number | null;
  max_turn_cpus: number | null;
  created_at: string;
}

export interface OrganizationCreated {
  id: string;
  name: string;
  slug: string;
  role: "owner" | "admin" | "member";
  /** True: its admin keys are operators of the whole installation. */
  is_operator: boolean;
  /** Share of the fleet's slots, relative to other organizations that wait. */
  weight: number;
  max_concurrency: number | null;
  max_backlog: number | null;
  max_workspace_bytes: number | null;
  max_workspace_files: number | null;
  max_workspace_file_bytes: number | null;
  session_retention_days: number | null;
  max_requests_per_minute: number | null;
  max_messages_per_minute: number | null;
  max_upload_bytes_per_hour: number | null;
  max_storage_bytes: number | null;
  max_files: number | null;
  max_agents: number | null;
  max_sessions: number | null;
  max_api_keys: number | null;
  max_turn_memory_bytes: number | null;
  max_turn_cpus: number | null;
  created_at: string;
  /** The new organization's admin key. Shown once. */
  api_key?: string;
}

export type OutputPart = {
  type: "text";
  text: string;
} | {
  type: "file" | "image";
  path: string;
};

export interface Overview {
  /** Messages accepted since then are counted: from the start of the first day, or later if there are more than 200000 messages. Deleted sessions are not counted. */
  since: string;
  /** True: there are more messages, and the first day is incomplete. */
  is_cut: boolean;
  total: {
    /** Messages accepted on these days. */
    messages: number;
    /** How many of these messages failed. */
    failed: number;
    /** Attempts of these messages whose entrypoint was called. */
    turns: number;
    /** Tokens that agents' SDKs report for these messages. */
    tokens: number;
    cost_usd: number | null;
    p50_seconds: number | null;
    p95_seconds: number | null;
    waited_p50_seconds: number | null;
    waited_p95_seconds: number | null;
  };
  /** Days in UTC, oldest first, without days on which no message was accepted. Sums that take long to compute are up to a minute old. */
  days: ({
    date: string;
    /** Messages accepted on these days. */
    messages: number;
    /** How many of these messages failed. */
    failed: number;
    /** Attempts of these messages whose entrypoint was called. */
    turns: number;
    /** Tokens that agents' SDKs report for these messages. */
    tokens: number;
    cost_usd: number | null;
    p50_seconds: number | null;
    p95_seconds: number | null;
    waited_p50_seconds: number | null;
    waited_p95_seconds: number | null;
  })[];
  now: {
    /** Dispatched and running turns. */
    turns: number;
    /** Messages that wait or run. */
    open_messages: number;
  };
  /** Dispatched and running turns, at most 20. */
  running: ({
    title: string | null;
    session_id: string;
    agent_id: string;
    agent_name: string;
    message_id: string | null;
    state: "dispatched" | "running";
    attempt: number | null;
    started_at: string | null;
  })[];
  /** Inputs that wait for an answer, the oldest first; at most 20 rows. */
  inputs: {
    /** Counted up to 1000. */
    count: number;
    rows: ({
      title: string | null;
      session_id: string;
      agent_id: string;
      agent_name: string;
      message_id: string;
      key: string;
      prompt: string | null;
      requested_at: string;
      expires_at: string;
    })[];
  };
  /** Messages that failed on these days and were not retried, the newest first, in sessions that accept messages; at most 20 rows, of the newest 1000 failures. */
  failed: {
    /** Counted up to 1000. */
    count: number;
    rows: ({
      title: string | null;
      session_id: string;
      agent_id: string;
      agent_name: string;
      message_id: string;
      code: string | null;
      error: string | null;
      failed_at: string;
    })[];
  };
  /** Sessions that wait for a budget or for operators; at most 20 rows. */
  held: {
    /** Counted up to 1000. */
    count: number;
    rows: ({
      title: string | null;
      session_id: string;
      agent_id: string;
      agent_name: string;
      reason: "budget" | "paused";
      since: string;
    })[];
  };
}

export interface PlanItem {
  text: string;
  status: "pending" | "in_progress" | "completed" | "cancelled";
}

/** The agent changed its list of todos. */
export interface PlanUpdatedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    items: PlanItem[];
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "plan.updated";
  message_id: string;
  attempt_id?: string;
}

export interface PlatformStop {
  /** True: no turn starts. Running turns finish. */
  stopped: boolean;
  reason: string | null;
  stopped_at: string | null;
}

export interface PollDeviceRequest {
  device_code: string;
}

export type PreviewEvent = KnownPreview | UnknownPreview;

export interface PriceList {
  valid_from: string | null;
  prices: ModelPrice[];
  /** All lists, the latest date first; at most 200. */
  lists: ({
    valid_from: string;
    prices: number;
    is_in_force: boolean;
  })[];
}

export interface PutAgentWebhookRequest {
  /** https:// URL on a public address. Redirects are not followed. */
  webhook_url: string;
  /** Event types to deliver (default message.completed, message.failed, message.cancelled). */
  event_types?: ("session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled")[];
}

export interface PutAllowedOriginsRequest {
  /** All origins; they replace the earlier ones. */
  origins: string[];
}

export interface PutBudgetRequest {
  /** Id or name of the agent. */
  agent_id?: string;
  session_id?: string;
  period: "day" | "month" | "total";
  /** Attempts whose entrypoint is called. Null or absent: no limit. */
  max_turns?: number | null;
  /** Seconds that attempts hold a slot, added up. Null or absent: no limit. */
  max_turn_seconds?: number | null;
  /** Tokens that agents' SDKs report. Null or absent: no limit. */
  max_tokens?: number | null;
}

export interface PutCredentialRequest {
  value: string;
  /** Agents get a placeholder, which is replaced by the value in the headers of HTTPS requests to these hosts. Null: agents get the value. Absent: unchanged. */
  hosts?: unknown[] | null;
}

export interface PutEgressRequest {
  mode: "off" | "allow" | "open";
  /** Hosts that mode `allow` permits. Absent or empty in the other modes. */
  hosts?: string[];
}

export interface PutPriceListReply {
  valid_from: string;
  /** Prices that the list has now. */
  prices: number;
  /** Prices that the list had before. */
  replaced: number;
  /** Prices of the list before this date that this list does not have. */
  missing: ({
    host: string;
    model: string;
  })[];
  in_force: string | null;
}

export interface PutPriceListRequest {
  /** The first day (UTC) on which requests are priced by this list. */
  valid_from: string;
  /** All prices from this date on. An empty list removes the list of this date. */
  prices: ModelPrice[];
}

/** The model's reasoning, or its summary, if the SDK shows one. */
export interface ReasoningCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    text: string;
    /** Size of the whole value. Only if it has more than 16 KiB: the event then has its beginning, as text. */
    text_bytes?: number;
    /** Only of a value that was cut and whose whole is kept: `GET /v1/messages/{id}/values/{value_id}`. */
    text_value_id?: string;
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "reasoning.completed";
  message_id: string;
  attempt_id?: string;
}

/** A piece of the model's reasoning, or of its summary, if the SDK shows one. */
export interface ReasoningDeltaEvent {
  session_id: string;
  message_id: string;
  attempt_id: string;
  data: {
    /** The `ordinal` of the model request that writes it. So each message of the model has its own. */
    ordinal: number;
    text: string;
  };
  type: "reasoning.delta";
}

export interface Recording {
  message_id: string;
  session_id: string;
  version_id: string;
  /** Recorded answers of models. */
  answers: number;
  /** Their size. It counts in the organization's storage quota. */
  size_bytes: number;
  created_at: string;
  expires_at: string;
}

export interface ReplayMessageRequest {
  /** Version that the replay runs on (default: the session's). */
  version_id?: string;
  /** Whether a request without a recorded answer goes to the model (default true). False: such a request is refused, and the message fails with `replay_diverged`. */
  live?: boolean;
  /** An organization's interactive messages run before its background messages. Default: background. */
  lane?: "interactive" | "background";
}

export interface ReplayReport {
  message_id: string;
  replay_of: string;
  version_id: string;
  status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled";
  /** Whether the replay completed with the same answer and files, and made the same requests to models. */
  is_same: boolean;
  is_answer_changed: boolean;
  /** How the workspace differs from the one after the original turn: `created` is only in the replay, `deleted` only in the original. Empty if the replay has not completed. */
  files_changed: FileChange[];
  are_requests_changed: boolean;
  requests: ReplayRequests;
  original_cost_microusd: number | null;
  cost_microusd: number | null;
}

export interface ReplayRequests {
  /** Requests of the original turn that got an answer. */
  original: number;
  /** Requests of the replay that got a recorded answer. */
  recorded: number;
  /** Requests of the replay that went to a model. */
  live: number;
  first_live: number | null;
}

export interface ResealRequest {
  /** `next` of the previous reply. Absent: start at the beginning. */
  after?: string;
  /** Secrets per step (default 200). */
  limit?: number;
}

export interface Resealed {
  /** Id of the current master key. */
  key_id: string;
  /** Secrets that this request encrypted with the current key. */
  resealed: number;
  /** Secrets that no master key of this installation decrypts. */
  unopened: ({
    organization_id: string;
    name: string;
    reason: string;
  })[];
  next: string | null;
}

export interface ReserveFileUploadRequest {
  filename: string;
  content_type?: string;
  size_bytes: number;
  sha256: string;
}

export interface RetryMessageRequest {
  /** Retry in a fork of the session from before the message (default false). */
  fork?: boolean;
  /** Version that the fork runs on (default: the session's). Requires `fork`. */
  version_id?: string;
  /** If the session is busy: `enqueue` waits; `reject` refuses the message (409); `interrupt` cancels the running turn; `rollback` cancels all open messages and removes them from the conversation; `merge` takes over the parts of messages that have not started; `steer` hands the message to the running turn, and waits like `enqueue` if that turn does not take it. Default: `enqueue`. */
  on_busy?: "enqueue" | "reject" | "interrupt" | "rollback" | "merge" | "steer";
  /** An organization's interactive messages run before its background messages. Default: the failed message's. */
  lane?: "interactive" | "background";
}

export interface RetryMessagesRequest {
  filter: {
    /** Default: the key's own organization. Only operators can name another one or `all`. */
    organization_id?: string;
    /** Id or name of the agent. */
    agent_id?: string;
    session_id?: string;
    /** First messages of this batch, and their retries. */
    session_batch_id?: string;
    error_code?: string;
    failed_after?: string;
    failed_before?: string;
  };
  /** Failed messages to examine (default 100). */
  limit?: number;
  /** `next` of the previous reply. */
  after?: string;
  /** Also retry messages that were retried before (default false). */
  force?: boolean;
  /** An organization's interactive messages run before its background messages. Default: background. */
  lane?: "interactive" | "background";
  /** Return what would be retried, and retry nothing (default false). */
  dry_run?: boolean;
}

export interface RollbackSessionRequest {
  message_id: string;
}

export interface RotateTriggerSecretRequest {
  /** The new secret. Required for `slack` and `stripe`; default: a new one. */
  secret?: string;
}

export interface Schedule {
  id: string;
  name: string | null;
  agent_id: string;
  session_id: string | null;
  cron: string;
  time_zone: string;
  parts: MessagePart[];
  metadata: Record<string, string | number | boolean>;
  /** If the schedule's previous message is still open at a due time: `skip` sends nothing, `allow` sends anyway, `replace` cancels the previous message first. Default: `skip`. */
  overlap: "skip" | "allow" | "replace";
  lane: "interactive" | "background";
  status: "active" | "paused";
  paused_reason: "manual" | "agent_deleted" | "session_ended" | "unknown_times" | null;
  next_due_at: string | null;
  last_fired_at: string | null;
  changed_by_key_id: string | null;
  created_at: string;
  updated_at: string;
}

export interface ScheduleFiring {
  id: string;
  schedule_id: string;
  /** Due time. Of several missed in a row, the first one. */
  due_at: string;
  /** When the outcome was recorded. */
  created_at: string;
  outcome: "fired" | "skipped" | "missed" | "failed";
  session_id: string | null;
  message_id: string | null;
  message_status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | null;
  reason: {
    code: "overlap" | "session_busy" | "paused" | "budget" | "late" | "rate_limited" | "backlog_full" | "quota_exceeded" | "file_deleted" | "agent_deleted" | "session_ended" | "not_possible";
    message: string;
  } | null;
  missed_count: number | null;
}

export interface SendAgentMessageRequest {
  type: "user.message";
  content: ({
    type: "text";
    text: string;
  } | {
    type: "file" | "image";
    file_id: string;
  })[];
  metadata?: Record<string, string | number | boolean>;
  session?: CreateSessionRequest;
}

export interface SendMessageRequest {
  parts: ({
    type: "text";
    text: string;
  } | {
    type: "file" | "image";
    file_id: string;
  })[];
  metadata?: Record<string, string | number | boolean>;
  /** `sync` waits until the message ends, `async` returns immediately, `stream` sends its events. Default: what `Accept` and `Prefer` ask for, otherwise `sync`. */
  delivery?: "sync" | "async" | "stream";
  /** If the session is busy: `enqueue` waits; `reject` refuses the message (409); `interrupt` cancels the running turn; `rollback` cancels all open messages and removes them from the conversation; `merge` takes over the parts of messages that have not started; `steer` hands the message to the running turn, and waits like `enqueue` if that turn does not take it. Default: the session's `on_busy`. */
  on_busy?: "enqueue" | "reject" | "interrupt" | "rollback" | "merge" | "steer";
  /** An organization's interactive messages run before its background messages. Default: interactive. */
  lane?: "interactive" | "background";
  limits?: MessageLimits;
}

export interface SendSessionEventRequest {
  type: "user.message";
  content: ({
    type: "text";
    text: string;
  } | {
    type: "file" | "image";
    file_id: string;
  })[];
  metadata?: Record<string, string | number | boolean>;
}

export interface SentEvent {
  event: Event;
  message: Message;
  session: Session;
}

export interface Session {
  id: string;
  agent_id: string;
  deployment_id: string;
  version_id: string;
  status: "idle" | "active" | "completed" | "failed" | "expired";
  name: string | null;
  metadata: Record<string, string | number | boolean>;
  on_busy: "enqueue" | "reject" | "interrupt" | "rollback" | "merge" | "steer";
  internet_access: boolean | null;
  last_message_id: string | null;
  last_message_status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | null;
  created_at: string;
  ended_at: string | null;
  /** Source of the fork. `message_id` null: forked from before the first message. */
  forked_from?: {
    session_id: string;
    message_id: string | null;
  };
}

export interface SessionBatch {
  id: string;
  agent_id: string;
  name: string | null;
  metadata: Record<string, string | number | boolean>;
  lane: "interactive" | "background";
  max_concurrency: number | null;
  /** Sessions that the batch started. */
  total: number;
  created_at: string;
  cancel_requested_at: string | null;
  /** `ended`: every first message has ended or is deleted. */
  status: "in_progress" | "cancelling" | "ended";
  /** Number of first messages by status. `deleted` counts messages of deleted sessions. */
  counts: {
    queued: number;
    running: number;
    waiting_for_input: number;
    completed: number;
    failed: number;
    cancelled: number;
    deleted: number;
  };
  finished_at: string | null;
}

export interface SessionBatchCreated {
  id: string;
  agent_id: string;
  name: string | null;
  metadata: Record<string, string | number | boolean>;
  lane: "interactive" | "background";
  max_concurrency: number | null;
  /** Sessions that the batch started. */
  total: number;
  created_at: string;
  cancel_requested_at: string | null;
  /** `ended`: every first message has ended or is deleted. */
  status: "in_progress" | "cancelling" | "ended";
  /** Number of first messages by status. `deleted` counts messages of deleted sessions. */
  counts: {
    queued: number;
    running: number;
    waiting_for_input: number;
    completed: number;
    failed: number;
    cancelled: number;
    deleted: number;
  };
  finished_at: string | null;
  /** Same as `id`. Present if the request used `items`. */
  batch_id?: string;
  /** The sessions in the order of `items`. Present if the request used `items`. */
  sessions?: HostedBatchSession[];
}

export interface SessionBatchSummary {
  id: string;
  agent_id: string;
  name: string | null;
  metadata: Record<string, string | number | boolean>;
  lane: "interactive" | "background";
  max_concurrency: number | null;
  /** Sessions that the batch started. */
  total: number;
  created_at: string;
  cancel_requested_at: string | null;
  /** `ended`: every first message has ended or is deleted. */
  status: "in_progress" | "cancelling" | "ended";
}

export interface SessionCost {
  scope_kind: "session";
  scope_id: string;
  /** Same as `turns`. */
  event_count: number;
  total_cost_usd: string | null;
  /** Messages accepted on these days. */
  messages: number;
  /** How many of these messages failed. */
  failed: number;
  /** Attempts of these messages whose entrypoint was called. */
  turns: number;
  /** Seconds that these attempts held a slot, added up. */
  turn_seconds: number;
  /** Tokens that agents' SDKs report for these messages. */
  tokens: number;
  /** Requests to models that the platform metered in attempts of these messages that have ended. */
  metered_requests: number;
  /** Input and output tokens of the metered requests, as the models' providers report them. */
  metered_tokens: number;
  metered_cost_microusd: number | null;
  /** Metered requests without a cost: no price fits their model, or no tokens were reported. */
  unpriced_requests: number;
  /** Sums of the turns' `usage`, by name; at most 64 names. */
  usage: Record<string, number>;
  /** True: the session has more than 50000 messages; only the newest are counted. */
  is_cut: boolean;
}

/** The session was created. First event of every session. */
export interface SessionCreatedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    agent_id: string;
    version_id: string;
    name: string | null;
    metadata: Record<string, string | number | boolean>;
    forked_from?: {
      session_id: string;
      message_id: string | null;
    };
    /** The session's id in the platform that exported it. */
    imported_from?: string;
  };
  type: "session.created";
  message_id?: never;
  attempt_id?: never;
}

/** The session was rolled back to its state after message `message_id`. */
export interface SessionRolledBackEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    snapshot_id: string | null;
  };
  type: "session.rolled_back";
  message_id: string;
  attempt_id?: never;
}

/** The session's status changed. */
export interface SessionStatusChangedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    status: "idle" | "active" | "completed" | "failed" | "expired";
  };
  type: "session.status_changed";
  message_id?: never;
  attempt_id?: never;
}

export interface SessionSummary {
  title: string | null;
  id: string;
  agent_id: string;
  agent_name: string;
  name: string | null;
  last_words: string | null;
  status: "idle" | "active" | "completed" | "failed" | "expired";
  last_message_id: string | null;
  last_message_status: "queued" | "running" | "waiting_for_input" | "completed" | "failed" | "cancelled" | null;
  created_by: {
    type: "member" | "api_key" | "schedule" | "batch" | "trigger";
    id: string;
    name: string | null;
  } | null;
  /** All messages, also rolled back ones. */
  messages: number;
  /** Failed messages. Of the newest 200 turns. */
  failed: number;
  /** Tokens that the agent's SDK reported. Of the newest 200 turns. */
  tokens: number;
  /** Seconds that the agent ran. Of the newest 200 turns. */
  turn_seconds: number;
  created_at: string;
  /** When the newest message was accepted or ended; without messages, `created_at`. */
  last_activity_at: string;
}

export interface SessionTokenCreated {
  id: string;
  /** Send it as `Authorization: Bearer`. It cannot be read again. */
  token: string;
  session_id: string;
  scopes: ("send" | "read" | "answer" | "upload" | "cancel")[];
  end_user: EndUser | null;
  expires_at: string;
}

export interface ShownOutput {
  parts: IncludedPart[];
  error?: Failure;
  /** Model usage of the answer, as the agent's SDK or its own code reports it. */
  usage?: Record<string, number>;
  /** Notes on an answer without text and without changed files. The first note says so; the others name connections that were refused or failed (at most 10). Absent for every other answer. */
  notes?: string[];
  /** With `include=tool_calls`: the parts before the answer have more than 8 MiB, and the rest of them is left out. */
  tool_calls_cut?: true;
}

export interface SignInLink {
  member_id: string;
  /** Link that signs this person in. Works once. Shown once. */
  url: string;
  expires_at: string;
}

export interface SignInWays {
  /** True: people can sign in through an identity provider. */
  oidc: boolean;
  oidc_name: string | null;
}

/** `member_id` is null if the browser is signed in with an organization's key. */
export interface SignedIn {
  member_id: string | null;
  organization_id: string;
  expires_at: string;
}

export interface SignedOut {
  signed_out: true;
}

export interface SourceSnapshotCreated {
  source_snapshot_id: string;
  /** Absolute URL. Its query authorizes the upload. Send the bytes with PUT. */
  upload_url: string;
  upload_headers: Record<string, string>;
  expires_at: string;
  status: "pending_upload" | "ready" | "failed";
}

export interface SourceSnapshotFinalized {
  source_snapshot_id: string;
  status: "ready" | "failed";
  failure_reason: string | null;
}

export interface SourceSnapshotManifest {
  source_snapshot_id: string;
  /** `dari.yml` with its defaults, as a version of this bundle shows it. */
  manifest: Record<string, unknown>;
  warnings: string[];
}

export interface StartDeviceRequest {
  device_name: string;
}

/** The agent got the result of a step. */
export interface StepCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Name of the step. */
    name: string;
    /** Counts the attempt's calls with this name from 1. */
    ordinal: number;
    /** Whether an earlier attempt recorded the result. */
    is_replayed: boolean;
    duration_ms?: number;
  };
  type: "step.completed";
  message_id: string;
  attempt_id?: string;
}

export interface StopPlatformRequest {
  reason: string;
}

export interface StoreCheck {
  /** Number of objects checked in this step. */
  checked: number;
  problems: StoreProblem[];
  next: string | null;
}

export interface StoreProblem {
  /** Key in the object store. */
  key: string;
  what: "snapshot" | "content" | "file" | "bundle" | "image";
  problem: "missing" | "damaged";
  detail: string;
}

export type StreamItem = Event | PreviewEvent;

/** A subagent has ended. */
export interface SubagentCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Name of the subagent. */
    name: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
    is_error: boolean;
    duration_ms?: number;
  };
  type: "subagent.completed";
  message_id: string;
  attempt_id?: string;
}

/** A subagent starts. */
export interface SubagentStartedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** Name of the subagent. */
    name: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "subagent.started";
  message_id: string;
  attempt_id?: string;
}

/** A piece of a tool call's arguments, as the model writes them. Joined, they are JSON. */
export interface ToolArgumentsDeltaEvent {
  session_id: string;
  message_id: string;
  attempt_id: string;
  data: {
    /** As in `tool.call_requested`. */
    call_id: string;
    /** As in `tool.call_requested`. */
    name: string;
    text: string;
  };
  type: "tool.arguments_delta";
}

export interface ToolCall {
  message_id: string;
  /** The attempt that requested it. Absent if the session was imported without it. */
  attempt_id?: string;
  call_id: string;
  name: string;
  kind?: "function" | "mcp" | "shell" | "file" | "web" | "computer";
  /** Name of the MCP server. */
  server?: string;
  /** Name of the agent or subagent. */
  agent?: string;
  /** The tool call that runs the subagent. */
  parent_call_id?: string;
  arguments: ToolCallValue | null;
  result: ToolCallValue | null;
  is_error: boolean | null;
  duration_ms: number | null;
  requested_at: string | null;
  completed_at: string | null;
}

/** The tool has returned, or failed. */
export interface ToolCallCompletedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** The SDK's id of the call. Unique in its attempt. */
    call_id: string;
    /** Name of the tool. */
    name: string;
    result: unknown;
    /** Size of the whole value. Only if it has more than 16 KiB: the event then has its beginning, as text. */
    result_bytes?: number;
    /** Only of a value that was cut and whose whole is kept: `GET /v1/messages/{id}/values/{value_id}`. */
    result_value_id?: string;
    is_error: boolean;
    /** What the tool threw, with its stack, if the SDK catches it. `result` is what the model gets. */
    error?: string;
    duration_ms?: number;
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "tool.call_completed";
  message_id: string;
  attempt_id?: string;
}

export interface ToolCallPart {
  type: "tool_call";
  call_id: string;
  name: string;
  kind: "function" | "mcp" | "shell" | "file" | "web" | "computer";
  /** Name of the MCP server. */
  server?: string;
  arguments: unknown;
  /** Size of the whole arguments. Only if they are cut. */
  arguments_bytes?: number;
  /** Name of the agent or subagent. */
  agent?: string;
  /** The tool call that runs the subagent. */
  parent_call_id?: string;
}

/** The agent calls a tool. */
export interface ToolCallRequestedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    /** The SDK's id of the call. Unique in its attempt. */
    call_id: string;
    /** Name of the tool. */
    name: string;
    kind: "function" | "mcp" | "shell" | "file" | "web" | "computer";
    /** Name of the MCP server. */
    server?: string;
    arguments: unknown;
    /** Size of the whole value. Only if it has more than 16 KiB: the event then has its beginning, as text. */
    arguments_bytes?: number;
    /** Only of a value that was cut and whose whole is kept: `GET /v1/messages/{id}/values/{value_id}`. */
    arguments_value_id?: string;
    /** Name of the agent or subagent. */
    agent?: string;
    /** The tool call that runs the subagent. Absent: the agent itself. */
    parent_call_id?: string;
  };
  type: "tool.call_requested";
  message_id: string;
  attempt_id?: string;
}

export interface ToolCallValue {
  /** JSON, or text. A picture or another binary part is `{type, media_type, size_bytes, value_id}`. If `is_cut`, the beginning of the value, as text. */
  value: unknown;
  media_type: string;
  /** Size of the whole value: of the text, or of its JSON. */
  size_bytes: number;
  /** The whole value is not kept. It has more than 8388608 bytes, or a limit was reached. */
  is_cut: boolean;
  /** Downloads the value. Only if its event has it cut. */
  value_id?: string;
}

export interface ToolResultPart {
  type: "tool_result";
  call_id: string;
  name: string;
  result: unknown;
  /** Size of the whole result. Only if it is cut. */
  result_bytes?: number;
  is_error: boolean;
  duration_ms?: number;
  /** Name of the agent or subagent. */
  agent?: string;
  /** The tool call that runs the subagent. */
  parent_call_id?: string;
}

export type TranscriptEntry = {
  /** Sequence number of the event that the entry shows. */
  sequence_number: number;
  created_at: string;
  message_id?: string;
  kind: "user";
  parts: MessagePart[];
  end_user?: EndUser;
} | {
  /** Sequence number of the event that the entry shows. */
  sequence_number: number;
  created_at: string;
  message_id?: string;
  kind: "assistant";
  parts: IncludedPart[];
  /** With `include=tool_calls`: the parts before the answer have more than 8 MiB, and the rest of them is left out. */
  tool_calls_cut?: true;
} | {
  /** Sequence number of the event that the entry shows. */
  sequence_number: number;
  created_at: string;
  message_id?: string;
  kind: "files";
  files_changed: FileChange[];
} | {
  /** Sequence number of the event that the entry shows. */
  sequence_number: number;
  created_at: string;
  message_id?: string;
  kind: "failure";
  status: string;
  error: Failure;
} | {
  /** Sequence number of the event that the entry shows. */
  sequence_number: number;
  created_at: string;
  message_id?: string;
  kind: "event";
  type: string;
  data: Record<string, unknown>;
};

export interface Trigger {
  id: string;
  agent_id: string;
  name: string | null;
  /** How the sender signs events. `none`: everyone who has the URL can send. */
  scheme: "none" | "standard-webhooks" | "github" | "slack" | "stripe";
  /** False: every event is refused, unless the scheme is `none`. */
  has_secret: boolean;
  old_secret_expires_at: string | null;
  text: string;
  session_key: string | null;
  event_id: string | null;
  when: TriggerCondition[];
  missing: "empty" | "refuse";
  include_body: boolean;
  lane: "interactive" | "background";
  status: "active" | "paused";
  changed_by_key_id: string | null;
  created_at: string;
  updated_at: string;
}

/** Either `header` or `path`, and either `equals` or `exists`. */
export interface TriggerCondition {
  /** Name of a header. */
  header?: string;
  /** Path of a value in the body. */
  path?: string;
  /** The value, as text, must be one of these. */
  equals?: string[];
  /** Whether there must be a value, or must be none. */
  exists?: boolean;
}

export interface TriggerCreated {
  id: string;
  agent_id: string;
  name: string | null;
  /** How the sender signs events. `none`: everyone who has the URL can send. */
  scheme: "none" | "standard-webhooks" | "github" | "slack" | "stripe";
  /** False: every event is refused, unless the scheme is `none`. */
  has_secret: boolean;
  old_secret_expires_at: string | null;
  text: string;
  session_key: string | null;
  event_id: string | null;
  when: TriggerCondition[];
  missing: "empty" | "refuse";
  include_body: boolean;
  lane: "interactive" | "background";
  status: "active" | "paused";
  changed_by_key_id: string | null;
  created_at: string;
  updated_at: string;
  /** Where the sender posts events. It is a secret. Shown once: absent if an idempotent request is repeated. */
  url?: string;
  /** A secret that the platform made. Shown once: absent if an idempotent request is repeated. */
  secret?: string;
}

/** Any JSON object or list of at most 1048576 bytes. */
export type TriggerEvent = Record<string, unknown> | unknown[];

export interface TriggerReceipt {
  /** Whether the event sent a message, came before, or is one that the trigger does not want. */
  status?: "accepted" | "duplicate" | "ignored";
  session_id?: string;
  /** The message that the event sent. */
  message_id?: string;
  /** Why it was ignored, for people. */
  reason?: string;
  /** Slack's challenge, in the answer to `url_verification`. */
  challenge?: string;
}

export interface TriggerSecretRotated {
  id: string;
  agent_id: string;
  name: string | null;
  /** How the sender signs events. `none`: everyone who has the URL can send. */
  scheme: "none" | "standard-webhooks" | "github" | "slack" | "stripe";
  /** False: every event is refused, unless the scheme is `none`. */
  has_secret: boolean;
  old_secret_expires_at: string | null;
  text: string;
  session_key: string | null;
  event_id: string | null;
  when: TriggerCondition[];
  missing: "empty" | "refuse";
  include_body: boolean;
  lane: "interactive" | "background";
  status: "active" | "paused";
  changed_by_key_id: string | null;
  created_at: string;
  updated_at: string;
  /** A secret that the platform made. Shown once: absent if an idempotent request is repeated. */
  secret?: string;
}

/** An event of a type that a later platform added. Ignore it. */
export interface UnknownEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  message_id?: string;
  attempt_id?: string;
  type: UnknownType;
  data: Record<string, unknown>;
}

/** A preview of a type that a later platform added. Ignore it. */
export interface UnknownPreview {
  session_id: string;
  message_id: string;
  attempt_id: string;
  type: UnknownType;
  data: Record<string, unknown>;
}

/** A type that a later platform added. Ignore it. */
export interface UnknownWebhook {
  type: UnknownType;
  timestamp: string;
  data: Record<string, unknown>;
}

export interface UpdateAgentRequest {
  /** The new name. Unique in the organization. */
  name: string;
}

export interface UpdateMemberRequest {
  role: "owner" | "admin" | "member";
}

export interface UpdateOrganizationRequest {
  /** Share of the fleet's slots, relative to other organizations that wait. */
  weight?: number;
  /** Maximum number of concurrent turns. Null: the platform's default. */
  max_concurrency?: number | null;
  /** Messages that wait or run. Null: the platform's default. */
  max_backlog?: number | null;
  /** Bytes in one workspace. Null: the platform's default, which is the maximum. */
  max_workspace_bytes?: number | null;
  /** Files and directories in one workspace. Null: the platform's default. */
  max_workspace_files?: number | null;
  /** Bytes in one file of a workspace. Null: the platform's default. */
  max_workspace_file_bytes?: number | null;
  /** Days without a message or a write until a session expires. It is deleted a week later. Null: never. */
  session_retention_days?: number | null;
  /** Requests per minute by all keys together. Null: the platform's default. */
  max_requests_per_minute?: number | null;
  /** Messages sent per minute by all keys together. Null: the platform's default. */
  max_messages_per_minute?: number | null;
  /** Bytes uploaded per hour by all keys together. Null: the platform's default. */
  max_upload_bytes_per_hour?: number | null;
  /** Bytes of uploaded files, bundles, workspaces and tool calls together. Null: no limit. */
  max_storage_bytes?: number | null;
  /** Uploaded files. Null: no limit. */
  max_files?: number | null;
  /** Agents. Null: no limit. */
  max_agents?: number | null;
  /** Sessions, including ended ones. Null: no limit. */
  max_sessions?: number | null;
  /** API keys that are neither revoked nor expired. Null: no limit. */
  max_api_keys?: number | null;
  /** Bytes of memory of one turn. Null: the platform's maximum. */
  max_turn_memory_bytes?: number | null;
  /** Processors that one turn uses at once. Null: the platform's maximum. */
  max_turn_cpus?: number | null;
}

export interface UpdateScheduleRequest {
  name?: string;
  /** Five fields: minute, hour, day of the month, month, day of the week. Allows `*`, lists, ranges and steps. */
  cron?: string;
  /** IANA time zone (default UTC). */
  time_zone?: string;
  parts?: ({
    type: "text";
    text: string;
  } | {
    type: "file" | "image";
    file_id: string;
  })[];
  metadata?: Record<string, string | number | boolean>;
  /** If the schedule's previous message is still open at a due time: `skip` sends nothing, `allow` sends anyway, `replace` cancels the previous message first. Default: `skip`. */
  overlap?: "skip" | "allow" | "replace";
  /** An organization's interactive messages run before its background messages. Default: unchanged. */
  lane?: "interactive" | "background";
  status?: "active" | "paused";
}

export interface UpdateTriggerRequest {
  name?: string;
  /** Template of the message's text. `{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and `{{first|second}}` the first of them that is there. */
  text?: string;
  /** Template of a key. Events with the same key go to the same session. Absent: each event starts a session. `{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and `{{first|second}}` the first of them that is there. */
  session_key?: string | null;
  /** Template of the event's id. An event whose id came before sends no message. Default: the scheme's own id. `{{path.to.value}}` is a value of the event's JSON body, `{{header:Name}}` a header of its request, and `{{first|second}}` the first of them that is there. */
  event_id?: string | null;
  /** Conditions that an event must all meet. Other events are answered, but send no message. */
  when?: TriggerCondition[];
  /** If a value of `text` is missing: `empty` leaves its place empty, `refuse` answers 422. Default: `empty`. Values of `session_key` and `event_id` must not be missing. */
  missing?: "empty" | "refuse";
  /** Whether the message has the event's JSON body as its second text part (default false). */
  include_body?: boolean;
  /** An organization's interactive messages run before its background messages. Default: unchanged. */
  lane?: "interactive" | "background";
  status?: "active" | "paused";
}

export interface UpdateWebhookEndpointRequest {
  /** https:// URL on a public address. Redirects are not followed. */
  url?: string;
  /** Event types to deliver (default message.completed, message.failed, message.cancelled). */
  event_types?: ("session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled")[];
  description?: string | null;
  status?: "enabled" | "disabled";
}

export interface Usage {
  /** Messages accepted since then are counted: from the start of the first day, or later if there are more than 50000 messages. Deleted sessions are not counted. */
  since: string;
  /** True: there are more messages, and the first day is incomplete. */
  is_cut: boolean;
  /** Days in UTC, oldest first, without days on which no message was accepted. */
  days: ({
    date: string;
    /** Messages accepted on these days. */
    messages: number;
    /** How many of these messages failed. */
    failed: number;
    /** Attempts of these messages whose entrypoint was called. */
    turns: number;
    /** Seconds that these attempts held a slot, added up. */
    turn_seconds: number;
    /** Tokens that agents' SDKs report for these messages. */
    tokens: number;
    /** Requests to models that the platform metered in attempts of these messages that have ended. */
    metered_requests: number;
    /** Input and output tokens of the metered requests, as the models' providers report them. */
    metered_tokens: number;
    metered_cost_microusd: number | null;
    /** Metered requests without a cost: no price fits their model, or no tokens were reported. */
    unpriced_requests: number;
  })[];
  /** The 100 agents with the most turn seconds on these days. */
  agents: ({
    agent_id: string;
    name: string;
    /** Messages accepted on these days. */
    messages: number;
    /** How many of these messages failed. */
    failed: number;
    /** Attempts of these messages whose entrypoint was called. */
    turns: number;
    /** Seconds that these attempts held a slot, added up. */
    turn_seconds: number;
    /** Tokens that agents' SDKs report for these messages. */
    tokens: number;
    /** Requests to models that the platform metered in attempts of these messages that have ended. */
    metered_requests: number;
    /** Input and output tokens of the metered requests, as the models' providers report them. */
    metered_tokens: number;
    metered_cost_microusd: number | null;
    /** Metered requests without a cost: no price fits their model, or no tokens were reported. */
    unpriced_requests: number;
  })[];
  now: {
    /** Messages that wait or run. */
    open_messages: number;
    /** Dispatched and running turns. */
    turns: number;
  };
  kept: {
    /** Bytes of uploaded files, bundles, workspaces and tool calls together. */
    storage_bytes: {
      kept: number;
      max: number | null;
    };
    /** Counted up to 100000. */
    files: {
      kept: number;
      max: number | null;
    };
    /** Counted up to 100000. */
    agents: {
      kept: number;
      max: number | null;
    };
    /** Counted up to 100000. */
    sessions: {
      kept: number;
      max: number | null;
    };
    /** Counted up to 100000. */
    api_keys: {
      kept: number;
      max: number | null;
    };
  };
  /** Sessions whose messages wait for a budget or for operators; at most 100. */
  held_sessions: ({
    session_id: string;
    agent_id: string;
    reason: "budget" | "paused";
    since: string;
  })[];
}

/** A message was accepted. First event of every message. */
export interface UserMessageEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    parts: MessagePart[];
    metadata: Record<string, string | number | boolean>;
  };
  type: "user.message";
  message_id: string;
  attempt_id?: never;
}

export interface Version {
  id: string;
  version_id: string;
  agent_id: string;
  deployment_id: string;
  /** Position among the agent's versions, in the order of publication, from 1. */
  number: number;
  status: "building" | "ready" | "failed";
  active: boolean;
  /** Same as `active`; the hosted service's name for it. */
  is_active: boolean;
  source_snapshot_id: string;
  /** SHA-256 of the uploaded bundle, in hexadecimal. */
  archive_sha256: string;
  /** Size of the uploaded bundle, in bytes. */
  size_bytes: number;
  /** Metadata of the bundle, as uploaded. `dari deploy` sends the commit and who made it. */
  metadata: Record<string, unknown>;
  manifest: Record<string, unknown>;
  runtime: {
    language: string;
    version: string;
  } | null;
  warnings: string[];
  failure: Failure | null;
  created_at: string;
  finished_at: string | null;
}

export interface VersionBundle {
  agent_id: string;
  version_id: string;
  source_snapshot_id: string;
  /** SHA-256 of the uploaded bundle, in hexadecimal. */
  archive_sha256: string;
  /** Size of the uploaded bundle, in bytes. */
  size_bytes: number;
  /** Sorted by path. */
  files: ({
    path: string;
    size_bytes: number;
    is_executable: boolean;
  })[];
}

export interface VersionBundleFile {
  version_id: string;
  path: string;
  size_bytes: number;
  /** The file's text, at most 1048576 bytes of UTF-8. */
  content: string;
}

export interface VersionCreated {
  agent_id: string;
  deployment_id: string;
  agent_url: string;
  deployment_url: string;
  version_id: string;
  version_status: "building" | "ready" | "failed";
  /** Problems that do not stop the build, for example a runtime version that is replaced by another. */
  warnings: string[];
  /** Nothing was published: `version_id` is an earlier version with the same bundle and manifest. */
  unchanged?: true;
}

export interface WebhookDelivery {
  id: string;
  endpoint_id: string;
  /** Id of the event. Every attempt sends it as `webhook-id`. */
  event_id: string;
  type: string;
  session_id: string | null;
  sequence_number: number | null;
  message_id: string | null;
  status: "pending" | "delivered" | "failed" | "cancelled";
  /** Attempts so far. The delivery fails after 10. */
  attempts: number;
  next_attempt_at: string | null;
  attempted_at: string | null;
  duration_ms: number | null;
  response_status: number | null;
  response_excerpt: string | null;
  error: string | null;
  created_at: string;
  ended_at: string | null;
}

export interface WebhookEndpoint {
  id: string;
  url: string;
  agent_id: string | null;
  event_types: ("session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled")[];
  description: string | null;
  status: "enabled" | "disabled";
  disabled_reason: "manual" | "failing" | "gone" | "backlog" | null;
  failing_since: string | null;
  old_secret_expires_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface WebhookEndpointCreated {
  id: string;
  url: string;
  agent_id: string | null;
  event_types: ("session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled")[];
  description: string | null;
  status: "enabled" | "disabled";
  disabled_reason: "manual" | "failing" | "gone" | "backlog" | null;
  failing_since: string | null;
  old_secret_expires_at: string | null;
  created_at: string;
  updated_at: string;
  /** `whsec_…`, verifies deliveries. Shown once: absent if an idempotent request is repeated. */
  secret?: string;
}

/** An event of the ledger; read its payload under its sequence number. */
export interface WebhookEvent {
  type: "session.created" | "session.status_changed" | "session.rolled_back" | "user.message" | "message.status_changed" | "message.steered" | "attempt.started" | "attempt.ended" | "assistant.message_completed" | "model.request_started" | "model.request_completed" | "reasoning.completed" | "assistant.message" | "tool.call_requested" | "tool.call_completed" | "agent.handoff" | "subagent.started" | "subagent.completed" | "plan.updated" | "step.completed" | "agent.events_omitted" | "agent.event" | "input.requested" | "input.submitted" | "workspace.committed" | "workspace.restored_from_older" | "message.completed" | "message.failed" | "message.cancelled";
  timestamp: string;
  data: {
    id: string;
    organization_id: string;
    session_id: string;
    sequence_number: number;
    agent_id: string;
    message_id?: string;
    attempt_id?: string;
  };
}

export type WebhookPayload = KnownWebhook | UnknownWebhook;

/** Sent on request, to try an endpoint. */
export interface WebhookTest {
  type: "webhook.test";
  timestamp: string;
  data: {
    id: string;
    organization_id: string;
  };
}

export interface WorkspaceCommit {
  session_id: string;
  /** Newest snapshot of the workspace. Unchanged if the request changed nothing. */
  snapshot_id: string;
  files_changed: FileChange[];
}

/** The workspace has a new snapshot, made by a completed turn or by a client's write. */
export interface WorkspaceCommittedEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    snapshot_id: string | null;
    files_changed: FileChange[];
  };
  type: "workspace.committed";
  message_id?: string;
  attempt_id?: string;
}

/** The newest snapshot is damaged; the attempt started from an older one. */
export interface WorkspaceRestoredFromOlderEvent {
  id: string;
  /** Position in the session's ledger, from 1, without gaps. */
  sequence_number: number;
  session_id: string;
  created_at: string;
  data: {
    snapshot_id: string | null;
    damaged_snapshot_id: string;
    reason: string;
  };
  type: "workspace.restored_from_older";
  message_id: string;
  attempt_id?: string;
}
