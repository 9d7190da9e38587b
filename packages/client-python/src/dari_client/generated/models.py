"""What the platform is sent and answers. Generated from the platform's OpenAPI document; not edited by hand."""

from __future__ import annotations

import sys
from typing import Any, Generic, Literal, TypeVar, Union

if sys.version_info >= (3, 11):
    from typing import Never, NotRequired, TypedDict
else:
    from typing_extensions import Never, NotRequired, TypedDict

Row = TypeVar("Row")

#: The type of an event that this client does not know, as a literal: type checkers narrow a union only by those.
UnknownType = Literal[""]


class Page(TypedDict, Generic[Row]):
    """One page of a list; `next` is the `after` of the page after it."""

    data: list[Row]
    has_more: bool
    next: str | None


class ActivateVersionRequest(TypedDict):
    version_id: str


class Agent(TypedDict):
    id: str
    agent_id: str
    deployment_id: str
    name: str
    description: str | None
    agent_url: str
    deployment_url: str
    active_version_id: str | None
    created_at: str


class AgentCreated(TypedDict):
    id: str
    agent_id: str
    deployment_id: str
    name: str
    description: str | None
    agent_url: str
    deployment_url: str
    active_version_id: str | None
    created_at: str
    version_id: str
    version_status: Literal["building", "ready", "failed"]
    warnings: list[str]


class AgentEventEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AgentEventEventData
    type: Literal["agent.event"]
    message_id: str
    attempt_id: NotRequired[str]


class AgentEventEventData(TypedDict):
    name: str
    data: Any


class AgentEventsOmittedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AgentEventsOmittedEventData
    type: Literal["agent.events_omitted"]
    message_id: str
    attempt_id: NotRequired[str]


class AgentEventsOmittedEventData(TypedDict):
    count: int


class AgentHandoffEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AgentHandoffEventData
    type: Literal["agent.handoff"]
    message_id: str
    attempt_id: NotRequired[str]


class AgentHandoffEventData(TypedDict):
    from_agent: str
    to_agent: str


class AgentUsage(TypedDict):
    agent_id: str
    since: str
    is_cut: bool
    messages: int
    failed: int
    turns: int
    turn_seconds: float
    tokens: int
    metered_requests: int
    metered_tokens: int
    metered_cost_microusd: int | None
    unpriced_requests: int
    p50_seconds: float | None
    p95_seconds: float | None
    days: list[AgentUsageDay]


class AgentUsageDay(TypedDict):
    date: str
    messages: int
    failed: int
    turns: int
    turn_seconds: float
    tokens: int
    metered_requests: int
    metered_tokens: int
    metered_cost_microusd: int | None
    unpriced_requests: int
    p50_seconds: float | None
    p95_seconds: float | None


class AgentWebhook(TypedDict):
    webhook_url: str | None
    signing_enabled: bool
    event_types: list[Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]]
    signing_secret: str | None
    webhook_endpoint_id: str | None


class AllowedOrigins(TypedDict):
    origins: list[str]


class AnswerInputRequest(TypedDict):
    key: str
    value: Any


class AnswerRecordingSetting(TypedDict):
    mode: Literal["allowed", "never"]


class ApiKey(TypedDict):
    id: str
    label: str
    scopes: list[Literal["admin", "deploy", "run", "read"]]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    max_requests_per_minute: int | None
    max_messages_per_minute: int | None
    max_upload_bytes_per_hour: int | None


class ApiKeyCreated(TypedDict):
    id: str
    label: str
    scopes: list[Literal["admin", "deploy", "run", "read"]]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    max_requests_per_minute: int | None
    max_messages_per_minute: int | None
    max_upload_bytes_per_hour: int | None
    api_key: NotRequired[str]


class ApiKeyRevoked(TypedDict):
    deleted: Literal[True]
    id: str
    active_schedules: list[str]


class AppAuthorization(TypedDict):
    client_name: str
    redirect_host: str
    redirect_kind: Literal["website", "this_computer"]
    scopes: list[Literal["run", "read"]]
    organization_id: str
    member_id: str | None
    problem: AppAuthorizationProblem1 | None


class AppAuthorizationProblem1(TypedDict):
    error: str
    error_description: str


class AppDecided(TypedDict):
    redirect_to: str


class AssistantMessageCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AssistantMessageCompletedEventData
    type: Literal["assistant.message_completed"]
    message_id: str
    attempt_id: NotRequired[str]


class AssistantMessageCompletedEventData(TypedDict):
    output: MessageOutput


class AssistantMessageEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AssistantMessageEventData
    type: Literal["assistant.message"]
    message_id: str
    attempt_id: NotRequired[str]


class AssistantMessageEventData(TypedDict):
    text: str
    text_bytes: NotRequired[int]
    text_value_id: NotRequired[str]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class AssistantTextDeltaEvent(TypedDict):
    session_id: str
    message_id: str
    attempt_id: str
    data: AssistantTextDeltaEventData
    type: Literal["assistant.text_delta"]


class AssistantTextDeltaEventData(TypedDict):
    text: str
    offset: int
    ordinal: NotRequired[int]


class AttemptEndedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AttemptEndedEventData
    type: Literal["attempt.ended"]
    message_id: str
    attempt_id: str


class AttemptEndedEventData(TypedDict):
    outcome: Literal["completed", "failed", "retry", "released", "lost", "cancelled", "suspended"]
    error: NotRequired[Failure]
    usage: NotRequired[dict[str, float]]


class AttemptStartedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: AttemptStartedEventData
    type: Literal["attempt.started"]
    message_id: str
    attempt_id: str


class AttemptStartedEventData(TypedDict):
    number: int


class AuditEntry(TypedDict):
    id: str
    action: Literal["organization.create", "organization.update", "organization.delete", "invitation.create", "invitation.accept", "invitation.delete", "member.update", "member.remove", "member.link", "member.sign_in", "member.sign_out", "api_key.sign_in", "api_key.sign_out", "device.approve", "device.deny", "app.approve", "app.end", "api_key.create", "api_key.revoke", "credential.put", "credential.delete", "egress.put", "egress.delete", "answer_recording.put", "allowed_origins.put", "webhook.create", "webhook.update", "webhook.delete", "webhook.rotate_secret", "webhook.test", "webhook.resend", "webhook.disable", "agent.create", "agent.update", "agent.delete", "version.publish", "version.activate", "secrets.reseal", "budget.put", "budget.delete", "platform.stop", "platform.resume", "prices.put", "schedule.create", "schedule.update", "schedule.delete", "schedule.pause", "trigger.create", "trigger.update", "trigger.delete", "trigger.rotate_secret", "session_batch.cancel", "session.delete", "session.revoke_tokens", "message.answer", "message.cancel", "message.promote", "message.retry", "message.retry_many", "message.replay"]
    actor_key_id: str | None
    actor_member_id: str | None
    target: str
    details: dict[str, Any]
    request_id: str | None
    created_at: str


class AuthConfig(TypedDict):
    supabase_url: str
    supabase_publishable_key: str
    sign_in: NotRequired[SignInWays]
    release: NotRequired[str]


class BatchSession(TypedDict):
    index: int
    session_id: str
    message_id: str
    name: str | None
    message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None
    error: Failure | None
    newest_message_id: str
    newest_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None
    prompt: str | None
    answer: str | None
    duration_ms: int | None


class Bootstrap(TypedDict):
    organizations: list[Organization]


class BootstrapRequest(TypedDict):
    pass


class Budget(TypedDict):
    id: str
    scope: Literal["organization", "agent", "session"]
    target_id: str
    period: Literal["day", "month", "total"]
    set_by: Literal["organization", "operator"]
    max_turns: int | None
    max_turn_seconds: int | None
    max_tokens: int | None
    turns: int
    turn_seconds: float
    tokens: int
    is_exhausted: bool
    created_at: str


class BudgetInput(TypedDict):
    limit: Literal["requests", "tokens", "cost_usd"]
    value: float
    used: float
    requested: float | None
    needed: float


class BundleUploaded(TypedDict):
    source_snapshot_id: str
    status: Literal["pending_upload", "ready", "failed"]


class CompleteFileUploadRequest(TypedDict):
    upload_id: str


class ConnectedApp(TypedDict):
    id: str
    client_name: str
    redirect_host: str
    redirect_kind: Literal["website", "this_computer"]
    scopes: list[Literal["run", "read"]]
    created_at: str
    last_used_at: str | None
    expires_at: str


class CreateAgentRequest(TypedDict):
    name: NotRequired[str]
    on_name_conflict: NotRequired[Literal["number", "refuse", "new_version"]]
    manifest: NotRequired[dict[str, Any]]
    source_snapshot_id: NotRequired[str]
    source: NotRequired[CreateAgentRequestSource]


class CreateAgentRequestSource(TypedDict):
    type: Literal["upload"]
    source_snapshot_id: str


class CreateApiKeyRequest(TypedDict):
    label: str
    scopes: NotRequired[list[Literal["admin", "deploy", "run", "read"]]]
    key_type: NotRequired[Literal["management", "routing"]]
    expires_at: NotRequired[str]
    max_requests_per_minute: NotRequired[int | None]
    max_messages_per_minute: NotRequired[int | None]
    max_upload_bytes_per_hour: NotRequired[int | None]


class CreateInvitationRequest(TypedDict):
    email: str
    role: Literal["owner", "admin", "member"]


class CreateOrganizationRequest(TypedDict):
    name: str
    slug: NotRequired[str]


class CreateScheduleRequest(TypedDict):
    name: NotRequired[str]
    agent_id: NotRequired[str]
    session_id: NotRequired[str]
    cron: str
    time_zone: NotRequired[str]
    parts: list[CreateScheduleRequestPartText | CreateScheduleRequestPartFile]
    metadata: NotRequired[dict[str, str | float | bool]]
    overlap: NotRequired[Literal["skip", "allow", "replace"]]
    lane: NotRequired[Literal["interactive", "background"]]
    status: NotRequired[Literal["active", "paused"]]


class CreateScheduleRequestPartFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class CreateScheduleRequestPartText(TypedDict):
    type: Literal["text"]
    text: str


class CreateSessionBatchRequest(TypedDict):
    agent_id: NotRequired[str]
    version_id: NotRequired[str]
    name: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool]]
    on_busy: NotRequired[Literal["enqueue", "reject", "interrupt", "rollback", "merge", "steer"]]
    lane: NotRequired[Literal["interactive", "background"]]
    max_concurrency: NotRequired[int]
    sessions: NotRequired[list[CreateSessionBatchRequestSession]]
    idempotency_key: NotRequired[str]
    items: NotRequired[list[CreateSessionBatchRequestItem]]


class CreateSessionBatchRequestItem(TypedDict):
    agent_id: str
    version_id: NotRequired[str]
    llm_id: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool]]
    secrets: NotRequired[dict[str, str]]
    message: CreateSessionBatchRequestItemMessage


class CreateSessionBatchRequestItemMessage(TypedDict):
    content: list[CreateSessionBatchRequestItemMessageContentText | CreateSessionBatchRequestItemMessageContentFile]


class CreateSessionBatchRequestItemMessageContentFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class CreateSessionBatchRequestItemMessageContentText(TypedDict):
    type: Literal["text"]
    text: str


class CreateSessionBatchRequestSession(TypedDict):
    parts: list[CreateSessionBatchRequestSessionPartText | CreateSessionBatchRequestSessionPartFile]
    name: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool]]
    secrets: NotRequired[dict[str, str]]


class CreateSessionBatchRequestSessionPartFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class CreateSessionBatchRequestSessionPartText(TypedDict):
    type: Literal["text"]
    text: str


class CreateSessionRequest(TypedDict):
    name: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool]]
    version_id: NotRequired[str]
    on_busy: NotRequired[Literal["enqueue", "reject", "interrupt", "rollback", "merge", "steer"]]
    secrets: NotRequired[dict[str, str]]
    internet_access: NotRequired[bool]


class CreateSessionTokenRequest(TypedDict):
    expires_in: NotRequired[int]
    scopes: NotRequired[list[Literal["send", "read", "answer", "upload", "cancel"]]]
    end_user: NotRequired[CreateSessionTokenRequestEndUser]


class CreateSessionTokenRequestEndUser(TypedDict):
    id: NotRequired[str]
    name: NotRequired[str]


class CreateSourceSnapshotRequest(TypedDict):
    format: Literal["tar.gz"]
    sha256: str
    size_bytes: int
    metadata: NotRequired[dict[str, str | bool]]


class CreateTriggerRequest(TypedDict):
    name: NotRequired[str]
    scheme: Literal["none", "standard-webhooks", "github", "slack", "stripe"]
    secret: NotRequired[str]
    text: str
    session_key: NotRequired[str]
    event_id: NotRequired[str]
    when: NotRequired[list[TriggerCondition]]
    missing: NotRequired[Literal["empty", "refuse"]]
    include_body: NotRequired[bool]
    lane: NotRequired[Literal["interactive", "background"]]
    status: NotRequired[Literal["active", "paused"]]


class CreateVersionRequest(TypedDict):
    manifest: NotRequired[dict[str, Any]]
    source_snapshot_id: NotRequired[str]
    source: NotRequired[CreateVersionRequestSource]
    activate: NotRequired[bool]
    only_if_changed: NotRequired[bool]


class CreateVersionRequestSource(TypedDict):
    type: Literal["upload"]
    source_snapshot_id: str


class CreateWebhookEndpointRequest(TypedDict):
    url: str
    event_types: NotRequired[list[Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]]]
    agent_id: NotRequired[str]
    description: NotRequired[str]


class Credential(TypedDict):
    id: str
    name: str
    hosts: list[str] | None
    created_at: str
    updated_at: str


class CredentialPut(TypedDict):
    id: str
    name: str
    created: bool
    hosts: list[str] | None


class DecideAppAuthorizationRequest(TypedDict):
    decision: Literal["approve", "deny"]
    organization_id: str
    member_id: NotRequired[str]
    client_id: str
    redirect_uri: str
    response_type: NotRequired[str]
    code_challenge: NotRequired[str]
    code_challenge_method: NotRequired[str]
    scope: NotRequired[str]
    resource: NotRequired[str]
    state: NotRequired[str]


class DecideDeviceRequest(TypedDict):
    user_code: str
    decision: Literal["approve", "deny"]


class Deleted(TypedDict):
    deleted: Literal[True]
    id: NotRequired[str]


class DeviceDecided(TypedDict):
    decision: Literal["approve", "deny"]
    device_name: str


class DevicePolled(TypedDict):
    status: Literal["authorization_pending", "slow_down", "access_denied", "expired_token", "approved"]
    interval: int
    api_key: NotRequired[str]
    api_key_expires_at: NotRequired[str]
    organization_id: NotRequired[str]
    member_id: NotRequired[str]


class DeviceRequest(TypedDict):
    user_code: str
    device_name: str
    expires_at: str
    created_at: str


class DeviceStarted(TypedDict):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DirectoryEntry(TypedDict):
    path: str
    type: Literal["file", "directory", "symlink"]
    size_bytes: int | None


class DirectoryListing(TypedDict):
    path: str
    entries: list[DirectoryEntry]


class Egress(TypedDict):
    organization: EgressSetting | None
    operator: EgressSetting | None


class EgressSetting(TypedDict):
    mode: Literal["off", "allow", "open"]
    hosts: list[str]
    updated_at: str


class EndUser(TypedDict):
    id: NotRequired[str]
    name: NotRequired[str]


class EnsureManagedKeyRequest(TypedDict):
    device_name: str


class Error(TypedDict):
    detail: str
    code: Literal["unauthenticated", "forbidden", "not_found", "invalid", "conflict", "agent_name_taken", "precondition_failed", "session_busy", "idempotency_key_reused", "too_large", "limit_exceeded", "quota_exceeded", "unavailable", "snapshot_damaged", "internal"]
    request_id: str
    errors: NotRequired[list[ErrorError]]


class ErrorError(TypedDict):
    path: str
    message: str


class Failure(TypedDict):
    code: Literal["agent_error", "credential_refused", "agent_exit", "out_of_memory", "too_many_processes", "disk_full", "cpu_limit", "worker_lost", "internal_error", "timeout", "budget_exceeded", "replay_diverged", "invalid_output", "output_too_large", "workspace_limit", "storage_quota", "entrypoint_not_found", "unsupported_export", "build_failed", "missing_secret", "runtime_unavailable", "input_expired", "cancelled"]
    message: str


class File(TypedDict):
    id: str
    filename: str
    size_bytes: int
    content_type: str
    sha256: str
    created_at: str


class FileChange(TypedDict):
    path: str
    change: Literal["created", "modified", "deleted"]
    size_bytes: int | None


class FileDownloadUrl(TypedDict):
    url: str
    expires_at: str


class FileUploadReserved(TypedDict):
    upload_id: str
    upload_url: str
    upload_headers: dict[str, str]
    expires_at: str


class Fleet(TypedDict):
    schedule: FleetSchedule
    organizations: list[FleetOrganization]
    turns: list[FleetTurn]
    workers: list[FleetWorker]


class FleetOrganization(TypedDict):
    organization_id: str
    name: str
    weight: int
    max_concurrency: int | None
    ready: int
    oldest_ready_ms: int | None
    in_flight: int


class FleetSchedule(TypedDict):
    ready: int
    dispatched: int
    leased: int
    retry_wait: int
    blocked: int


class FleetTurn(TypedDict):
    organization_id: str
    session_id: str
    message_id: str | None
    state: Literal["dispatched", "leased"]
    worker_id: str | None
    attempt: int | None
    running_ms: int | None
    lease_left_ms: int


class FleetWorker(TypedDict):
    id: str
    pool: str
    slots: int
    in_use: int
    draining: bool
    seen_ms_ago: int
    sandbox: str | None
    memory_available_bytes: int | None
    memory_needed_bytes: int | None


class ForkSessionRequest(TypedDict):
    message_id: NotRequired[str]
    version_id: NotRequired[str]


class HealthCheck(TypedDict):
    name: str
    ok: bool
    found: str
    what_to_do: str | None


class HostedBatchSession(TypedDict):
    index: int
    session_id: str
    message_id: str
    status: str | None
    last_message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None
    agent_id: str
    version_id: str | None
    llm_id: None
    metadata: dict[str, str | float | bool]
    transcript_url: str
    error: str | None


class InputRequestedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: InputRequestedEventData
    type: Literal["input.requested"]
    message_id: str
    attempt_id: NotRequired[str]


class InputRequestedEventData(TypedDict):
    key: str
    type: NotRequired[Literal["budget"]]
    budget: NotRequired[BudgetInput]
    schema: dict[str, Any]
    prompt: str | None
    expires_at: str


class InputSubmittedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: InputSubmittedEventData
    type: Literal["input.submitted"]
    message_id: str
    attempt_id: NotRequired[Never]


class InputSubmittedEventData(TypedDict):
    key: str
    value: Any


class Invitation(TypedDict):
    id: str
    email: str
    role: Literal["owner", "admin", "member"]
    expires_at: str
    created_at: str


class InvitationCreated(TypedDict):
    id: str
    email: str
    role: Literal["owner", "admin", "member"]
    expires_at: str
    created_at: str
    url: NotRequired[str]


class KeySignInLink(TypedDict):
    url: str
    expires_at: str


class LogEvent(TypedDict):
    session_id: str
    message_id: str
    attempt_id: str
    data: LogEventData
    type: Literal["log"]


class LogEventData(TypedDict):
    stream: Literal["stdout", "stderr", "platform"]
    text: str


class ManagedKey(TypedDict):
    api_key: str


class McpMessage(TypedDict):
    jsonrpc: Literal["2.0"]
    id: NotRequired[str | int]
    method: NotRequired[str]
    params: NotRequired[dict[str, Any]]


class McpRefusal(TypedDict):
    jsonrpc: Literal["2.0"]
    error: McpRefusalError


class McpRefusalError(TypedDict):
    code: int
    message: str


class McpReply(TypedDict):
    jsonrpc: Literal["2.0"]


class Me(TypedDict):
    method: Literal["link", "oidc", "key"]
    scopes: list[Literal["admin", "deploy", "run", "read"]]
    organization: Organization
    member: Member | None


class Member(TypedDict):
    id: str
    email: str
    role: Literal["owner", "admin", "member"]
    last_signed_in_at: str | None
    created_at: str


class Message(TypedDict):
    id: str
    session_id: str
    sequence_number: int
    status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"]
    waiting_reason: Literal["build", "budget", "paused", "input", "retry"] | None
    lane: Literal["interactive", "background"]
    parts: list[MessagePart]
    metadata: dict[str, str | float | bool]
    output: ShownOutput | None
    files_changed: list[FileChange]
    attempt: int
    max_attempts: int
    limits: NotRequired[MessageLimits]
    created_at: str
    started_at: str | None
    completed_at: str | None
    timings: dict[str, float]
    merged_into: NotRequired[str]
    delivered_in: NotRequired[str]
    delivered_after: NotRequired[int]
    retry_of: NotRequired[str]
    replay_of: NotRequired[str]
    copied_from: NotRequired[str]
    inputs: NotRequired[list[MessageInput]]
    rolled_back: NotRequired[Literal[True]]


class MessageCancelledEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: Message
    type: Literal["message.cancelled"]
    message_id: str
    attempt_id: NotRequired[Never]


class MessageCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: Message
    type: Literal["message.completed"]
    message_id: str
    attempt_id: NotRequired[Never]


class MessageFailedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: Message
    type: Literal["message.failed"]
    message_id: str
    attempt_id: NotRequired[Never]


class MessageFiles(TypedDict):
    message_id: str
    session_id: str
    files_changed: list[FileChange]


class MessageInput(TypedDict):
    key: str
    type: NotRequired[Literal["budget"]]
    budget: NotRequired[BudgetInput]
    status: Literal["waiting", "answered", "expired", "cancelled"]
    schema: dict[str, Any]
    prompt: str | None
    requested_at: str
    expires_at: str
    ended_at: str | None


class MessageLimits(TypedDict):
    requests: NotRequired[int]
    tokens: NotRequired[int]
    cost_usd: NotRequired[float]


class MessageOutput(TypedDict):
    parts: list[OutputPart]
    error: NotRequired[Failure]
    usage: NotRequired[dict[str, float]]
    notes: NotRequired[list[str]]


class MessagePartFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str
    filename: NotRequired[str]
    path: NotRequired[str]


class MessagePartText(TypedDict):
    type: Literal["text"]
    text: str


class MessageStatusChangedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: MessageStatusChangedEventData
    type: Literal["message.status_changed"]
    message_id: str
    attempt_id: NotRequired[Never]


class MessageStatusChangedEventData(TypedDict):
    status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"]


class MessageSteeredEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: MessageSteeredEventData
    type: Literal["message.steered"]
    message_id: str
    attempt_id: NotRequired[str]


class MessageSteeredEventData(TypedDict):
    into: str


class MessagesRetried(TypedDict):
    matched: int
    retried: list[MessagesRetriedRetried]
    skipped: list[MessagesRetriedSkipped]
    has_more: bool
    next: str | None
    dry_run: bool


class MessagesRetriedRetried(TypedDict):
    message_id: str
    retry_message_id: str | None


class MessagesRetriedSkipped(TypedDict):
    message_id: str
    reason: Literal["already_retried", "backlog_full", "session_ended", "version_failed", "file_deleted", "not_possible"]


class ModelPrice(TypedDict):
    host: str
    model: str
    usd_per_million_tokens: ModelPriceUsdPerMillionTokens


class ModelPriceUsdPerMillionTokens(TypedDict):
    input: float
    cached_input: NotRequired[float]
    cache_write: NotRequired[float]
    output: float


class ModelRequest(TypedDict):
    attempt_id: str
    ordinal: int
    requests: int
    host: str | None
    format: Literal["openai-responses", "openai-chat", "anthropic-messages", "gemini"] | None
    model: str | None
    status: int | None
    input_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    reserved_tokens: int | None
    reserved_cost_microusd: int | None
    finish_reason: str | None
    duration_ms: int
    is_complete: bool
    unread: Literal["encoding", "too_large", "too_fast", "too_many", "malformed"] | None
    cost_microusd: int | None
    unpriced: Literal["no_price", "no_tokens", "sum"] | None
    is_recorded: bool
    created_at: str


class ModelRequestCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: ModelRequestCompletedEventData
    type: Literal["model.request_completed"]
    message_id: str
    attempt_id: NotRequired[str]


class ModelRequestCompletedEventData(TypedDict):
    ordinal: int
    provider: NotRequired[str]
    model: NotRequired[str]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]
    usage: NotRequired[dict[str, float]]
    duration_ms: int
    finish_reason: NotRequired[str]
    error: NotRequired[str]


class ModelRequestStartedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: ModelRequestStartedEventData
    type: Literal["model.request_started"]
    message_id: str
    attempt_id: NotRequired[str]


class ModelRequestStartedEventData(TypedDict):
    ordinal: int
    provider: NotRequired[str]
    model: NotRequired[str]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class OpenLinkRequest(TypedDict):
    token: str


class OperatorHealth(TypedDict):
    ok: bool
    release: str
    checks: list[HealthCheck]
    workers: list[OperatorHealthWorker]
    violations: list[OperatorHealthViolation]


class OperatorHealthViolation(TypedDict):
    invariant: str
    says: str
    rows: list[str]


class OperatorHealthWorker(TypedDict):
    id: str
    pool: str
    slots: int
    draining: bool
    seen_ms_ago: int


class Organization(TypedDict):
    id: str
    name: str
    slug: str
    role: Literal["owner", "admin", "member"]
    is_operator: bool
    weight: int
    max_concurrency: int | None
    max_backlog: int | None
    max_workspace_bytes: int | None
    max_workspace_files: int | None
    max_workspace_file_bytes: int | None
    session_retention_days: int | None
    max_requests_per_minute: int | None
    max_messages_per_minute: int | None
    max_upload_bytes_per_hour: int | None
    max_storage_bytes: int | None
    max_files: int | None
    max_agents: int | None
    max_sessions: int | None
    max_api_keys: int | None
    max_turn_memory_bytes: int | None
    max_turn_cpus: float | None
    created_at: str


class OrganizationCreated(TypedDict):
    id: str
    name: str
    slug: str
    role: Literal["owner", "admin", "member"]
    is_operator: bool
    weight: int
    max_concurrency: int | None
    max_backlog: int | None
    max_workspace_bytes: int | None
    max_workspace_files: int | None
    max_workspace_file_bytes: int | None
    session_retention_days: int | None
    max_requests_per_minute: int | None
    max_messages_per_minute: int | None
    max_upload_bytes_per_hour: int | None
    max_storage_bytes: int | None
    max_files: int | None
    max_agents: int | None
    max_sessions: int | None
    max_api_keys: int | None
    max_turn_memory_bytes: int | None
    max_turn_cpus: float | None
    created_at: str
    api_key: NotRequired[str]


class OutputPartFile(TypedDict):
    type: Literal["file", "image"]
    path: str


class OutputPartText(TypedDict):
    type: Literal["text"]
    text: str


class Overview(TypedDict):
    since: str
    is_cut: bool
    total: OverviewTotal
    days: list[OverviewDay]
    now: OverviewNow
    running: list[OverviewRunning]
    inputs: OverviewInputs
    failed: OverviewFailed
    held: OverviewHeld


class OverviewDay(TypedDict):
    date: str
    messages: int
    failed: int
    turns: int
    tokens: int
    cost_usd: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    waited_p50_seconds: float | None
    waited_p95_seconds: float | None


class OverviewFailed(TypedDict):
    count: int
    rows: list[OverviewFailedRow]


class OverviewFailedRow(TypedDict):
    title: str | None
    session_id: str
    agent_id: str
    agent_name: str
    message_id: str
    code: str | None
    error: str | None
    failed_at: str


class OverviewHeld(TypedDict):
    count: int
    rows: list[OverviewHeldRow]


class OverviewHeldRow(TypedDict):
    title: str | None
    session_id: str
    agent_id: str
    agent_name: str
    reason: Literal["budget", "paused"]
    since: str


class OverviewInputs(TypedDict):
    count: int
    rows: list[OverviewInputsRow]


class OverviewInputsRow(TypedDict):
    title: str | None
    session_id: str
    agent_id: str
    agent_name: str
    message_id: str
    key: str
    prompt: str | None
    requested_at: str
    expires_at: str


class OverviewNow(TypedDict):
    turns: int
    open_messages: int


class OverviewRunning(TypedDict):
    title: str | None
    session_id: str
    agent_id: str
    agent_name: str
    message_id: str | None
    state: Literal["dispatched", "running"]
    attempt: int | None
    started_at: str | None


class OverviewTotal(TypedDict):
    messages: int
    failed: int
    turns: int
    tokens: int
    cost_usd: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    waited_p50_seconds: float | None
    waited_p95_seconds: float | None


class PlanItem(TypedDict):
    text: str
    status: Literal["pending", "in_progress", "completed", "cancelled"]


class PlanUpdatedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: PlanUpdatedEventData
    type: Literal["plan.updated"]
    message_id: str
    attempt_id: NotRequired[str]


class PlanUpdatedEventData(TypedDict):
    items: list[PlanItem]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class PlatformStop(TypedDict):
    stopped: bool
    reason: str | None
    stopped_at: str | None


class PollDeviceRequest(TypedDict):
    device_code: str


class PriceList(TypedDict):
    valid_from: str | None
    prices: list[ModelPrice]
    lists: list[PriceListList]


class PriceListList(TypedDict):
    valid_from: str
    prices: int
    is_in_force: bool


class PutAgentWebhookRequest(TypedDict):
    webhook_url: str
    event_types: NotRequired[list[Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]]]


class PutAllowedOriginsRequest(TypedDict):
    origins: list[str]


class PutBudgetRequest(TypedDict):
    agent_id: NotRequired[str]
    session_id: NotRequired[str]
    period: Literal["day", "month", "total"]
    max_turns: NotRequired[int | None]
    max_turn_seconds: NotRequired[int | None]
    max_tokens: NotRequired[int | None]


class PutCredentialRequest(TypedDict):
    value: str
    hosts: NotRequired[list[Any] | None]


class PutEgressRequest(TypedDict):
    mode: Literal["off", "allow", "open"]
    hosts: NotRequired[list[str]]


class PutPriceListReply(TypedDict):
    valid_from: str
    prices: int
    replaced: int
    missing: list[PutPriceListReplyMissing]
    in_force: str | None


class PutPriceListReplyMissing(TypedDict):
    host: str
    model: str


class PutPriceListRequest(TypedDict):
    valid_from: str
    prices: list[ModelPrice]


class ReasoningCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: ReasoningCompletedEventData
    type: Literal["reasoning.completed"]
    message_id: str
    attempt_id: NotRequired[str]


class ReasoningCompletedEventData(TypedDict):
    text: str
    text_bytes: NotRequired[int]
    text_value_id: NotRequired[str]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class ReasoningDeltaEvent(TypedDict):
    session_id: str
    message_id: str
    attempt_id: str
    data: ReasoningDeltaEventData
    type: Literal["reasoning.delta"]


class ReasoningDeltaEventData(TypedDict):
    ordinal: int
    text: str


class Recording(TypedDict):
    message_id: str
    session_id: str
    version_id: str
    answers: int
    size_bytes: int
    created_at: str
    expires_at: str


class ReplayMessageRequest(TypedDict):
    version_id: NotRequired[str]
    live: NotRequired[bool]
    lane: NotRequired[Literal["interactive", "background"]]


class ReplayReport(TypedDict):
    message_id: str
    replay_of: str
    version_id: str
    status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"]
    is_same: bool
    is_answer_changed: bool
    files_changed: list[FileChange]
    are_requests_changed: bool
    requests: ReplayRequests
    original_cost_microusd: int | None
    cost_microusd: int | None


class ReplayRequests(TypedDict):
    original: int
    recorded: int
    live: int
    first_live: int | None


class ResealRequest(TypedDict):
    after: NotRequired[str]
    limit: NotRequired[int]


class Resealed(TypedDict):
    key_id: str
    resealed: int
    unopened: list[ResealedUnopened]
    next: str | None


class ResealedUnopened(TypedDict):
    organization_id: str
    name: str
    reason: str


class ReserveFileUploadRequest(TypedDict):
    filename: str
    content_type: NotRequired[str]
    size_bytes: int
    sha256: str


class RetryMessageRequest(TypedDict):
    fork: NotRequired[bool]
    version_id: NotRequired[str]
    on_busy: NotRequired[Literal["enqueue", "reject", "interrupt", "rollback", "merge", "steer"]]
    lane: NotRequired[Literal["interactive", "background"]]


class RetryMessagesRequest(TypedDict):
    filter: RetryMessagesRequestFilter
    limit: NotRequired[int]
    after: NotRequired[str]
    force: NotRequired[bool]
    lane: NotRequired[Literal["interactive", "background"]]
    dry_run: NotRequired[bool]


class RetryMessagesRequestFilter(TypedDict):
    organization_id: NotRequired[str]
    agent_id: NotRequired[str]
    session_id: NotRequired[str]
    session_batch_id: NotRequired[str]
    error_code: NotRequired[str]
    failed_after: NotRequired[str]
    failed_before: NotRequired[str]


class RollbackSessionRequest(TypedDict):
    message_id: str


class RotateTriggerSecretRequest(TypedDict):
    secret: NotRequired[str]


class Schedule(TypedDict):
    id: str
    name: str | None
    agent_id: str
    session_id: str | None
    cron: str
    time_zone: str
    parts: list[MessagePart]
    metadata: dict[str, str | float | bool]
    overlap: Literal["skip", "allow", "replace"]
    lane: Literal["interactive", "background"]
    status: Literal["active", "paused"]
    paused_reason: Literal["manual", "agent_deleted", "session_ended", "unknown_times"] | None
    next_due_at: str | None
    last_fired_at: str | None
    changed_by_key_id: str | None
    created_at: str
    updated_at: str


class ScheduleFiring(TypedDict):
    id: str
    schedule_id: str
    due_at: str
    created_at: str
    outcome: Literal["fired", "skipped", "missed", "failed"]
    session_id: str | None
    message_id: str | None
    message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None
    reason: ScheduleFiringReason1 | None
    missed_count: int | None


class ScheduleFiringReason1(TypedDict):
    code: Literal["overlap", "session_busy", "paused", "budget", "late", "rate_limited", "backlog_full", "quota_exceeded", "file_deleted", "agent_deleted", "session_ended", "not_possible"]
    message: str


class SendAgentMessageRequest(TypedDict):
    type: Literal["user.message"]
    content: list[SendAgentMessageRequestContentText | SendAgentMessageRequestContentFile]
    metadata: NotRequired[dict[str, str | float | bool]]
    session: NotRequired[CreateSessionRequest]


class SendAgentMessageRequestContentFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class SendAgentMessageRequestContentText(TypedDict):
    type: Literal["text"]
    text: str


class SendMessageRequest(TypedDict):
    parts: list[SendMessageRequestPartText | SendMessageRequestPartFile]
    metadata: NotRequired[dict[str, str | float | bool]]
    delivery: NotRequired[Literal["sync", "async", "stream"]]
    on_busy: NotRequired[Literal["enqueue", "reject", "interrupt", "rollback", "merge", "steer"]]
    lane: NotRequired[Literal["interactive", "background"]]
    limits: NotRequired[MessageLimits]


class SendMessageRequestPartFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class SendMessageRequestPartText(TypedDict):
    type: Literal["text"]
    text: str


class SendSessionEventRequest(TypedDict):
    type: Literal["user.message"]
    content: list[SendSessionEventRequestContentText | SendSessionEventRequestContentFile]
    metadata: NotRequired[dict[str, str | float | bool]]


class SendSessionEventRequestContentFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class SendSessionEventRequestContentText(TypedDict):
    type: Literal["text"]
    text: str


class SentEvent(TypedDict):
    event: Event
    message: Message
    session: Session


class Session(TypedDict):
    id: str
    agent_id: str
    deployment_id: str
    version_id: str
    status: Literal["idle", "active", "completed", "failed", "expired"]
    name: str | None
    metadata: dict[str, str | float | bool]
    on_busy: Literal["enqueue", "reject", "interrupt", "rollback", "merge", "steer"]
    internet_access: bool | None
    last_message_id: str | None
    last_message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None
    created_at: str
    ended_at: str | None
    forked_from: NotRequired[SessionForkedFrom]


class SessionBatch(TypedDict):
    id: str
    agent_id: str
    name: str | None
    metadata: dict[str, str | float | bool]
    lane: Literal["interactive", "background"]
    max_concurrency: int | None
    total: int
    created_at: str
    cancel_requested_at: str | None
    status: Literal["in_progress", "cancelling", "ended"]
    counts: SessionBatchCounts
    finished_at: str | None


class SessionBatchCounts(TypedDict):
    queued: int
    running: int
    waiting_for_input: int
    completed: int
    failed: int
    cancelled: int
    deleted: int


class SessionBatchCreated(TypedDict):
    id: str
    agent_id: str
    name: str | None
    metadata: dict[str, str | float | bool]
    lane: Literal["interactive", "background"]
    max_concurrency: int | None
    total: int
    created_at: str
    cancel_requested_at: str | None
    status: Literal["in_progress", "cancelling", "ended"]
    counts: SessionBatchCreatedCounts
    finished_at: str | None
    batch_id: NotRequired[str]
    sessions: NotRequired[list[HostedBatchSession]]


class SessionBatchCreatedCounts(TypedDict):
    queued: int
    running: int
    waiting_for_input: int
    completed: int
    failed: int
    cancelled: int
    deleted: int


class SessionBatchSummary(TypedDict):
    id: str
    agent_id: str
    name: str | None
    metadata: dict[str, str | float | bool]
    lane: Literal["interactive", "background"]
    max_concurrency: int | None
    total: int
    created_at: str
    cancel_requested_at: str | None
    status: Literal["in_progress", "cancelling", "ended"]


class SessionCost(TypedDict):
    scope_kind: Literal["session"]
    scope_id: str
    event_count: int
    total_cost_usd: str | None
    messages: int
    failed: int
    turns: int
    turn_seconds: float
    tokens: int
    metered_requests: int
    metered_tokens: int
    metered_cost_microusd: int | None
    unpriced_requests: int
    usage: dict[str, float]
    is_cut: bool


class SessionCreatedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: SessionCreatedEventData
    type: Literal["session.created"]
    message_id: NotRequired[Never]
    attempt_id: NotRequired[Never]


class SessionCreatedEventData(TypedDict):
    agent_id: str
    version_id: str
    name: str | None
    metadata: dict[str, str | float | bool]
    forked_from: NotRequired[SessionCreatedEventDataForkedFrom]
    imported_from: NotRequired[str]


class SessionCreatedEventDataForkedFrom(TypedDict):
    session_id: str
    message_id: str | None


class SessionForkedFrom(TypedDict):
    session_id: str
    message_id: str | None


class SessionRolledBackEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: SessionRolledBackEventData
    type: Literal["session.rolled_back"]
    message_id: str
    attempt_id: NotRequired[Never]


class SessionRolledBackEventData(TypedDict):
    snapshot_id: str | None


class SessionStatusChangedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: SessionStatusChangedEventData
    type: Literal["session.status_changed"]
    message_id: NotRequired[Never]
    attempt_id: NotRequired[Never]


class SessionStatusChangedEventData(TypedDict):
    status: Literal["idle", "active", "completed", "failed", "expired"]


class SessionSummary(TypedDict):
    title: str | None
    id: str
    agent_id: str
    agent_name: str
    name: str | None
    last_words: str | None
    status: Literal["idle", "active", "completed", "failed", "expired"]
    last_message_id: str | None
    last_message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None
    created_by: SessionSummaryCreatedByMember | None
    messages: int
    failed: int
    tokens: int
    turn_seconds: float
    created_at: str
    last_activity_at: str


class SessionSummaryCreatedByMember(TypedDict):
    type: Literal["member", "api_key", "schedule", "batch", "trigger"]
    id: str
    name: str | None


class SessionTokenCreated(TypedDict):
    id: str
    token: str
    session_id: str
    scopes: list[Literal["send", "read", "answer", "upload", "cancel"]]
    end_user: EndUser | None
    expires_at: str


class ShownOutput(TypedDict):
    parts: list[IncludedPart]
    error: NotRequired[Failure]
    usage: NotRequired[dict[str, float]]
    notes: NotRequired[list[str]]
    tool_calls_cut: NotRequired[Literal[True]]


class SignInLink(TypedDict):
    member_id: str
    url: str
    expires_at: str


class SignInWays(TypedDict):
    oidc: bool
    oidc_name: str | None


class SignedIn(TypedDict):
    member_id: str | None
    organization_id: str
    expires_at: str


class SignedOut(TypedDict):
    signed_out: Literal[True]


class SourceSnapshotCreated(TypedDict):
    source_snapshot_id: str
    upload_url: str
    upload_headers: dict[str, str]
    expires_at: str
    status: Literal["pending_upload", "ready", "failed"]


class SourceSnapshotFinalized(TypedDict):
    source_snapshot_id: str
    status: Literal["ready", "failed"]
    failure_reason: str | None


class SourceSnapshotManifest(TypedDict):
    source_snapshot_id: str
    manifest: dict[str, Any]
    warnings: list[str]


class StartDeviceRequest(TypedDict):
    device_name: str


class StepCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: StepCompletedEventData
    type: Literal["step.completed"]
    message_id: str
    attempt_id: NotRequired[str]


class StepCompletedEventData(TypedDict):
    name: str
    ordinal: int
    is_replayed: bool
    duration_ms: NotRequired[int]


class StopPlatformRequest(TypedDict):
    reason: str


class StoreCheck(TypedDict):
    checked: int
    problems: list[StoreProblem]
    next: str | None


class StoreProblem(TypedDict):
    key: str
    what: Literal["snapshot", "content", "file", "bundle", "image"]
    problem: Literal["missing", "damaged"]
    detail: str


class SubagentCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: SubagentCompletedEventData
    type: Literal["subagent.completed"]
    message_id: str
    attempt_id: NotRequired[str]


class SubagentCompletedEventData(TypedDict):
    name: str
    parent_call_id: NotRequired[str]
    is_error: bool
    duration_ms: NotRequired[int]


class SubagentStartedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: SubagentStartedEventData
    type: Literal["subagent.started"]
    message_id: str
    attempt_id: NotRequired[str]


class SubagentStartedEventData(TypedDict):
    name: str
    parent_call_id: NotRequired[str]


class ToolArgumentsDeltaEvent(TypedDict):
    session_id: str
    message_id: str
    attempt_id: str
    data: ToolArgumentsDeltaEventData
    type: Literal["tool.arguments_delta"]


class ToolArgumentsDeltaEventData(TypedDict):
    call_id: str
    name: str
    text: str


class ToolCall(TypedDict):
    message_id: str
    attempt_id: NotRequired[str]
    call_id: str
    name: str
    kind: NotRequired[Literal["function", "mcp", "shell", "file", "web", "computer"]]
    server: NotRequired[str]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]
    arguments: ToolCallValue | None
    result: ToolCallValue | None
    is_error: bool | None
    duration_ms: int | None
    requested_at: str | None
    completed_at: str | None


class ToolCallCompletedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: ToolCallCompletedEventData
    type: Literal["tool.call_completed"]
    message_id: str
    attempt_id: NotRequired[str]


class ToolCallCompletedEventData(TypedDict):
    call_id: str
    name: str
    result: Any
    result_bytes: NotRequired[int]
    result_value_id: NotRequired[str]
    is_error: bool
    error: NotRequired[str]
    duration_ms: NotRequired[int]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class ToolCallPart(TypedDict):
    type: Literal["tool_call"]
    call_id: str
    name: str
    kind: Literal["function", "mcp", "shell", "file", "web", "computer"]
    server: NotRequired[str]
    arguments: Any
    arguments_bytes: NotRequired[int]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class ToolCallRequestedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: ToolCallRequestedEventData
    type: Literal["tool.call_requested"]
    message_id: str
    attempt_id: NotRequired[str]


class ToolCallRequestedEventData(TypedDict):
    call_id: str
    name: str
    kind: Literal["function", "mcp", "shell", "file", "web", "computer"]
    server: NotRequired[str]
    arguments: Any
    arguments_bytes: NotRequired[int]
    arguments_value_id: NotRequired[str]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class ToolCallValue(TypedDict):
    value: Any
    media_type: str
    size_bytes: int
    is_cut: bool
    value_id: NotRequired[str]


class ToolResultPart(TypedDict):
    type: Literal["tool_result"]
    call_id: str
    name: str
    result: Any
    result_bytes: NotRequired[int]
    is_error: bool
    duration_ms: NotRequired[int]
    agent: NotRequired[str]
    parent_call_id: NotRequired[str]


class TranscriptEntryAssistant(TypedDict):
    sequence_number: int
    created_at: str
    message_id: NotRequired[str]
    kind: Literal["assistant"]
    parts: list[IncludedPart]
    tool_calls_cut: NotRequired[Literal[True]]


class TranscriptEntryEvent(TypedDict):
    sequence_number: int
    created_at: str
    message_id: NotRequired[str]
    kind: Literal["event"]
    type: str
    data: dict[str, Any]


class TranscriptEntryFailure(TypedDict):
    sequence_number: int
    created_at: str
    message_id: NotRequired[str]
    kind: Literal["failure"]
    status: str
    error: Failure


class TranscriptEntryFiles(TypedDict):
    sequence_number: int
    created_at: str
    message_id: NotRequired[str]
    kind: Literal["files"]
    files_changed: list[FileChange]


class TranscriptEntryUser(TypedDict):
    sequence_number: int
    created_at: str
    message_id: NotRequired[str]
    kind: Literal["user"]
    parts: list[MessagePart]
    end_user: NotRequired[EndUser]


class Trigger(TypedDict):
    id: str
    agent_id: str
    name: str | None
    scheme: Literal["none", "standard-webhooks", "github", "slack", "stripe"]
    has_secret: bool
    old_secret_expires_at: str | None
    text: str
    session_key: str | None
    event_id: str | None
    when: list[TriggerCondition]
    missing: Literal["empty", "refuse"]
    include_body: bool
    lane: Literal["interactive", "background"]
    status: Literal["active", "paused"]
    changed_by_key_id: str | None
    created_at: str
    updated_at: str


class TriggerCondition(TypedDict):
    header: NotRequired[str]
    path: NotRequired[str]
    equals: NotRequired[list[str]]
    exists: NotRequired[bool]


class TriggerCreated(TypedDict):
    id: str
    agent_id: str
    name: str | None
    scheme: Literal["none", "standard-webhooks", "github", "slack", "stripe"]
    has_secret: bool
    old_secret_expires_at: str | None
    text: str
    session_key: str | None
    event_id: str | None
    when: list[TriggerCondition]
    missing: Literal["empty", "refuse"]
    include_body: bool
    lane: Literal["interactive", "background"]
    status: Literal["active", "paused"]
    changed_by_key_id: str | None
    created_at: str
    updated_at: str
    url: NotRequired[str]
    secret: NotRequired[str]


class TriggerReceipt(TypedDict):
    status: NotRequired[Literal["accepted", "duplicate", "ignored"]]
    session_id: NotRequired[str]
    message_id: NotRequired[str]
    reason: NotRequired[str]
    challenge: NotRequired[str]


class TriggerSecretRotated(TypedDict):
    id: str
    agent_id: str
    name: str | None
    scheme: Literal["none", "standard-webhooks", "github", "slack", "stripe"]
    has_secret: bool
    old_secret_expires_at: str | None
    text: str
    session_key: str | None
    event_id: str | None
    when: list[TriggerCondition]
    missing: Literal["empty", "refuse"]
    include_body: bool
    lane: Literal["interactive", "background"]
    status: Literal["active", "paused"]
    changed_by_key_id: str | None
    created_at: str
    updated_at: str
    secret: NotRequired[str]


class UnknownEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    message_id: NotRequired[str]
    attempt_id: NotRequired[str]
    type: UnknownType
    data: dict[str, Any]


class UnknownPreview(TypedDict):
    session_id: str
    message_id: str
    attempt_id: str
    type: UnknownType
    data: dict[str, Any]


class UnknownWebhook(TypedDict):
    type: UnknownType
    timestamp: str
    data: dict[str, Any]


class UpdateAgentRequest(TypedDict):
    name: str


class UpdateMemberRequest(TypedDict):
    role: Literal["owner", "admin", "member"]


class UpdateOrganizationRequest(TypedDict):
    weight: NotRequired[int]
    max_concurrency: NotRequired[int | None]
    max_backlog: NotRequired[int | None]
    max_workspace_bytes: NotRequired[int | None]
    max_workspace_files: NotRequired[int | None]
    max_workspace_file_bytes: NotRequired[int | None]
    session_retention_days: NotRequired[int | None]
    max_requests_per_minute: NotRequired[int | None]
    max_messages_per_minute: NotRequired[int | None]
    max_upload_bytes_per_hour: NotRequired[int | None]
    max_storage_bytes: NotRequired[int | None]
    max_files: NotRequired[int | None]
    max_agents: NotRequired[int | None]
    max_sessions: NotRequired[int | None]
    max_api_keys: NotRequired[int | None]
    max_turn_memory_bytes: NotRequired[int | None]
    max_turn_cpus: NotRequired[float | None]


class UpdateScheduleRequest(TypedDict):
    name: NotRequired[str]
    cron: NotRequired[str]
    time_zone: NotRequired[str]
    parts: NotRequired[list[UpdateScheduleRequestPartText | UpdateScheduleRequestPartFile]]
    metadata: NotRequired[dict[str, str | float | bool]]
    overlap: NotRequired[Literal["skip", "allow", "replace"]]
    lane: NotRequired[Literal["interactive", "background"]]
    status: NotRequired[Literal["active", "paused"]]


class UpdateScheduleRequestPartFile(TypedDict):
    type: Literal["file", "image"]
    file_id: str


class UpdateScheduleRequestPartText(TypedDict):
    type: Literal["text"]
    text: str


class UpdateTriggerRequest(TypedDict):
    name: NotRequired[str]
    text: NotRequired[str]
    session_key: NotRequired[str | None]
    event_id: NotRequired[str | None]
    when: NotRequired[list[TriggerCondition]]
    missing: NotRequired[Literal["empty", "refuse"]]
    include_body: NotRequired[bool]
    lane: NotRequired[Literal["interactive", "background"]]
    status: NotRequired[Literal["active", "paused"]]


class UpdateWebhookEndpointRequest(TypedDict):
    url: NotRequired[str]
    event_types: NotRequired[list[Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]]]
    description: NotRequired[str | None]
    status: NotRequired[Literal["enabled", "disabled"]]


class Usage(TypedDict):
    since: str
    is_cut: bool
    days: list[UsageDay]
    agents: list[UsageAgent]
    now: UsageNow
    kept: UsageKept
    held_sessions: list[UsageHeldSession]


class UsageAgent(TypedDict):
    agent_id: str
    name: str
    messages: int
    failed: int
    turns: int
    turn_seconds: float
    tokens: int
    metered_requests: int
    metered_tokens: int
    metered_cost_microusd: int | None
    unpriced_requests: int


class UsageDay(TypedDict):
    date: str
    messages: int
    failed: int
    turns: int
    turn_seconds: float
    tokens: int
    metered_requests: int
    metered_tokens: int
    metered_cost_microusd: int | None
    unpriced_requests: int


class UsageHeldSession(TypedDict):
    session_id: str
    agent_id: str
    reason: Literal["budget", "paused"]
    since: str


class UsageKept(TypedDict):
    storage_bytes: UsageKeptStorageBytes
    files: UsageKeptFiles
    agents: UsageKeptAgents
    sessions: UsageKeptSessions
    api_keys: UsageKeptApiKeys


class UsageKeptAgents(TypedDict):
    kept: int
    max: int | None


class UsageKeptApiKeys(TypedDict):
    kept: int
    max: int | None


class UsageKeptFiles(TypedDict):
    kept: int
    max: int | None


class UsageKeptSessions(TypedDict):
    kept: int
    max: int | None


class UsageKeptStorageBytes(TypedDict):
    kept: int
    max: int | None


class UsageNow(TypedDict):
    open_messages: int
    turns: int


class UserMessageEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: UserMessageEventData
    type: Literal["user.message"]
    message_id: str
    attempt_id: NotRequired[Never]


class UserMessageEventData(TypedDict):
    parts: list[MessagePart]
    metadata: dict[str, str | float | bool]


class Version(TypedDict):
    id: str
    version_id: str
    agent_id: str
    deployment_id: str
    number: int
    status: Literal["building", "ready", "failed"]
    active: bool
    is_active: bool
    source_snapshot_id: str
    archive_sha256: str
    size_bytes: int
    metadata: dict[str, Any]
    manifest: dict[str, Any]
    runtime: VersionRuntime1 | None
    warnings: list[str]
    failure: Failure | None
    created_at: str
    finished_at: str | None


class VersionBundle(TypedDict):
    agent_id: str
    version_id: str
    source_snapshot_id: str
    archive_sha256: str
    size_bytes: int
    files: list[VersionBundleFile]


class VersionBundleFile(TypedDict):
    path: str
    size_bytes: int
    is_executable: bool


class VersionCreated(TypedDict):
    agent_id: str
    deployment_id: str
    agent_url: str
    deployment_url: str
    version_id: str
    version_status: Literal["building", "ready", "failed"]
    warnings: list[str]
    unchanged: NotRequired[Literal[True]]


class VersionRuntime1(TypedDict):
    language: str
    version: str


class WebhookDelivery(TypedDict):
    id: str
    endpoint_id: str
    event_id: str
    type: str
    session_id: str | None
    sequence_number: int | None
    message_id: str | None
    status: Literal["pending", "delivered", "failed", "cancelled"]
    attempts: int
    next_attempt_at: str | None
    attempted_at: str | None
    duration_ms: int | None
    response_status: int | None
    response_excerpt: str | None
    error: str | None
    created_at: str
    ended_at: str | None


class WebhookEndpoint(TypedDict):
    id: str
    url: str
    agent_id: str | None
    event_types: list[Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]]
    description: str | None
    status: Literal["enabled", "disabled"]
    disabled_reason: Literal["manual", "failing", "gone", "backlog"] | None
    failing_since: str | None
    old_secret_expires_at: str | None
    created_at: str
    updated_at: str


class WebhookEndpointCreated(TypedDict):
    id: str
    url: str
    agent_id: str | None
    event_types: list[Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]]
    description: str | None
    status: Literal["enabled", "disabled"]
    disabled_reason: Literal["manual", "failing", "gone", "backlog"] | None
    failing_since: str | None
    old_secret_expires_at: str | None
    created_at: str
    updated_at: str
    secret: NotRequired[str]


class WebhookEvent(TypedDict):
    type: Literal["session.created", "session.status_changed", "session.rolled_back", "user.message", "message.status_changed", "message.steered", "attempt.started", "attempt.ended", "assistant.message_completed", "model.request_started", "model.request_completed", "reasoning.completed", "assistant.message", "tool.call_requested", "tool.call_completed", "agent.handoff", "subagent.started", "subagent.completed", "plan.updated", "step.completed", "agent.events_omitted", "agent.event", "input.requested", "input.submitted", "workspace.committed", "workspace.restored_from_older", "message.completed", "message.failed", "message.cancelled"]
    timestamp: str
    data: WebhookEventData


class WebhookEventData(TypedDict):
    id: str
    organization_id: str
    session_id: str
    sequence_number: int
    agent_id: str
    message_id: NotRequired[str]
    attempt_id: NotRequired[str]


class WebhookTest(TypedDict):
    type: Literal["webhook.test"]
    timestamp: str
    data: WebhookTestData


class WebhookTestData(TypedDict):
    id: str
    organization_id: str


class WorkspaceCommit(TypedDict):
    session_id: str
    snapshot_id: str
    files_changed: list[FileChange]


class WorkspaceCommittedEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: WorkspaceCommittedEventData
    type: Literal["workspace.committed"]
    message_id: NotRequired[str]
    attempt_id: NotRequired[str]


class WorkspaceCommittedEventData(TypedDict):
    snapshot_id: str | None
    files_changed: list[FileChange]


class WorkspaceRestoredFromOlderEvent(TypedDict):
    id: str
    sequence_number: int
    session_id: str
    created_at: str
    data: WorkspaceRestoredFromOlderEventData
    type: Literal["workspace.restored_from_older"]
    message_id: str
    attempt_id: NotRequired[str]


class WorkspaceRestoredFromOlderEventData(TypedDict):
    snapshot_id: str | None
    damaged_snapshot_id: str
    reason: str


Event = Union["KnownEvent", "UnknownEvent"]


IncludedPart = Union["OutputPart", "ToolCallPart", "ToolResultPart"]


KnownEvent = Union["SessionCreatedEvent", "SessionStatusChangedEvent", "SessionRolledBackEvent", "UserMessageEvent", "MessageStatusChangedEvent", "MessageSteeredEvent", "AttemptStartedEvent", "AttemptEndedEvent", "AssistantMessageCompletedEvent", "ModelRequestStartedEvent", "ModelRequestCompletedEvent", "ReasoningCompletedEvent", "AssistantMessageEvent", "ToolCallRequestedEvent", "ToolCallCompletedEvent", "AgentHandoffEvent", "SubagentStartedEvent", "SubagentCompletedEvent", "PlanUpdatedEvent", "StepCompletedEvent", "AgentEventsOmittedEvent", "AgentEventEvent", "InputRequestedEvent", "InputSubmittedEvent", "WorkspaceCommittedEvent", "WorkspaceRestoredFromOlderEvent", "MessageCompletedEvent", "MessageFailedEvent", "MessageCancelledEvent"]


KnownPreview = Union["AssistantTextDeltaEvent", "ReasoningDeltaEvent", "ToolArgumentsDeltaEvent", "LogEvent"]


KnownWebhook = Union["WebhookEvent", "WebhookTest"]


MessagePart = Union["MessagePartText", "MessagePartFile"]


OutputPart = Union["OutputPartText", "OutputPartFile"]


PreviewEvent = Union["KnownPreview", "UnknownPreview"]


StreamItem = Union["Event", "PreviewEvent"]


TranscriptEntry = Union["TranscriptEntryUser", "TranscriptEntryAssistant", "TranscriptEntryFiles", "TranscriptEntryFailure", "TranscriptEntryEvent"]


TriggerEvent = Union["dict[str, Any]", "list[Any]"]


WebhookPayload = Union["KnownWebhook", "UnknownWebhook"]
