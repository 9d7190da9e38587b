"""One method for each operation of the platform. Generated from the platform's OpenAPI document; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from .._async_transport import AsyncBody, AsyncTransport
from .._call import Call, Content, by_metadata, new_key, segment
from ..generated.models import *  # noqa: F403
from ..generated.streams import AnyStreamedEvent


class AsyncOperations(AsyncTransport):
    """Calls by name. They raise `ApiError` for refusals, `UnreachableError` when the platform is not reached."""

    async def create_source_snapshot(
        self,
        body: CreateSourceSnapshotRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SourceSnapshotCreated:
        """Reserve a bundle. Returns the URL to upload its bytes to."""
        call = Call(
            "POST",
            "/v1/source-snapshots",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SourceSnapshotCreated = await self._json(call)
        return reply

    async def upload_bundle(
        self,
        source_snapshot_id: str,
        content: Content,
        *,
        expires: str,
        signature: str,
        timeout: float | None = None,
    ) -> BundleUploaded:
        """Upload the bundle's bytes. The URL's query authorizes the upload; no API key is needed."""
        call = Call(
            "PUT",
            f"/v1/source-snapshots/{segment(source_snapshot_id)}/content",
            query={"expires": expires, "signature": signature},
            content=content,
            timeout=timeout,
            keyless=True,
        )
        reply: BundleUploaded = await self._json(call)
        return reply

    async def finalize_source_snapshot(
        self,
        source_snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> SourceSnapshotFinalized:
        """Check an uploaded bundle: that it is there, its size, its checksum and its files."""
        call = Call("POST", f"/v1/source-snapshots/{segment(source_snapshot_id)}/finalize", timeout=timeout)
        reply: SourceSnapshotFinalized = await self._json(call)
        return reply

    async def get_source_snapshot_manifest(
        self,
        source_snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> SourceSnapshotManifest:
        """Get the manifest of a finalized bundle with its defaults, before you publish it."""
        call = Call("GET", f"/v1/source-snapshots/{segment(source_snapshot_id)}/manifest", timeout=timeout)
        reply: SourceSnapshotManifest = await self._json(call)
        return reply

    async def delete_source_snapshot(self, source_snapshot_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete a bundle that no version uses."""
        call = Call("DELETE", f"/v1/source-snapshots/{segment(source_snapshot_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def create_agent(
        self,
        body: CreateAgentRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> AgentCreated:
        """Create an agent from a bundle and build its first version. If the name is taken, `on_name_conflict` decides."""
        call = Call("POST", "/v1/agents", json=body, idempotency_key=idempotency_key or new_key(), timeout=timeout)
        reply: AgentCreated = await self._json(call)
        return reply

    async def list_agents(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Agent]:
        """List agents, newest first."""
        call = Call("GET", "/v1/agents", query={"limit": limit, "after": after}, timeout=timeout)
        reply: Page[Agent] = await self._json(call)
        return reply

    async def get_agent(self, agent_id: str, *, timeout: float | None = None) -> Agent:
        """Get an agent."""
        call = Call("GET", f"/v1/agents/{segment(agent_id)}", timeout=timeout)
        reply: Agent = await self._json(call)
        return reply

    async def update_agent(self, agent_id: str, body: UpdateAgentRequest, *, timeout: float | None = None) -> Agent:
        """Rename an agent. The old name becomes free."""
        call = Call("PATCH", f"/v1/agents/{segment(agent_id)}", json=body, timeout=timeout)
        reply: Agent = await self._json(call)
        return reply

    async def delete_agent(self, agent_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete an agent. It starts no new sessions; running messages finish."""
        call = Call("DELETE", f"/v1/agents/{segment(agent_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def create_version(
        self,
        agent_id: str,
        body: CreateVersionRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> VersionCreated:
        """Publish a bundle as the agent's next version."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/versions",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: VersionCreated = await self._json(call)
        return reply

    async def list_versions(
        self,
        agent_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Version]:
        """List an agent's versions, newest first."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/versions",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Version] = await self._json(call)
        return reply

    async def get_version(self, agent_id: str, version_id: str, *, timeout: float | None = None) -> Version:
        """Get a version."""
        call = Call("GET", f"/v1/agents/{segment(agent_id)}/versions/{segment(version_id)}", timeout=timeout)
        reply: Version = await self._json(call)
        return reply

    async def get_version_bundle(
        self,
        agent_id: str,
        version_id: str,
        *,
        timeout: float | None = None,
    ) -> VersionBundle:
        """List the files of a version's bundle."""
        call = Call("GET", f"/v1/agents/{segment(agent_id)}/versions/{segment(version_id)}/bundle", timeout=timeout)
        reply: VersionBundle = await self._json(call)
        return reply

    async def get_version_bundle_file(
        self,
        agent_id: str,
        version_id: str,
        *,
        path: str,
        timeout: float | None = None,
    ) -> VersionBundleFile:
        """Get one text file of a version's bundle."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/versions/{segment(version_id)}/bundle/file",
            query={"path": path},
            timeout=timeout,
        )
        reply: VersionBundleFile = await self._json(call)
        return reply

    async def activate_version(
        self,
        agent_id: str,
        body: ActivateVersionRequest,
        *,
        timeout: float | None = None,
    ) -> Agent:
        """Make a ready version the active one, for example to go back to an older version."""
        call = Call("POST", f"/v1/agents/{segment(agent_id)}/activate", json=body, timeout=timeout)
        reply: Agent = await self._json(call)
        return reply

    async def get_build_logs(
        self,
        version_id: str,
        *,
        follow: bool | None = None,
        timeout: float | None = None,
    ) -> str:
        """Get a version's build log. With `follow=1`, the reply continues until the build ends."""
        call = Call("GET", f"/v1/versions/{segment(version_id)}/build-logs", query={"follow": follow}, timeout=timeout)
        return await self._text(call)

    async def create_session(
        self,
        agent_id: str,
        body: CreateSessionRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Session:
        """Start a session on the agent's active version."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/sessions",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Session = await self._json(call)
        return reply

    async def list_agent_sessions(
        self,
        agent_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: Literal["idle", "active", "completed", "failed", "expired"] | None = None,
        name: str | None = None,
        timeout: float | None = None,
    ) -> Page[Session]:
        """List an agent's sessions, newest first; `metadata.<key>=<value>` filters by metadata."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/sessions",
            query={"limit": limit, "after": after, "status": status, "name": name},
            timeout=timeout,
        )
        reply: Page[Session] = await self._json(call)
        return reply

    async def list_sessions(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: Literal["idle", "active", "completed", "failed", "expired"] | None = None,
        name: str | None = None,
        agent_id: str | None = None,
        metadata: Mapping[str, str | int | float | bool] | None = None,
        timeout: float | None = None,
    ) -> Page[Session]:
        """List sessions, newest first; `metadata.<key>=<value>` filters by metadata."""
        call = Call(
            "GET",
            "/v1/sessions",
            query={"limit": limit, "after": after, "status": status, "name": name, "agent_id": agent_id, **by_metadata(metadata)},
            timeout=timeout,
        )
        reply: Page[Session] = await self._json(call)
        return reply

    async def list_session_summaries(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        agent_id: str | None = None,
        status: Literal["idle", "active", "completed", "failed", "expired"] | None = None,
        started_by: Literal["caller", "schedule", "batch", "trigger"] | None = None,
        q: str | None = None,
        timeout: float | None = None,
    ) -> Page[SessionSummary]:
        """List sessions by their newest message, with first and last words and sums; `metadata.<key>=<value>` filters by metadata. One page examines at most 3000 messages, and with `q` the texts of 200 sessions: with filters it can be short."""
        call = Call(
            "GET",
            "/v1/session-summaries",
            query={"limit": limit, "after": after, "agent_id": agent_id, "status": status, "started_by": started_by, "q": q},
            timeout=timeout,
        )
        reply: Page[SessionSummary] = await self._json(call)
        return reply

    async def get_session(self, session_id: str, *, timeout: float | None = None) -> Session:
        """Get a session."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}", timeout=timeout)
        reply: Session = await self._json(call)
        return reply

    async def delete_session(
        self,
        session_id: str,
        *,
        cancel: bool | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a session and its workspace. With `cancel=1`, also while messages are queued or running."""
        call = Call("DELETE", f"/v1/sessions/{segment(session_id)}", query={"cancel": cancel}, timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def complete_session(
        self,
        session_id: str,
        *,
        cancel: bool | None = None,
        timeout: float | None = None,
    ) -> Session:
        """Complete a session: it accepts no more messages. With `cancel=1`, also while messages are queued or running."""
        call = Call("POST", f"/v1/sessions/{segment(session_id)}/complete", query={"cancel": cancel}, timeout=timeout)
        reply: Session = await self._json(call)
        return reply

    async def send_message(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and wait until it ends, at most an hour. 202 with the record so far after that, or as soon as the message waits for an input. `delivery`, `Accept: text/event-stream` and `Prefer: respond-async` choose another way."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
            waits=True,
        )
        reply: Message = await self._json(call)
        return reply

    async def list_messages(
        self,
        session_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Message]:
        """List a session's messages, oldest first."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/messages",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Message] = await self._json(call)
        return reply

    async def send_message_sync(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and wait until it ends, at most an hour. 202 with the record so far after that, or as soon as the message waits for an input."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages/sync",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
            waits=True,
        )
        reply: Message = await self._json(call)
        return reply

    async def send_message_async(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and return immediately."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages/async",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = await self._json(call)
        return reply

    async def send_session_event(
        self,
        session_id: str,
        body: SendSessionEventRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SentEvent:
        """Send a message in the form of the hosted service's clients, and return immediately."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/events",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SentEvent = await self._json(call)
        return reply

    async def list_events(
        self,
        session_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        after_seq: int | None = None,
        timeout: float | None = None,
    ) -> Page[Event]:
        """List a session's events, oldest first."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/events",
            query={"limit": limit, "after": after, "after_seq": after_seq},
            timeout=timeout,
        )
        reply: Page[Event] = await self._json(call)
        return reply

    async def send_agent_message(
        self,
        agent_id: str,
        body: SendAgentMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SentEvent:
        """Start a session with its first message and return immediately. If one is refused, neither is created."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/messages",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SentEvent = await self._json(call)
        return reply

    async def get_message(
        self,
        message_id: str,
        *,
        include: Literal["tool_calls"] | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Get a message."""
        call = Call("GET", f"/v1/messages/{segment(message_id)}", query={"include": include}, timeout=timeout)
        reply: Message = await self._json(call)
        return reply

    async def cancel_message(self, message_id: str, *, timeout: float | None = None) -> Message:
        """Cancel a message: immediately while it is queued, otherwise as soon as its turn stops."""
        call = Call("POST", f"/v1/messages/{segment(message_id)}/cancel", timeout=timeout)
        reply: Message = await self._json(call)
        return reply

    async def retry_message(
        self,
        message_id: str,
        body: RetryMessageRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a failed message again: as the session's newest message, or in a fork from before it, which can use another version."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/retry",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = await self._json(call)
        return reply

    async def answer_input(
        self,
        message_id: str,
        body: AnswerInputRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Answer an input that a message waits for; `key` names the input. Its turn continues."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/inputs",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = await self._json(call)
        return reply

    async def get_message_files(self, message_id: str, *, timeout: float | None = None) -> MessageFiles:
        """Get the files that the turn changed."""
        call = Call("GET", f"/v1/messages/{segment(message_id)}/files", timeout=timeout)
        reply: MessageFiles = await self._json(call)
        return reply

    async def get_message_logs(
        self,
        message_id: str,
        *,
        attempt: int | None = None,
        timestamps: bool | None = None,
        timeout: float | None = None,
    ) -> str:
        """Get what each attempt wrote to stdout and stderr."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/logs",
            query={"attempt": attempt, "timestamps": timestamps},
            timeout=timeout,
        )
        return await self._text(call)

    async def create_session_token(
        self,
        session_id: str,
        body: CreateSessionTokenRequest | None = None,
        *,
        timeout: float | None = None,
    ) -> SessionTokenCreated:
        """Create a token with which a browser can use this session, and nothing else, until it expires."""
        call = Call("POST", f"/v1/sessions/{segment(session_id)}/tokens", json=body, timeout=timeout)
        reply: SessionTokenCreated = await self._json(call)
        return reply

    async def revoke_session_tokens(self, session_id: str, *, timeout: float | None = None) -> Deleted:
        """Revoke all tokens of this session. Streams that were opened with them end within seconds."""
        call = Call("DELETE", f"/v1/sessions/{segment(session_id)}/tokens", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def get_allowed_origins(self, organization_id: str, *, timeout: float | None = None) -> AllowedOrigins:
        """Get the origins whose pages can use the organization's session tokens."""
        call = Call("GET", f"/v1/organizations/{segment(organization_id)}/allowed-origins", timeout=timeout)
        reply: AllowedOrigins = await self._json(call)
        return reply

    async def put_allowed_origins(
        self,
        organization_id: str,
        body: PutAllowedOriginsRequest,
        *,
        timeout: float | None = None,
    ) -> AllowedOrigins:
        """Set the origins whose pages can use the organization's session tokens. An empty list allows no page."""
        call = Call("PUT", f"/v1/organizations/{segment(organization_id)}/allowed-origins", json=body, timeout=timeout)
        reply: AllowedOrigins = await self._json(call)
        return reply

    def send_message_stream(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[AnyStreamedEvent]:
        """Send a message and stream its turn until its last event."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages/stream",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        return self._events(call, "sendMessageStream")

    def stream_message(
        self,
        message_id: str,
        *,
        after_seq: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[AnyStreamedEvent]:
        """Stream a message from its acceptance to its last event. 204 if that event is not after the requested position."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/stream",
            query={"after_seq": after_seq},
            timeout=timeout,
        )
        return self._events(call, "streamMessage")

    def stream_session(
        self,
        session_id: str,
        *,
        after_seq: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[AnyStreamedEvent]:
        """Stream a session's events: each once, in order, with previews between them."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/stream",
            query={"after_seq": after_seq},
            timeout=timeout,
        )
        return self._events(call, "streamSession")

    async def get_transcript(
        self,
        session_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        include: Literal["tool_calls"] | None = None,
        timeout: float | None = None,
    ) -> Page[TranscriptEntry]:
        """Get the conversation as a timeline: messages, answers, what the agent did, changed files and failures. With `include=tool_calls`, tool calls are also parts of the answers."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/transcript",
            query={"limit": limit, "after": after, "include": include},
            timeout=timeout,
        )
        reply: Page[TranscriptEntry] = await self._json(call)
        return reply

    async def get_tool_call(
        self,
        message_id: str,
        call_id: str,
        *,
        attempt: int | None = None,
        timeout: float | None = None,
    ) -> ToolCall:
        """Get a tool call with its whole arguments and result. If several attempts made a call with this id, get the last one."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/tool-calls/{segment(call_id)}",
            query={"attempt": attempt},
            timeout=timeout,
        )
        reply: ToolCall = await self._json(call)
        return reply

    async def get_message_value(
        self,
        message_id: str,
        value_id: str,
        *,
        range: str | None = None,
        timeout: float | None = None,
    ) -> AsyncBody:
        """Download a large or binary value that the agent's events name: arguments, a result, a picture. Accepts `Range`."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/values/{segment(value_id)}",
            headers={"Range": range},
            timeout=timeout,
        )
        return await self._content(call)

    async def list_model_requests(
        self,
        message_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[ModelRequest]:
        """List the requests to models that the message's attempts made with kept credentials, oldest first, with their tokens as the answers report them."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/model-requests",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[ModelRequest] = await self._json(call)
        return reply

    async def replay_message(
        self,
        message_id: str,
        body: ReplayMessageRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Run a completed turn again with its recorded answers, in a fork from before the message. Its tools run again. Requires `retries.record_answers.keep_days`."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/replay",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = await self._json(call)
        return reply

    async def get_replay(self, message_id: str, *, timeout: float | None = None) -> ReplayReport:
        """Compare a replay that has ended with the message that it replays."""
        call = Call("GET", f"/v1/messages/{segment(message_id)}/replay", timeout=timeout)
        reply: ReplayReport = await self._json(call)
        return reply

    async def list_recordings(
        self,
        agent_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Recording]:
        """List the messages of an agent that can be replayed, newest first."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/recordings",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Recording] = await self._json(call)
        return reply

    async def get_price_list(self, *, valid_from: str | None = None, timeout: float | None = None) -> PriceList:
        """Get a price list of models, and the dates of all lists."""
        call = Call("GET", "/v1/operator/prices", query={"valid_from": valid_from}, timeout=timeout)
        reply: PriceList = await self._json(call)
        return reply

    async def put_price_list(self, body: PutPriceListRequest, *, timeout: float | None = None) -> PutPriceListReply:
        """Replace the price list of a date. Costs that are stored do not change."""
        call = Call("PUT", "/v1/operator/prices", json=body, timeout=timeout)
        reply: PutPriceListReply = await self._json(call)
        return reply

    async def upload_file(
        self,
        content: Content,
        filename: str,
        content_type: str = "application/octet-stream",
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Upload a file as multipart form data, in one part named `file`."""
        call = Call(
            "POST",
            "/v1/files",
            content=content,
            filename=filename,
            content_type=content_type,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: File = await self._json(call)
        return reply

    async def list_files(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[File]:
        """List uploaded files, newest first."""
        call = Call("GET", "/v1/files", query={"limit": limit, "after": after}, timeout=timeout)
        reply: Page[File] = await self._json(call)
        return reply

    async def get_file(self, file_id: str, *, timeout: float | None = None) -> File:
        """Get an uploaded file's record."""
        call = Call("GET", f"/v1/files/{segment(file_id)}", timeout=timeout)
        reply: File = await self._json(call)
        return reply

    async def delete_file(self, file_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete an uploaded file. Copies in workspaces stay."""
        call = Call("DELETE", f"/v1/files/{segment(file_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def get_file_content(
        self,
        file_id: str,
        *,
        range: str | None = None,
        timeout: float | None = None,
    ) -> AsyncBody:
        """Get an uploaded file's bytes, with the content type of the upload. Accepts `Range`."""
        call = Call("GET", f"/v1/files/{segment(file_id)}/content", headers={"Range": range}, timeout=timeout)
        return await self._content(call)

    async def get_file_download_url(
        self,
        file_id: str,
        *,
        expires_seconds: int | None = None,
        timeout: float | None = None,
    ) -> FileDownloadUrl:
        """Get a URL that downloads the bytes from the object store. 409 if clients cannot reach the object store."""
        call = Call(
            "GET",
            f"/v1/files/{segment(file_id)}/download-url",
            query={"expires_seconds": expires_seconds},
            timeout=timeout,
        )
        reply: FileDownloadUrl = await self._json(call)
        return reply

    async def reserve_file_upload(
        self,
        body: ReserveFileUploadRequest,
        *,
        timeout: float | None = None,
    ) -> FileUploadReserved:
        """Get a URL that takes the file's bytes at the object store. 409 if clients cannot reach the object store."""
        call = Call("POST", "/v1/files/uploads", json=body, timeout=timeout)
        reply: FileUploadReserved = await self._json(call)
        return reply

    async def complete_file_upload(self, body: CompleteFileUploadRequest, *, timeout: float | None = None) -> File:
        """Check the bytes that were uploaded to the object store and create the file. Can be repeated."""
        call = Call("POST", "/v1/files/uploads/complete", json=body, timeout=timeout)
        reply: File = await self._json(call)
        return reply

    async def list_session_files(
        self,
        session_id: str,
        *,
        path: str | None = None,
        recursive: bool | None = None,
        timeout: float | None = None,
    ) -> DirectoryListing:
        """List a directory of the session's workspace. With `recursive=1`, list everything below it."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/files",
            query={"path": path, "recursive": recursive},
            timeout=timeout,
        )
        reply: DirectoryListing = await self._json(call)
        return reply

    async def get_session_file_content(
        self,
        session_id: str,
        *,
        path: str,
        range: str | None = None,
        timeout: float | None = None,
    ) -> AsyncBody:
        """Get the bytes of a file in the session's workspace. Accepts `Range`; the reply has an `ETag`."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/files/content",
            query={"path": path},
            headers={"Range": range},
            timeout=timeout,
        )
        return await self._content(call)

    async def put_session_file(
        self,
        session_id: str,
        content: Content,
        *,
        path: str,
        if_match: str | None = None,
        if_none_match: str | None = None,
        timeout: float | None = None,
    ) -> WorkspaceCommit:
        """Write a file in the session's workspace. 409 while a turn runs. Accepts `If-Match` and `If-None-Match`."""
        call = Call(
            "PUT",
            f"/v1/sessions/{segment(session_id)}/files/content",
            query={"path": path},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            content=content,
            timeout=timeout,
        )
        reply: WorkspaceCommit = await self._json(call)
        return reply

    async def delete_session_file(
        self,
        session_id: str,
        *,
        path: str,
        recursive: bool | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a file or link in the session's workspace or, with `recursive=1`, a directory. 409 while a turn runs. Accepts `If-Match`."""
        call = Call(
            "DELETE",
            f"/v1/sessions/{segment(session_id)}/files/content",
            query={"path": path, "recursive": recursive},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            timeout=timeout,
        )
        reply: Deleted = await self._json(call)
        return reply

    async def get_workspace_tar_gz(
        self,
        session_id: str,
        *,
        path: list[str] | None = None,
        timeout: float | None = None,
    ) -> AsyncBody:
        """Get the session's workspace as a gzipped tar archive: all of it, or the files and directories that `path` names."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/workspace.tar.gz",
            query={"path": path},
            timeout=timeout,
        )
        return await self._content(call)

    async def get_workspace_zip(
        self,
        session_id: str,
        *,
        path: list[str] | None = None,
        timeout: float | None = None,
    ) -> AsyncBody:
        """Get the session's workspace as a ZIP archive: all of it, or the files and directories that `path` names."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/workspace.zip", query={"path": path}, timeout=timeout)
        return await self._content(call)

    async def fork_session(
        self,
        session_id: str,
        body: ForkSessionRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Session:
        """Start a session with a copy of the conversation and the workspace after a message; by default, after the last completed one."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/fork",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Session = await self._json(call)
        return reply

    async def roll_back_session(
        self,
        session_id: str,
        body: RollbackSessionRequest,
        *,
        timeout: float | None = None,
    ) -> Session:
        """Restore an idle session to its state after a message. Later messages are kept and marked as rolled back."""
        call = Call("POST", f"/v1/sessions/{segment(session_id)}/rollback", json=body, timeout=timeout)
        reply: Session = await self._json(call)
        return reply

    async def get_message_diff(self, message_id: str, *, timeout: float | None = None) -> str:
        """Get the turn's changes as a unified diff for `git apply`. Binary and large files are named without their contents."""
        call = Call("GET", f"/v1/messages/{segment(message_id)}/diff", timeout=timeout)
        return await self._text(call)

    async def list_attempt_files(
        self,
        message_id: str,
        attempt_number: str,
        *,
        path: str | None = None,
        recursive: bool | None = None,
        timeout: float | None = None,
    ) -> DirectoryListing:
        """List a directory of the workspace as an unsuccessful attempt left it. With `recursive=1`, list everything below it."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/attempts/{segment(attempt_number)}/files",
            query={"path": path, "recursive": recursive},
            timeout=timeout,
        )
        reply: DirectoryListing = await self._json(call)
        return reply

    async def get_attempt_file_content(
        self,
        message_id: str,
        attempt_number: str,
        *,
        path: str,
        range: str | None = None,
        timeout: float | None = None,
    ) -> AsyncBody:
        """Get the bytes of a file as an unsuccessful attempt left it. Accepts `Range`."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/attempts/{segment(attempt_number)}/files/content",
            query={"path": path},
            headers={"Range": range},
            timeout=timeout,
        )
        return await self._content(call)

    async def export_session(self, session_id: str, *, timeout: float | None = None) -> AsyncBody:
        """Export a session as one file for another installation: its conversation, its workspace and its version's bundle. Secrets are not included."""
        call = Call("GET", f"/v1/sessions/{segment(session_id)}/export", timeout=timeout)
        return await self._content(call)

    async def import_session(
        self,
        content: Content,
        *,
        agent_id: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Session:
        """Start a session from an export. It runs on a version with the same bundle: of the agent `agent_id`, else of any agent, else of a new agent."""
        call = Call(
            "POST",
            "/v1/sessions/import",
            query={"agent_id": agent_id},
            content=content,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Session = await self._json(call)
        return reply

    async def promote_attempt(
        self,
        message_id: str,
        attempt_number: str,
        *,
        timeout: float | None = None,
    ) -> WorkspaceCommit:
        """Replace the workspace with what an unsuccessful attempt left. The session must be idle and its workspace unchanged since that attempt."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/attempts/{segment(attempt_number)}/promote",
            timeout=timeout,
        )
        reply: WorkspaceCommit = await self._json(call)
        return reply

    async def get_auth_config(self, *, timeout: float | None = None) -> AuthConfig:
        """Get how people sign in."""
        call = Call("GET", "/v1/auth/config", timeout=timeout, keyless=True)
        reply: AuthConfig = await self._json(call)
        return reply

    async def bootstrap(self, body: BootstrapRequest | None = None, *, timeout: float | None = None) -> Bootstrap:
        """List the caller's organization and the organizations that its key created."""
        call = Call("POST", "/v1/me/bootstrap", json=body, timeout=timeout)
        reply: Bootstrap = await self._json(call)
        return reply

    async def list_organizations(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Organization]:
        """List the caller's organization, then the organizations that its key created, newest first."""
        call = Call("GET", "/v1/organizations", query={"limit": limit, "after": after}, timeout=timeout)
        reply: Page[Organization] = await self._json(call)
        return reply

    async def create_organization(
        self,
        body: CreateOrganizationRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> OrganizationCreated:
        """Create an organization."""
        call = Call(
            "POST",
            "/v1/organizations",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: OrganizationCreated = await self._json(call)
        return reply

    async def list_api_keys(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[ApiKey]:
        """List API keys, without their secrets."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/api-keys",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[ApiKey] = await self._json(call)
        return reply

    async def create_api_key(
        self,
        organization_id: str,
        body: CreateApiKeyRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> ApiKeyCreated:
        """Create an API key. Its secret is shown once."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/api-keys",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: ApiKeyCreated = await self._json(call)
        return reply

    async def revoke_api_key(
        self,
        organization_id: str,
        api_key_id: str,
        *,
        timeout: float | None = None,
    ) -> ApiKeyRevoked:
        """Revoke an API key."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/api-keys/{segment(api_key_id)}",
            timeout=timeout,
        )
        reply: ApiKeyRevoked = await self._json(call)
        return reply

    async def ensure_managed_key(
        self,
        organization_id: str,
        body: EnsureManagedKeyRequest,
        *,
        timeout: float | None = None,
    ) -> ManagedKey:
        """Create an API key for a device. It replaces the device's earlier key."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/managed-cli-key/ensure",
            json=body,
            timeout=timeout,
        )
        reply: ManagedKey = await self._json(call)
        return reply

    async def list_credentials(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Credential]:
        """List credentials, without their values."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/credentials",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Credential] = await self._json(call)
        return reply

    async def put_credential(
        self,
        organization_id: str,
        name: str,
        body: PutCredentialRequest,
        *,
        timeout: float | None = None,
    ) -> CredentialPut:
        """Set a credential's value."""
        call = Call(
            "PUT",
            f"/v1/organizations/{segment(organization_id)}/credentials/{segment(name)}",
            json=body,
            timeout=timeout,
        )
        reply: CredentialPut = await self._json(call)
        return reply

    async def delete_credential(self, organization_id: str, name: str, *, timeout: float | None = None) -> Deleted:
        """Delete a credential."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/credentials/{segment(name)}",
            timeout=timeout,
        )
        reply: Deleted = await self._json(call)
        return reply

    async def list_members(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Member]:
        """List members."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/members",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Member] = await self._json(call)
        return reply

    async def update_member(
        self,
        organization_id: str,
        member_id: str,
        body: UpdateMemberRequest,
        *,
        timeout: float | None = None,
    ) -> Member:
        """Change a member's role. An organization keeps at least one owner."""
        call = Call(
            "PATCH",
            f"/v1/organizations/{segment(organization_id)}/members/{segment(member_id)}",
            json=body,
            timeout=timeout,
        )
        reply: Member = await self._json(call)
        return reply

    async def remove_member(self, organization_id: str, member_id: str, *, timeout: float | None = None) -> Deleted:
        """Remove a member. The person's sign-ins, sign-in links and device keys end immediately."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/members/{segment(member_id)}",
            timeout=timeout,
        )
        reply: Deleted = await self._json(call)
        return reply

    async def create_sign_in_link(
        self,
        organization_id: str,
        member_id: str,
        *,
        timeout: float | None = None,
    ) -> SignInLink:
        """Create a link that signs a member in once. It replaces the member's earlier link."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/members/{segment(member_id)}/sign-in-link",
            timeout=timeout,
        )
        reply: SignInLink = await self._json(call)
        return reply

    async def list_invitations(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Invitation]:
        """List invitations that are not accepted yet, including expired ones."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/invitations",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Invitation] = await self._json(call)
        return reply

    async def create_invitation(
        self,
        organization_id: str,
        body: CreateInvitationRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> InvitationCreated:
        """Invite a person. The reply has the link to pass on; inviting the same address again makes a new link."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/invitations",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: InvitationCreated = await self._json(call)
        return reply

    async def delete_invitation(
        self,
        organization_id: str,
        invitation_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Revoke an invitation. Its link stops working."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/invitations/{segment(invitation_id)}",
            timeout=timeout,
        )
        reply: Deleted = await self._json(call)
        return reply

    async def get_me(self, *, timeout: float | None = None) -> Me:
        """Get the caller's organization and, if the caller is a person, the member."""
        call = Call("GET", "/v1/me", timeout=timeout)
        reply: Me = await self._json(call)
        return reply

    async def sign_out(self, *, timeout: float | None = None) -> SignedOut:
        """End the sign-in that this request uses: a browser's cookie, or the key of a person's device."""
        call = Call("DELETE", "/v1/me/sign-in", timeout=timeout)
        reply: SignedOut = await self._json(call)
        return reply

    async def sign_in_with_key(self, *, timeout: float | None = None) -> SignedIn:
        """Sign this browser in with the key of this request. The reply sets the cookie; it ends with the key, or after 30 days."""
        call = Call("POST", "/v1/me/sign-in", timeout=timeout)
        reply: SignedIn = await self._json(call)
        return reply

    async def create_key_sign_in_link(self, *, timeout: float | None = None) -> KeySignInLink:
        """Create a link that signs a browser in with the key of this request, once, within ten minutes."""
        call = Call("POST", "/v1/me/sign-in-link", timeout=timeout)
        reply: KeySignInLink = await self._json(call)
        return reply

    async def get_device_request(self, *, user_code: str, timeout: float | None = None) -> DeviceRequest:
        """Get the command-line sign-in that waits with this code. For signed-in people."""
        call = Call("GET", "/v1/me/device", query={"user_code": user_code}, timeout=timeout)
        reply: DeviceRequest = await self._json(call)
        return reply

    async def decide_device_request(self, body: DecideDeviceRequest, *, timeout: float | None = None) -> DeviceDecided:
        """Approve or deny the command-line sign-in that waits with this code. For signed-in people."""
        call = Call("POST", "/v1/me/device", json=body, timeout=timeout)
        reply: DeviceDecided = await self._json(call)
        return reply

    async def open_sign_in_link(self, body: OpenLinkRequest, *, timeout: float | None = None) -> SignedIn:
        """Open an invitation or a sign-in link, once. The reply sets the cookie that signs the browser in."""
        call = Call("POST", "/v1/auth/link", json=body, timeout=timeout, keyless=True)
        reply: SignedIn = await self._json(call)
        return reply

    async def start_device(self, body: StartDeviceRequest, *, timeout: float | None = None) -> DeviceStarted:
        """Start a command-line sign-in (RFC 8628)."""
        call = Call("POST", "/v1/auth/device", json=body, timeout=timeout, keyless=True)
        reply: DeviceStarted = await self._json(call)
        return reply

    async def poll_device(self, body: PollDeviceRequest, *, timeout: float | None = None) -> DevicePolled:
        """Ask whether the person has decided. The first request after the approval returns the key."""
        call = Call("POST", "/v1/auth/device/token", json=body, timeout=timeout, keyless=True)
        reply: DevicePolled = await self._json(call)
        return reply

    async def get_app_authorization(
        self,
        *,
        client_id: str,
        redirect_uri: str,
        response_type: str | None = None,
        code_challenge: str | None = None,
        code_challenge_method: str | None = None,
        scope: str | None = None,
        resource: str | None = None,
        state: str | None = None,
        timeout: float | None = None,
    ) -> AppAuthorization:
        """Get what an app asks for. For signed-in people."""
        call = Call(
            "GET",
            "/v1/me/app-authorization",
            query={"client_id": client_id, "redirect_uri": redirect_uri, "response_type": response_type, "code_challenge": code_challenge, "code_challenge_method": code_challenge_method, "scope": scope, "resource": resource, "state": state},
            timeout=timeout,
        )
        reply: AppAuthorization = await self._json(call)
        return reply

    async def decide_app_authorization(
        self,
        body: DecideAppAuthorizationRequest,
        *,
        timeout: float | None = None,
    ) -> AppDecided:
        """Approve or deny what an app asks for. For signed-in people."""
        call = Call("POST", "/v1/me/app-authorization", json=body, timeout=timeout)
        reply: AppDecided = await self._json(call)
        return reply

    async def list_connected_apps(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[ConnectedApp]:
        """List the apps that the caller has connected, newest first."""
        call = Call("GET", "/v1/me/apps", query={"limit": limit, "after": after}, timeout=timeout)
        reply: Page[ConnectedApp] = await self._json(call)
        return reply

    async def disconnect_app(self, api_key_id: str, *, timeout: float | None = None) -> Deleted:
        """Disconnect an app of the caller. Its tokens stop working immediately."""
        call = Call("DELETE", f"/v1/me/apps/{segment(api_key_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def get_organization(self, organization_id: str, *, timeout: float | None = None) -> Organization:
        """Get an organization and its limits."""
        call = Call("GET", f"/v1/organizations/{segment(organization_id)}", timeout=timeout)
        reply: Organization = await self._json(call)
        return reply

    async def update_organization(
        self,
        organization_id: str,
        body: UpdateOrganizationRequest,
        *,
        timeout: float | None = None,
    ) -> Organization:
        """Set an organization's limits. Absent fields keep their values."""
        call = Call("PATCH", f"/v1/organizations/{segment(organization_id)}", json=body, timeout=timeout)
        reply: Organization = await self._json(call)
        return reply

    async def delete_organization(self, organization_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete an organization and everything that it owns. Its keys end immediately; its audit log is kept."""
        call = Call("DELETE", f"/v1/organizations/{segment(organization_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def list_audit_log(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[AuditEntry]:
        """List changes in the organization, with the key that made each, newest first."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/audit-log",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[AuditEntry] = await self._json(call)
        return reply

    async def get_operator_health(self, *, timeout: float | None = None) -> OperatorHealth:
        """Check the installation. Reads every table; do not use it as a health probe."""
        call = Call("GET", "/v1/operator/health", timeout=timeout)
        reply: OperatorHealth = await self._json(call)
        return reply

    async def check_store(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        deep: bool | None = None,
        timeout: float | None = None,
    ) -> StoreCheck:
        """Check that stored objects exist and are undamaged, page by page. With `deep=1`, read every byte."""
        call = Call(
            "GET",
            "/v1/operator/store-check",
            query={"after": after, "limit": limit, "deep": deep},
            timeout=timeout,
        )
        reply: StoreCheck = await self._json(call)
        return reply

    async def reseal_secrets(self, body: ResealRequest | None = None, *, timeout: float | None = None) -> Resealed:
        """Encrypt stored secrets again with the current master key, in steps. Can be repeated."""
        call = Call("POST", "/v1/operator/reseal", json=body, timeout=timeout)
        reply: Resealed = await self._json(call)
        return reply

    async def retry_messages(
        self,
        body: RetryMessagesRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> MessagesRetried:
        """Retry the failed messages that match a filter, oldest failure first: all of them or none."""
        call = Call(
            "POST",
            "/v1/messages/retry",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: MessagesRetried = await self._json(call)
        return reply

    async def list_budgets(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Budget]:
        """List the organization's budgets and how much of each is used, newest first."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/budgets",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Budget] = await self._json(call)
        return reply

    async def put_budget(
        self,
        organization_id: str,
        body: PutBudgetRequest,
        *,
        timeout: float | None = None,
    ) -> Budget:
        """Set a budget: what the turns of an organization, an agent or a session may use per period. When it is used up, messages wait; they continue when you raise it or the next period starts."""
        call = Call("PUT", f"/v1/organizations/{segment(organization_id)}/budgets", json=body, timeout=timeout)
        reply: Budget = await self._json(call)
        return reply

    async def delete_budget(self, organization_id: str, budget_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete a budget. Messages that waited for it continue. Only operators delete budgets that operators set."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/budgets/{segment(budget_id)}",
            timeout=timeout,
        )
        reply: Deleted = await self._json(call)
        return reply

    async def get_platform_stop(self, *, timeout: float | None = None) -> PlatformStop:
        """Get whether operators have stopped all turns."""
        call = Call("GET", "/v1/operator/stop", timeout=timeout)
        reply: PlatformStop = await self._json(call)
        return reply

    async def stop_platform(self, body: StopPlatformRequest, *, timeout: float | None = None) -> PlatformStop:
        """Stop all organizations from starting turns. Running turns finish; messages are accepted and wait."""
        call = Call("PUT", "/v1/operator/stop", json=body, timeout=timeout)
        reply: PlatformStop = await self._json(call)
        return reply

    async def resume_platform(self, *, timeout: float | None = None) -> Deleted:
        """Allow turns to start again."""
        call = Call("DELETE", "/v1/operator/stop", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def get_egress(self, organization_id: str, *, timeout: float | None = None) -> Egress:
        """Get the hosts that the organization's agents can connect to."""
        call = Call("GET", f"/v1/organizations/{segment(organization_id)}/egress", timeout=timeout)
        reply: Egress = await self._json(call)
        return reply

    async def put_egress(
        self,
        organization_id: str,
        body: PutEgressRequest,
        *,
        timeout: float | None = None,
    ) -> Egress:
        """Set which hosts the organization's agents may connect to, from their next turns on. Operators' rules are stored separately, and the organization cannot change them: both must allow a host."""
        call = Call("PUT", f"/v1/organizations/{segment(organization_id)}/egress", json=body, timeout=timeout)
        reply: Egress = await self._json(call)
        return reply

    async def delete_egress(self, organization_id: str, *, timeout: float | None = None) -> Egress:
        """Remove the rules: an operator's key removes the operators' rules, an admin key the organization's own."""
        call = Call("DELETE", f"/v1/organizations/{segment(organization_id)}/egress", timeout=timeout)
        reply: Egress = await self._json(call)
        return reply

    async def get_answer_recording(
        self,
        organization_id: str,
        *,
        timeout: float | None = None,
    ) -> AnswerRecordingSetting:
        """Get whether answers of models may be recorded."""
        call = Call("GET", f"/v1/organizations/{segment(organization_id)}/answer-recording", timeout=timeout)
        reply: AnswerRecordingSetting = await self._json(call)
        return reply

    async def put_answer_recording(
        self,
        organization_id: str,
        body: AnswerRecordingSetting,
        *,
        timeout: float | None = None,
    ) -> AnswerRecordingSetting:
        """Set whether answers of models may be recorded, from the next attempt of each message on. Answers that are recorded already stay until their message ends."""
        call = Call("PUT", f"/v1/organizations/{segment(organization_id)}/answer-recording", json=body, timeout=timeout)
        reply: AnswerRecordingSetting = await self._json(call)
        return reply

    async def get_usage(self, organization_id: str, *, days: int | None = None, timeout: float | None = None) -> Usage:
        """Get what the organization's turns used on the last days, what it stores, and what holds its sessions back."""
        call = Call("GET", f"/v1/organizations/{segment(organization_id)}/usage", query={"days": days}, timeout=timeout)
        reply: Usage = await self._json(call)
        return reply

    async def get_overview(self, *, days: int | None = None, timeout: float | None = None) -> Overview:
        """Get the organization's turns, failures, durations, tokens and costs by day, what runs now, and what waits for a person."""
        call = Call("GET", "/v1/overview", query={"days": days}, timeout=timeout)
        reply: Overview = await self._json(call)
        return reply

    async def get_agent_usage(
        self,
        agent_id: str,
        *,
        days: int | None = None,
        timeout: float | None = None,
    ) -> AgentUsage:
        """Get an agent's failures, durations and tokens of the last days."""
        call = Call("GET", f"/v1/agents/{segment(agent_id)}/usage", query={"days": days}, timeout=timeout)
        reply: AgentUsage = await self._json(call)
        return reply

    async def get_session_cost(self, session_id: str, *, timeout: float | None = None) -> SessionCost:
        """Get what a session's turns used, without its deleted and copied messages."""
        call = Call("GET", f"/v1/costs/sessions/{segment(session_id)}", timeout=timeout)
        reply: SessionCost = await self._json(call)
        return reply

    async def get_fleet(self, *, timeout: float | None = None) -> Fleet:
        """Get which organizations wait, which turns run, and the workers. Reads only what waits and runs, so you can poll it."""
        call = Call("GET", "/v1/operator/fleet", timeout=timeout)
        reply: Fleet = await self._json(call)
        return reply

    async def get_agent_webhook(self, agent_id: str, *, timeout: float | None = None) -> AgentWebhook:
        """Get an agent's webhook in the hosted service's form: the organization's endpoint for this agent."""
        call = Call("GET", f"/v1/agents/{segment(agent_id)}/webhook", timeout=timeout)
        reply: AgentWebhook = await self._json(call)
        return reply

    async def put_agent_webhook(
        self,
        agent_id: str,
        body: PutAgentWebhookRequest,
        *,
        timeout: float | None = None,
    ) -> AgentWebhook:
        """Set an agent's webhook: create its endpoint, or change and enable the existing one."""
        call = Call("PUT", f"/v1/agents/{segment(agent_id)}/webhook", json=body, timeout=timeout)
        reply: AgentWebhook = await self._json(call)
        return reply

    async def delete_agent_webhook(self, agent_id: str, *, timeout: float | None = None) -> AgentWebhook:
        """Delete an agent's webhook endpoint, if it has one."""
        call = Call("DELETE", f"/v1/agents/{segment(agent_id)}/webhook", timeout=timeout)
        reply: AgentWebhook = await self._json(call)
        return reply

    async def rotate_agent_webhook_secret(
        self,
        agent_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> AgentWebhook:
        """Replace the secret of an agent's webhook. For 24 hours, deliveries are signed with the old one as well."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/webhook/rotate-secret",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: AgentWebhook = await self._json(call)
        return reply

    async def list_webhook_endpoints(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[WebhookEndpoint]:
        """List webhook endpoints, without their secrets."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[WebhookEndpoint] = await self._json(call)
        return reply

    async def create_webhook_endpoint(
        self,
        organization_id: str,
        body: CreateWebhookEndpointRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookEndpointCreated:
        """Deliver events to a URL from now on. The signing secret is shown once."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookEndpointCreated = await self._json(call)
        return reply

    async def get_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        timeout: float | None = None,
    ) -> WebhookEndpoint:
        """Get a webhook endpoint, without its secret."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}",
            timeout=timeout,
        )
        reply: WebhookEndpoint = await self._json(call)
        return reply

    async def update_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        body: UpdateWebhookEndpointRequest,
        *,
        timeout: float | None = None,
    ) -> WebhookEndpoint:
        """Change a webhook endpoint, or disable and enable it. Absent fields keep their values."""
        call = Call(
            "PATCH",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}",
            json=body,
            timeout=timeout,
        )
        reply: WebhookEndpoint = await self._json(call)
        return reply

    async def delete_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a webhook endpoint. Deliveries that wait are not sent."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}",
            timeout=timeout,
        )
        reply: Deleted = await self._json(call)
        return reply

    async def rotate_webhook_secret(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookEndpointCreated:
        """Replace the signing secret. For 24 hours, deliveries are signed with the old one as well."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/rotate-secret",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookEndpointCreated = await self._json(call)
        return reply

    async def test_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookDelivery:
        """Deliver a `webhook.test` event, signed and retried like every other event."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/test",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookDelivery = await self._json(call)
        return reply

    async def list_webhook_deliveries(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: Literal["pending", "delivered", "failed", "cancelled"] | None = None,
        timeout: float | None = None,
    ) -> Page[WebhookDelivery]:
        """List deliveries with the outcome of their last attempt, newest first."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/deliveries",
            query={"limit": limit, "after": after, "status": status},
            timeout=timeout,
        )
        reply: Page[WebhookDelivery] = await self._json(call)
        return reply

    async def resend_webhook_delivery(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        webhook_delivery_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookDelivery:
        """Send a delivery again now, with a full set of attempts. Its `webhook-id` stays the same."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/deliveries/{segment(webhook_delivery_id)}/resend",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookDelivery = await self._json(call)
        return reply

    async def list_schedules(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        agent_id: str | None = None,
        status: Literal["active", "paused"] | None = None,
        timeout: float | None = None,
    ) -> Page[Schedule]:
        """List schedules, newest first."""
        call = Call(
            "GET",
            "/v1/schedules",
            query={"limit": limit, "after": after, "agent_id": agent_id, "status": status},
            timeout=timeout,
        )
        reply: Page[Schedule] = await self._json(call)
        return reply

    async def create_schedule(
        self,
        body: CreateScheduleRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Schedule:
        """Send a message at set times: to a new session of an agent each time, or always to one session."""
        call = Call("POST", "/v1/schedules", json=body, idempotency_key=idempotency_key or new_key(), timeout=timeout)
        reply: Schedule = await self._json(call)
        return reply

    async def get_schedule(self, schedule_id: str, *, timeout: float | None = None) -> Schedule:
        """Get a schedule."""
        call = Call("GET", f"/v1/schedules/{segment(schedule_id)}", timeout=timeout)
        reply: Schedule = await self._json(call)
        return reply

    async def update_schedule(
        self,
        schedule_id: str,
        body: UpdateScheduleRequest,
        *,
        timeout: float | None = None,
    ) -> Schedule:
        """Change a schedule, or pause and resume it with `status`. Absent fields keep their values. Due times that passed during a pause are not made up for."""
        call = Call("PATCH", f"/v1/schedules/{segment(schedule_id)}", json=body, timeout=timeout)
        reply: Schedule = await self._json(call)
        return reply

    async def delete_schedule(self, schedule_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete a schedule and its firings. Messages that it sent continue."""
        call = Call("DELETE", f"/v1/schedules/{segment(schedule_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def list_schedule_firings(
        self,
        schedule_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        outcome: Literal["fired", "skipped", "missed", "failed"] | None = None,
        timeout: float | None = None,
    ) -> Page[ScheduleFiring]:
        """List the outcome of each due time, newest first."""
        call = Call(
            "GET",
            f"/v1/schedules/{segment(schedule_id)}/firings",
            query={"limit": limit, "after": after, "outcome": outcome},
            timeout=timeout,
        )
        reply: Page[ScheduleFiring] = await self._json(call)
        return reply

    async def list_triggers(
        self,
        agent_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Trigger]:
        """List an agent's triggers, newest first, without their URLs and secrets."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/triggers",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Trigger] = await self._json(call)
        return reply

    async def create_trigger(
        self,
        agent_id: str,
        body: CreateTriggerRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> TriggerCreated:
        """Create a URL that turns another service's events into messages of the agent. The URL is shown once."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/triggers",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: TriggerCreated = await self._json(call)
        return reply

    async def get_trigger(self, agent_id: str, trigger_id: str, *, timeout: float | None = None) -> Trigger:
        """Get a trigger, without its URL and secret."""
        call = Call("GET", f"/v1/agents/{segment(agent_id)}/triggers/{segment(trigger_id)}", timeout=timeout)
        reply: Trigger = await self._json(call)
        return reply

    async def update_trigger(
        self,
        agent_id: str,
        trigger_id: str,
        body: UpdateTriggerRequest,
        *,
        timeout: float | None = None,
    ) -> Trigger:
        """Change a trigger, or pause and resume it with `status`. Absent fields keep their values. Events that come during a pause are answered and send no message."""
        call = Call(
            "PATCH",
            f"/v1/agents/{segment(agent_id)}/triggers/{segment(trigger_id)}",
            json=body,
            timeout=timeout,
        )
        reply: Trigger = await self._json(call)
        return reply

    async def delete_trigger(self, agent_id: str, trigger_id: str, *, timeout: float | None = None) -> Deleted:
        """Delete a trigger. Its URL stops working at once; its sessions and messages stay."""
        call = Call("DELETE", f"/v1/agents/{segment(agent_id)}/triggers/{segment(trigger_id)}", timeout=timeout)
        reply: Deleted = await self._json(call)
        return reply

    async def rotate_trigger_secret(
        self,
        agent_id: str,
        trigger_id: str,
        body: RotateTriggerSecretRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> TriggerSecretRotated:
        """Replace the secret that events are signed with. For 24 hours, the one before is accepted as well."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/triggers/{segment(trigger_id)}/rotate-secret",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: TriggerSecretRotated = await self._json(call)
        return reply

    async def receive_trigger_event(
        self,
        trigger_token: str,
        body: TriggerEvent,
        *,
        timeout: float | None = None,
    ) -> TriggerReceipt:
        """Send an event to a trigger: 202 if it sends a message, 200 if it came before or is ignored. The answer does not wait for the agent."""
        call = Call("POST", f"/v1/triggers/{segment(trigger_token)}", json=body, timeout=timeout, keyless=True)
        reply: TriggerReceipt = await self._json(call)
        return reply

    async def create_session_batch(
        self,
        body: CreateSessionBatchRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SessionBatchCreated:
        """Start many sessions of an agent, each with a first message. If one session is refused, none is started."""
        call = Call(
            "POST",
            "/v1/session-batches",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SessionBatchCreated = await self._json(call)
        return reply

    async def list_session_batches(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[SessionBatchSummary]:
        """List batches, newest first, without the outcome of their messages."""
        call = Call("GET", "/v1/session-batches", query={"limit": limit, "after": after}, timeout=timeout)
        reply: Page[SessionBatchSummary] = await self._json(call)
        return reply

    async def get_session_batch(self, session_batch_id: str, *, timeout: float | None = None) -> SessionBatch:
        """Get a batch, with the number of its first messages by status."""
        call = Call("GET", f"/v1/session-batches/{segment(session_batch_id)}", timeout=timeout)
        reply: SessionBatch = await self._json(call)
        return reply

    async def list_batch_sessions(
        self,
        session_batch_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None = None,
        timeout: float | None = None,
    ) -> Page[BatchSession]:
        """List the sessions of a batch, in the order of the request."""
        call = Call(
            "GET",
            f"/v1/session-batches/{segment(session_batch_id)}/sessions",
            query={"limit": limit, "after": after, "message_status": message_status},
            timeout=timeout,
        )
        reply: Page[BatchSession] = await self._json(call)
        return reply

    async def get_batch_results(self, session_batch_id: str, *, timeout: float | None = None) -> AsyncBody:
        """Get a batch's results as JSON lines, in the order of the request: prompt, status, answer, error, duration. A retried message has the result of its newest retry."""
        call = Call("GET", f"/v1/session-batches/{segment(session_batch_id)}/results", timeout=timeout)
        return await self._content(call)

    async def cancel_session_batch(self, session_batch_id: str, *, timeout: float | None = None) -> SessionBatch:
        """Cancel the first messages of a batch that have not ended: queued ones immediately, running ones when their turns stop."""
        call = Call("POST", f"/v1/session-batches/{segment(session_batch_id)}/cancel", timeout=timeout)
        reply: SessionBatch = await self._json(call)
        return reply
