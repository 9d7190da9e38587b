"""One method for each operation of the platform. Generated from the platform's OpenAPI document; not edited by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from .._call import Call, Content, by_metadata, new_key, segment
from .._transport import Body, SyncTransport
from .models import *  # noqa: F403
from .streams import AnyStreamedEvent


class Operations(SyncTransport):
    """Calls by name. They raise `ApiError` for refusals, `UnreachableError` when the platform is not reached."""

    def create_source_snapshot(
        self,
        body: CreateSourceSnapshotRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SourceSnapshotCreated:
        """Reserve a bundle and get the address to upload it to."""
        call = Call(
            "POST",
            "/v1/source-snapshots",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SourceSnapshotCreated = self._json(call)
        return reply

    def upload_bundle(
        self,
        source_snapshot_id: str,
        content: Content,
        *,
        expires: str,
        signature: str,
        timeout: float | None = None,
    ) -> BundleUploaded:
        """Upload the bundle's bytes. The query authorizes; send no key."""
        call = Call(
            "PUT",
            f"/v1/source-snapshots/{segment(source_snapshot_id)}/content",
            query={"expires": expires, "signature": signature},
            content=content,
            timeout=timeout,
            keyless=True,
        )
        reply: BundleUploaded = self._json(call)
        return reply

    def finalize_source_snapshot(
        self,
        source_snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> SourceSnapshotFinalized:
        """Check an uploaded bundle: presence, size, checksum, and what is inside."""
        call = Call(
            "POST",
            f"/v1/source-snapshots/{segment(source_snapshot_id)}/finalize",
            timeout=timeout,
        )
        reply: SourceSnapshotFinalized = self._json(call)
        return reply

    def get_source_snapshot_manifest(
        self,
        source_snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> SourceSnapshotManifest:
        """Read and check the manifest of a finalized bundle, before it is published."""
        call = Call(
            "GET",
            f"/v1/source-snapshots/{segment(source_snapshot_id)}/manifest",
            timeout=timeout,
        )
        reply: SourceSnapshotManifest = self._json(call)
        return reply

    def delete_source_snapshot(
        self,
        source_snapshot_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a bundle that no version uses."""
        call = Call(
            "DELETE",
            f"/v1/source-snapshots/{segment(source_snapshot_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def create_agent(
        self,
        body: CreateAgentRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> AgentCreated:
        """Create an agent from a bundle and build its first version."""
        call = Call(
            "POST",
            "/v1/agents",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: AgentCreated = self._json(call)
        return reply

    def list_agents(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Agent]:
        """List agents, newest first."""
        call = Call(
            "GET",
            "/v1/agents",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Agent] = self._json(call)
        return reply

    def get_agent(
        self,
        agent_id: str,
        *,
        timeout: float | None = None,
    ) -> Agent:
        """Get an agent."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}",
            timeout=timeout,
        )
        reply: Agent = self._json(call)
        return reply

    def delete_agent(
        self,
        agent_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete an agent: no new sessions, running ones finish."""
        call = Call(
            "DELETE",
            f"/v1/agents/{segment(agent_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def create_version(
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
        reply: VersionCreated = self._json(call)
        return reply

    def list_versions(
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
        reply: Page[Version] = self._json(call)
        return reply

    def get_version(
        self,
        agent_id: str,
        version_id: str,
        *,
        timeout: float | None = None,
    ) -> Version:
        """Get a version."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/versions/{segment(version_id)}",
            timeout=timeout,
        )
        reply: Version = self._json(call)
        return reply

    def get_version_bundle(
        self,
        agent_id: str,
        version_id: str,
        *,
        timeout: float | None = None,
    ) -> VersionBundle:
        """List the files of a version's bundle."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/versions/{segment(version_id)}/bundle",
            timeout=timeout,
        )
        reply: VersionBundle = self._json(call)
        return reply

    def get_version_bundle_file(
        self,
        agent_id: str,
        version_id: str,
        *,
        path: str,
        timeout: float | None = None,
    ) -> VersionBundleFile:
        """Read one text file of a version's bundle."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/versions/{segment(version_id)}/bundle/file",
            query={"path": path},
            timeout=timeout,
        )
        reply: VersionBundleFile = self._json(call)
        return reply

    def activate_version(
        self,
        agent_id: str,
        body: ActivateVersionRequest,
        *,
        timeout: float | None = None,
    ) -> Agent:
        """Make a ready version the active one, for example to go back to an older one."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/activate",
            json=body,
            timeout=timeout,
        )
        reply: Agent = self._json(call)
        return reply

    def get_build_logs(
        self,
        version_id: str,
        *,
        follow: bool | None = None,
        timeout: float | None = None,
    ) -> str:
        """The build's log; with `follow=1` until the build ends."""
        call = Call(
            "GET",
            f"/v1/versions/{segment(version_id)}/build-logs",
            query={"follow": follow},
            timeout=timeout,
        )
        return self._text(call)

    def create_session(
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
        reply: Session = self._json(call)
        return reply

    def list_agent_sessions(
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
        reply: Page[Session] = self._json(call)
        return reply

    def list_sessions(
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
        reply: Page[Session] = self._json(call)
        return reply

    def get_session(
        self,
        session_id: str,
        *,
        timeout: float | None = None,
    ) -> Session:
        """Get a session."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}",
            timeout=timeout,
        )
        reply: Session = self._json(call)
        return reply

    def delete_session(
        self,
        session_id: str,
        *,
        cancel: bool | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a session and its workspace; with `cancel=1` also while messages are queued or running."""
        call = Call(
            "DELETE",
            f"/v1/sessions/{segment(session_id)}",
            query={"cancel": cancel},
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def complete_session(
        self,
        session_id: str,
        *,
        cancel: bool | None = None,
        timeout: float | None = None,
    ) -> Session:
        """End a session; with `cancel=1` also while messages are queued or running."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/complete",
            query={"cancel": cancel},
            timeout=timeout,
        )
        reply: Session = self._json(call)
        return reply

    def send_message(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message. Waits for its end, unless `delivery`, `Accept: text/event-stream` or `Prefer: respond-async` says otherwise."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
            waits=True,
        )
        reply: Message = self._json(call)
        return reply

    def list_messages(
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
        reply: Page[Message] = self._json(call)
        return reply

    def send_message_sync(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and wait for its end; 202 with the record so far when the wait is too long."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages/sync",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
            waits=True,
        )
        reply: Message = self._json(call)
        return reply

    def send_message_async(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and return at once."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/messages/async",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = self._json(call)
        return reply

    def send_session_event(
        self,
        session_id: str,
        body: SendSessionEventRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SentEvent:
        """Send a message as an event, as the hosted service's clients do, and return at once."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/events",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SentEvent = self._json(call)
        return reply

    def list_events(
        self,
        session_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        after_seq: int | None = None,
        timeout: float | None = None,
    ) -> Page[Event]:
        """List a session's ledger, oldest first."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/events",
            query={"limit": limit, "after": after, "after_seq": after_seq},
            timeout=timeout,
        )
        reply: Page[Event] = self._json(call)
        return reply

    def send_agent_message(
        self,
        agent_id: str,
        body: SendAgentMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SentEvent:
        """Start a session with its first message, both or neither, and return at once."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/messages",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SentEvent = self._json(call)
        return reply

    def get_message(
        self,
        message_id: str,
        *,
        timeout: float | None = None,
    ) -> Message:
        """Get a message."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}",
            timeout=timeout,
        )
        reply: Message = self._json(call)
        return reply

    def cancel_message(
        self,
        message_id: str,
        *,
        timeout: float | None = None,
    ) -> Message:
        """Cancel a message: at once while it is queued, else as soon as its turn has stopped."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/cancel",
            timeout=timeout,
        )
        reply: Message = self._json(call)
        return reply

    def retry_message(
        self,
        message_id: str,
        body: RetryMessageRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a failed message again: at its session's tail, or in a fork from before it, there also on another version."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/retry",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = self._json(call)
        return reply

    def answer_input(
        self,
        message_id: str,
        body: AnswerInputRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Answer what a message waits for; its turn goes on. `key` says which of its inputs is answered."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/inputs",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Message = self._json(call)
        return reply

    def get_message_files(
        self,
        message_id: str,
        *,
        timeout: float | None = None,
    ) -> MessageFiles:
        """The files that the turn changed."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/files",
            timeout=timeout,
        )
        reply: MessageFiles = self._json(call)
        return reply

    def get_message_logs(
        self,
        message_id: str,
        *,
        attempt: int | None = None,
        timeout: float | None = None,
    ) -> str:
        """What each attempt wrote to stdout and stderr."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/logs",
            query={"attempt": attempt},
            timeout=timeout,
        )
        return self._text(call)

    def send_message_stream(
        self,
        session_id: str,
        body: SendMessageRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[AnyStreamedEvent]:
        """Send a message and watch its turn, to its last event."""
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
    ) -> Iterator[AnyStreamedEvent]:
        """Watch a message from its acceptance to its last event; 204 when that is not after the place asked for."""
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
    ) -> Iterator[AnyStreamedEvent]:
        """Watch a session's ledger: every event once, in order, with previews between them."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/stream",
            query={"after_seq": after_seq},
            timeout=timeout,
        )
        return self._events(call, "streamSession")

    def get_transcript(
        self,
        session_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[TranscriptEntry]:
        """The conversation as a timeline: what was said, what the agent reported, how turns ended."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/transcript",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[TranscriptEntry] = self._json(call)
        return reply

    def upload_file(
        self,
        content: Content,
        filename: str,
        content_type: str = "application/octet-stream",
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Upload a file as multipart, in one part named `file`."""
        call = Call(
            "POST",
            "/v1/files",
            content=content,
            filename=filename,
            content_type=content_type,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: File = self._json(call)
        return reply

    def list_files(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[File]:
        """List uploaded files, newest first."""
        call = Call(
            "GET",
            "/v1/files",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[File] = self._json(call)
        return reply

    def get_file(
        self,
        file_id: str,
        *,
        timeout: float | None = None,
    ) -> File:
        """Get an uploaded file's record."""
        call = Call(
            "GET",
            f"/v1/files/{segment(file_id)}",
            timeout=timeout,
        )
        reply: File = self._json(call)
        return reply

    def delete_file(
        self,
        file_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete an uploaded file; the copies in workspaces stay."""
        call = Call(
            "DELETE",
            f"/v1/files/{segment(file_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def get_file_content(
        self,
        file_id: str,
        *,
        range: str | None = None,
        timeout: float | None = None,
    ) -> Body:
        """Get an uploaded file's bytes, as the type it was uploaded with. Accepts `Range`."""
        call = Call(
            "GET",
            f"/v1/files/{segment(file_id)}/content",
            headers={"Range": range},
            timeout=timeout,
        )
        return self._content(call)

    def get_file_download_url(
        self,
        file_id: str,
        *,
        expires_seconds: int | None = None,
        timeout: float | None = None,
    ) -> FileDownloadUrl:
        """Get a URL of the object store for the bytes; 409 where clients cannot reach the store."""
        call = Call(
            "GET",
            f"/v1/files/{segment(file_id)}/download-url",
            query={"expires_seconds": expires_seconds},
            timeout=timeout,
        )
        reply: FileDownloadUrl = self._json(call)
        return reply

    def reserve_file_upload(
        self,
        body: ReserveFileUploadRequest,
        *,
        timeout: float | None = None,
    ) -> FileUploadReserved:
        """Get a URL to put a file's bytes at the object store; 409 where clients cannot reach the store."""
        call = Call(
            "POST",
            "/v1/files/uploads",
            json=body,
            timeout=timeout,
        )
        reply: FileUploadReserved = self._json(call)
        return reply

    def complete_file_upload(
        self,
        body: CompleteFileUploadRequest,
        *,
        timeout: float | None = None,
    ) -> File:
        """Make a file of the bytes that were put, once they are checked. May be repeated."""
        call = Call(
            "POST",
            "/v1/files/uploads/complete",
            json=body,
            timeout=timeout,
        )
        reply: File = self._json(call)
        return reply

    def list_session_files(
        self,
        session_id: str,
        *,
        path: str | None = None,
        recursive: bool | None = None,
        timeout: float | None = None,
    ) -> DirectoryListing:
        """List a directory of the session's workspace; with `recursive=1` everything below it."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/files",
            query={"path": path, "recursive": recursive},
            timeout=timeout,
        )
        reply: DirectoryListing = self._json(call)
        return reply

    def get_session_file_content(
        self,
        session_id: str,
        *,
        path: str,
        range: str | None = None,
        timeout: float | None = None,
    ) -> Body:
        """Get the bytes of a file of the session's workspace. Accepts `Range`; replies with an `ETag`."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/files/content",
            query={"path": path},
            headers={"Range": range},
            timeout=timeout,
        )
        return self._content(call)

    def put_session_file(
        self,
        session_id: str,
        content: Content,
        *,
        path: str,
        if_match: str | None = None,
        if_none_match: str | None = None,
        timeout: float | None = None,
    ) -> WorkspaceCommit:
        """Write a file of the session's workspace; 409 while a turn runs. Accepts `If-Match` and `If-None-Match`."""
        call = Call(
            "PUT",
            f"/v1/sessions/{segment(session_id)}/files/content",
            query={"path": path},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            content=content,
            timeout=timeout,
        )
        reply: WorkspaceCommit = self._json(call)
        return reply

    def delete_session_file(
        self,
        session_id: str,
        *,
        path: str,
        recursive: bool | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a file or link of the session's workspace, or with `recursive=1` a directory; 409 while a turn runs. Accepts `If-Match`."""
        call = Call(
            "DELETE",
            f"/v1/sessions/{segment(session_id)}/files/content",
            query={"path": path, "recursive": recursive},
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def get_workspace_tar_gz(
        self,
        session_id: str,
        *,
        path: list[str] | None = None,
        timeout: float | None = None,
    ) -> Body:
        """Get the session's workspace as a gzipped tar: all of it, or the files and directories that `path` names."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/workspace.tar.gz",
            query={"path": path},
            timeout=timeout,
        )
        return self._content(call)

    def get_workspace_zip(
        self,
        session_id: str,
        *,
        path: list[str] | None = None,
        timeout: float | None = None,
    ) -> Body:
        """Get the session's workspace as a ZIP: all of it, or the files and directories that `path` names."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/workspace.zip",
            query={"path": path},
            timeout=timeout,
        )
        return self._content(call)

    def fork_session(
        self,
        session_id: str,
        body: ForkSessionRequest | None = None,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Session:
        """Start a session with the conversation and the workspace as of a message; the last completed one by default."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/fork",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Session = self._json(call)
        return reply

    def roll_back_session(
        self,
        session_id: str,
        body: RollbackSessionRequest,
        *,
        timeout: float | None = None,
    ) -> Session:
        """Take an idle session back to what it was after a message; later messages are kept and marked."""
        call = Call(
            "POST",
            f"/v1/sessions/{segment(session_id)}/rollback",
            json=body,
            timeout=timeout,
        )
        reply: Session = self._json(call)
        return reply

    def get_message_diff(
        self,
        message_id: str,
        *,
        timeout: float | None = None,
    ) -> str:
        """The turn's changes as a unified diff that `git apply` takes; binary and large files are only named."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/diff",
            timeout=timeout,
        )
        return self._text(call)

    def list_attempt_files(
        self,
        message_id: str,
        attempt_number: str,
        *,
        path: str | None = None,
        recursive: bool | None = None,
        timeout: float | None = None,
    ) -> DirectoryListing:
        """List a directory of what an unsuccessful attempt left behind; with `recursive=1` everything below it."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/attempts/{segment(attempt_number)}/files",
            query={"path": path, "recursive": recursive},
            timeout=timeout,
        )
        reply: DirectoryListing = self._json(call)
        return reply

    def get_attempt_file_content(
        self,
        message_id: str,
        attempt_number: str,
        *,
        path: str,
        range: str | None = None,
        timeout: float | None = None,
    ) -> Body:
        """Get the bytes of a file that an unsuccessful attempt left behind. Accepts `Range`."""
        call = Call(
            "GET",
            f"/v1/messages/{segment(message_id)}/attempts/{segment(attempt_number)}/files/content",
            query={"path": path},
            headers={"Range": range},
            timeout=timeout,
        )
        return self._content(call)

    def export_session(
        self,
        session_id: str,
        *,
        timeout: float | None = None,
    ) -> Body:
        """Get a session as one file for another installation: its conversation, its workspace, and the bundle of its version. Secrets stay behind."""
        call = Call(
            "GET",
            f"/v1/sessions/{segment(session_id)}/export",
            timeout=timeout,
        )
        return self._content(call)

    def import_session(
        self,
        content: Content,
        *,
        agent_id: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Session:
        """Start a session from an export. It runs on a version that was made from the same bundle: the agent's that is named, else any agent's, else a new agent's."""
        call = Call(
            "POST",
            "/v1/sessions/import",
            query={"agent_id": agent_id},
            content=content,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Session = self._json(call)
        return reply

    def promote_attempt(
        self,
        message_id: str,
        attempt_number: str,
        *,
        timeout: float | None = None,
    ) -> WorkspaceCommit:
        """Make what an unsuccessful attempt left behind the workspace, if the session is idle and still where it was."""
        call = Call(
            "POST",
            f"/v1/messages/{segment(message_id)}/attempts/{segment(attempt_number)}/promote",
            timeout=timeout,
        )
        reply: WorkspaceCommit = self._json(call)
        return reply

    def get_auth_config(
        self,
        *,
        timeout: float | None = None,
    ) -> AuthConfig:
        """How a person signs in."""
        call = Call(
            "GET",
            "/v1/auth/config",
            timeout=timeout,
            keyless=True,
        )
        reply: AuthConfig = self._json(call)
        return reply

    def bootstrap(
        self,
        body: BootstrapRequest | None = None,
        *,
        timeout: float | None = None,
    ) -> Bootstrap:
        """The caller's organization, then those that its key has created."""
        call = Call(
            "POST",
            "/v1/me/bootstrap",
            json=body,
            timeout=timeout,
        )
        reply: Bootstrap = self._json(call)
        return reply

    def list_organizations(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Organization]:
        """List the caller's organization, then those that its key has created, newest first."""
        call = Call(
            "GET",
            "/v1/organizations",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Organization] = self._json(call)
        return reply

    def create_organization(
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
        reply: OrganizationCreated = self._json(call)
        return reply

    def list_api_keys(
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
        reply: Page[ApiKey] = self._json(call)
        return reply

    def create_api_key(
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
        reply: ApiKeyCreated = self._json(call)
        return reply

    def revoke_api_key(
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
        reply: ApiKeyRevoked = self._json(call)
        return reply

    def ensure_managed_key(
        self,
        organization_id: str,
        body: EnsureManagedKeyRequest,
        *,
        timeout: float | None = None,
    ) -> ManagedKey:
        """Get a new API key for a device. It replaces the device's former key."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/managed-cli-key/ensure",
            json=body,
            timeout=timeout,
        )
        reply: ManagedKey = self._json(call)
        return reply

    def list_credentials(
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
        reply: Page[Credential] = self._json(call)
        return reply

    def put_credential(
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
        reply: CredentialPut = self._json(call)
        return reply

    def delete_credential(
        self,
        organization_id: str,
        name: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a credential."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/credentials/{segment(name)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def list_members(
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
        reply: Page[Member] = self._json(call)
        return reply

    def update_member(
        self,
        organization_id: str,
        member_id: str,
        body: UpdateMemberRequest,
        *,
        timeout: float | None = None,
    ) -> Member:
        """Change a member's role. The last owner stays one."""
        call = Call(
            "PATCH",
            f"/v1/organizations/{segment(organization_id)}/members/{segment(member_id)}",
            json=body,
            timeout=timeout,
        )
        reply: Member = self._json(call)
        return reply

    def remove_member(
        self,
        organization_id: str,
        member_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Remove a member. Sign-ins, links and device keys of this person end at once."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/members/{segment(member_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def create_sign_in_link(
        self,
        organization_id: str,
        member_id: str,
        *,
        timeout: float | None = None,
    ) -> SignInLink:
        """A link that signs a member in, once. It takes the place of the one before."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/members/{segment(member_id)}/sign-in-link",
            timeout=timeout,
        )
        reply: SignInLink = self._json(call)
        return reply

    def list_invitations(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Invitation]:
        """List invitations that nobody has accepted, expired ones included."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/invitations",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Invitation] = self._json(call)
        return reply

    def create_invitation(
        self,
        organization_id: str,
        body: CreateInvitationRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> InvitationCreated:
        """Invite a person: the reply carries the link to pass on. Inviting again makes a new link."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/invitations",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: InvitationCreated = self._json(call)
        return reply

    def delete_invitation(
        self,
        organization_id: str,
        invitation_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Revoke an invitation: its link opens nothing any more."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/invitations/{segment(invitation_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def get_me(
        self,
        *,
        timeout: float | None = None,
    ) -> Me:
        """Who is calling: the organization and, of a person, the member."""
        call = Call(
            "GET",
            "/v1/me",
            timeout=timeout,
        )
        reply: Me = self._json(call)
        return reply

    def sign_out(
        self,
        *,
        timeout: float | None = None,
    ) -> SignedOut:
        """End the sign-in that the call is made with: a browser's cookie, or the key of a person's device."""
        call = Call(
            "DELETE",
            "/v1/me/sign-in",
            timeout=timeout,
        )
        reply: SignedOut = self._json(call)
        return reply

    def get_device_request(
        self,
        *,
        user_code: str,
        timeout: float | None = None,
    ) -> DeviceRequest:
        """The command line that waits with this code. For people who are signed in."""
        call = Call(
            "GET",
            "/v1/me/device",
            query={"user_code": user_code},
            timeout=timeout,
        )
        reply: DeviceRequest = self._json(call)
        return reply

    def decide_device_request(
        self,
        body: DecideDeviceRequest,
        *,
        timeout: float | None = None,
    ) -> DeviceDecided:
        """Let the command line that waits with this code in, or not. For people who are signed in."""
        call = Call(
            "POST",
            "/v1/me/device",
            json=body,
            timeout=timeout,
        )
        reply: DeviceDecided = self._json(call)
        return reply

    def open_sign_in_link(
        self,
        body: OpenLinkRequest,
        *,
        timeout: float | None = None,
    ) -> SignedIn:
        """Open an invitation or a sign-in link, once: the reply sets the cookie that signs the browser in."""
        call = Call(
            "POST",
            "/v1/auth/link",
            json=body,
            timeout=timeout,
            keyless=True,
        )
        reply: SignedIn = self._json(call)
        return reply

    def start_device(
        self,
        body: StartDeviceRequest,
        *,
        timeout: float | None = None,
    ) -> DeviceStarted:
        """Begin to sign a command line in (RFC 8628)."""
        call = Call(
            "POST",
            "/v1/auth/device",
            json=body,
            timeout=timeout,
            keyless=True,
        )
        reply: DeviceStarted = self._json(call)
        return reply

    def poll_device(
        self,
        body: PollDeviceRequest,
        *,
        timeout: float | None = None,
    ) -> DevicePolled:
        """Ask whether the person has decided. The first poll after the approval gets the key."""
        call = Call(
            "POST",
            "/v1/auth/device/token",
            json=body,
            timeout=timeout,
            keyless=True,
        )
        reply: DevicePolled = self._json(call)
        return reply

    def get_organization(
        self,
        organization_id: str,
        *,
        timeout: float | None = None,
    ) -> Organization:
        """Get an organization and its limits."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}",
            timeout=timeout,
        )
        reply: Organization = self._json(call)
        return reply

    def update_organization(
        self,
        organization_id: str,
        body: UpdateOrganizationRequest,
        *,
        timeout: float | None = None,
    ) -> Organization:
        """Set an organization's limits. What is absent stays as it is."""
        call = Call(
            "PATCH",
            f"/v1/organizations/{segment(organization_id)}",
            json=body,
            timeout=timeout,
        )
        reply: Organization = self._json(call)
        return reply

    def delete_organization(
        self,
        organization_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete an organization with all that it owns. Its keys end at once; its record of changes stays."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def list_audit_log(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[AuditEntry]:
        """List what was changed in the organization and by which key, newest first."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/audit-log",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[AuditEntry] = self._json(call)
        return reply

    def get_operator_health(
        self,
        *,
        timeout: float | None = None,
    ) -> OperatorHealth:
        """Examine the installation. Reads every table: for people, not for a probe."""
        call = Call(
            "GET",
            "/v1/operator/health",
            timeout=timeout,
        )
        reply: OperatorHealth = self._json(call)
        return reply

    def check_store(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        deep: bool | None = None,
        timeout: float | None = None,
    ) -> StoreCheck:
        """Look whether the objects that rows name are stored and whole, in steps. `deep=1` reads every byte."""
        call = Call(
            "GET",
            "/v1/operator/store-check",
            query={"after": after, "limit": limit, "deep": deep},
            timeout=timeout,
        )
        reply: StoreCheck = self._json(call)
        return reply

    def reseal_secrets(
        self,
        body: ResealRequest | None = None,
        *,
        timeout: float | None = None,
    ) -> Resealed:
        """Seal stored secrets under the current master key, in steps. Repeating it changes nothing more."""
        call = Call(
            "POST",
            "/v1/operator/reseal",
            json=body,
            timeout=timeout,
        )
        reply: Resealed = self._json(call)
        return reply

    def retry_messages(
        self,
        body: RetryMessagesRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> MessagesRetried:
        """Send the failed messages that a filter names again, oldest failure first, all or none of them."""
        call = Call(
            "POST",
            "/v1/messages/retry",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: MessagesRetried = self._json(call)
        return reply

    def list_budgets(
        self,
        organization_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[Budget]:
        """List the organization's budgets and what is used of them, newest first."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/budgets",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[Budget] = self._json(call)
        return reply

    def put_budget(
        self,
        organization_id: str,
        body: PutBudgetRequest,
        *,
        timeout: float | None = None,
    ) -> Budget:
        """Cap what turns use in each period: of the organization, of an agent or of a session. At the cap messages wait; raising it lets them go on at once."""
        call = Call(
            "PUT",
            f"/v1/organizations/{segment(organization_id)}/budgets",
            json=body,
            timeout=timeout,
        )
        reply: Budget = self._json(call)
        return reply

    def delete_budget(
        self,
        organization_id: str,
        budget_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a budget; what waited for it goes on. Those that operators set, only operators delete."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/budgets/{segment(budget_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def get_platform_stop(
        self,
        *,
        timeout: float | None = None,
    ) -> PlatformStop:
        """Whether all turns are stopped."""
        call = Call(
            "GET",
            "/v1/operator/stop",
            timeout=timeout,
        )
        reply: PlatformStop = self._json(call)
        return reply

    def stop_platform(
        self,
        body: StopPlatformRequest,
        *,
        timeout: float | None = None,
    ) -> PlatformStop:
        """Let no turn begin, of any organization; those that run end, messages are accepted and wait."""
        call = Call(
            "PUT",
            "/v1/operator/stop",
            json=body,
            timeout=timeout,
        )
        reply: PlatformStop = self._json(call)
        return reply

    def resume_platform(
        self,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Let turns begin again."""
        call = Call(
            "DELETE",
            "/v1/operator/stop",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def get_egress(
        self,
        organization_id: str,
        *,
        timeout: float | None = None,
    ) -> Egress:
        """What the organization's agents may connect to."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/egress",
            timeout=timeout,
        )
        reply: Egress = self._json(call)
        return reply

    def put_egress(
        self,
        organization_id: str,
        body: PutEgressRequest,
        *,
        timeout: float | None = None,
    ) -> Egress:
        """Set what the organization's agents may connect to, from their next turns on. What operators set is kept beside it, and the organization cannot change it: both must allow a destination."""
        call = Call(
            "PUT",
            f"/v1/organizations/{segment(organization_id)}/egress",
            json=body,
            timeout=timeout,
        )
        reply: Egress = self._json(call)
        return reply

    def delete_egress(
        self,
        organization_id: str,
        *,
        timeout: float | None = None,
    ) -> Egress:
        """Take back what was set: operators what operators set, admins what the organization set."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/egress",
            timeout=timeout,
        )
        reply: Egress = self._json(call)
        return reply

    def get_usage(
        self,
        organization_id: str,
        *,
        days: int | None = None,
        timeout: float | None = None,
    ) -> Usage:
        """What the organization's turns used on the last days, what it keeps, and what holds its sessions back."""
        call = Call(
            "GET",
            f"/v1/organizations/{segment(organization_id)}/usage",
            query={"days": days},
            timeout=timeout,
        )
        reply: Usage = self._json(call)
        return reply

    def get_session_cost(
        self,
        session_id: str,
        *,
        timeout: float | None = None,
    ) -> SessionCost:
        """What a session's turns have used, without its deleted and copied messages. Money is not known."""
        call = Call(
            "GET",
            f"/v1/costs/sessions/{segment(session_id)}",
            timeout=timeout,
        )
        reply: SessionCost = self._json(call)
        return reply

    def get_fleet(
        self,
        *,
        timeout: float | None = None,
    ) -> Fleet:
        """Which organizations wait, which turns run, and the workers. Costs what waits and runs: for looking often."""
        call = Call(
            "GET",
            "/v1/operator/fleet",
            timeout=timeout,
        )
        reply: Fleet = self._json(call)
        return reply

    def get_agent_webhook(
        self,
        agent_id: str,
        *,
        timeout: float | None = None,
    ) -> AgentWebhook:
        """Get an agent's webhook, in the hosted service's form: the organization's endpoint for this agent."""
        call = Call(
            "GET",
            f"/v1/agents/{segment(agent_id)}/webhook",
            timeout=timeout,
        )
        reply: AgentWebhook = self._json(call)
        return reply

    def put_agent_webhook(
        self,
        agent_id: str,
        body: PutAgentWebhookRequest,
        *,
        timeout: float | None = None,
    ) -> AgentWebhook:
        """Set an agent's webhook: creates its endpoint, or changes and enables the one that it has."""
        call = Call(
            "PUT",
            f"/v1/agents/{segment(agent_id)}/webhook",
            json=body,
            timeout=timeout,
        )
        reply: AgentWebhook = self._json(call)
        return reply

    def delete_agent_webhook(
        self,
        agent_id: str,
        *,
        timeout: float | None = None,
    ) -> AgentWebhook:
        """Clear an agent's webhook: deletes its endpoint, if it has one."""
        call = Call(
            "DELETE",
            f"/v1/agents/{segment(agent_id)}/webhook",
            timeout=timeout,
        )
        reply: AgentWebhook = self._json(call)
        return reply

    def rotate_agent_webhook_secret(
        self,
        agent_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> AgentWebhook:
        """Replace the secret of an agent's webhook. The old one signs beside the new one for 24 hours."""
        call = Call(
            "POST",
            f"/v1/agents/{segment(agent_id)}/webhook/rotate-secret",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: AgentWebhook = self._json(call)
        return reply

    def list_webhook_endpoints(
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
        reply: Page[WebhookEndpoint] = self._json(call)
        return reply

    def create_webhook_endpoint(
        self,
        organization_id: str,
        body: CreateWebhookEndpointRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookEndpointCreated:
        """Have events delivered to a URL from now on. The secret that verifies them is shown once."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookEndpointCreated = self._json(call)
        return reply

    def get_webhook_endpoint(
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
        reply: WebhookEndpoint = self._json(call)
        return reply

    def update_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        body: UpdateWebhookEndpointRequest,
        *,
        timeout: float | None = None,
    ) -> WebhookEndpoint:
        """Change a webhook endpoint, or disable and enable it. What is absent stays as it is."""
        call = Call(
            "PATCH",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}",
            json=body,
            timeout=timeout,
        )
        reply: WebhookEndpoint = self._json(call)
        return reply

    def delete_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a webhook endpoint. What has not been delivered is not sent any more."""
        call = Call(
            "DELETE",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def rotate_webhook_secret(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookEndpointCreated:
        """Replace the secret. The old one signs beside the new one for 24 hours."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/rotate-secret",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookEndpointCreated = self._json(call)
        return reply

    def test_webhook_endpoint(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookDelivery:
        """Deliver a `webhook.test` event, signed and retried like any other."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/test",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookDelivery = self._json(call)
        return reply

    def list_webhook_deliveries(
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
        reply: Page[WebhookDelivery] = self._json(call)
        return reply

    def resend_webhook_delivery(
        self,
        organization_id: str,
        webhook_endpoint_id: str,
        webhook_delivery_id: str,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> WebhookDelivery:
        """Send a delivery again, now and with all its attempts. Its `webhook-id` stays."""
        call = Call(
            "POST",
            f"/v1/organizations/{segment(organization_id)}/webhook-endpoints/{segment(webhook_endpoint_id)}/deliveries/{segment(webhook_delivery_id)}/resend",
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: WebhookDelivery = self._json(call)
        return reply

    def list_schedules(
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
        reply: Page[Schedule] = self._json(call)
        return reply

    def create_schedule(
        self,
        body: CreateScheduleRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Schedule:
        """Have a message sent by the clock: to a new session of an agent each time, or to one session."""
        call = Call(
            "POST",
            "/v1/schedules",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: Schedule = self._json(call)
        return reply

    def get_schedule(
        self,
        schedule_id: str,
        *,
        timeout: float | None = None,
    ) -> Schedule:
        """Get a schedule."""
        call = Call(
            "GET",
            f"/v1/schedules/{segment(schedule_id)}",
            timeout=timeout,
        )
        reply: Schedule = self._json(call)
        return reply

    def update_schedule(
        self,
        schedule_id: str,
        body: UpdateScheduleRequest,
        *,
        timeout: float | None = None,
    ) -> Schedule:
        """Change a schedule, or pause and resume it by its `status`. What is absent stays; what was due while it was paused is not made up for."""
        call = Call(
            "PATCH",
            f"/v1/schedules/{segment(schedule_id)}",
            json=body,
            timeout=timeout,
        )
        reply: Schedule = self._json(call)
        return reply

    def delete_schedule(
        self,
        schedule_id: str,
        *,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete a schedule and the record of its firings; what it has sent goes on."""
        call = Call(
            "DELETE",
            f"/v1/schedules/{segment(schedule_id)}",
            timeout=timeout,
        )
        reply: Deleted = self._json(call)
        return reply

    def list_schedule_firings(
        self,
        schedule_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        outcome: Literal["fired", "skipped", "missed", "failed"] | None = None,
        timeout: float | None = None,
    ) -> Page[ScheduleFiring]:
        """List what came of each due time, newest first."""
        call = Call(
            "GET",
            f"/v1/schedules/{segment(schedule_id)}/firings",
            query={"limit": limit, "after": after, "outcome": outcome},
            timeout=timeout,
        )
        reply: Page[ScheduleFiring] = self._json(call)
        return reply

    def create_session_batch(
        self,
        body: CreateSessionBatchRequest,
        *,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> SessionBatchCreated:
        """Start many sessions of an agent, each with a first message: all of them or, when one is refused, none."""
        call = Call(
            "POST",
            "/v1/session-batches",
            json=body,
            idempotency_key=idempotency_key or new_key(),
            timeout=timeout,
        )
        reply: SessionBatchCreated = self._json(call)
        return reply

    def list_session_batches(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        timeout: float | None = None,
    ) -> Page[SessionBatchSummary]:
        """List batches, newest first, without what came of them."""
        call = Call(
            "GET",
            "/v1/session-batches",
            query={"limit": limit, "after": after},
            timeout=timeout,
        )
        reply: Page[SessionBatchSummary] = self._json(call)
        return reply

    def get_session_batch(
        self,
        session_batch_id: str,
        *,
        timeout: float | None = None,
    ) -> SessionBatch:
        """Get a batch and what has come of its messages so far."""
        call = Call(
            "GET",
            f"/v1/session-batches/{segment(session_batch_id)}",
            timeout=timeout,
        )
        reply: SessionBatch = self._json(call)
        return reply

    def list_batch_sessions(
        self,
        session_batch_id: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        message_status: Literal["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"] | None = None,
        timeout: float | None = None,
    ) -> Page[BatchSession]:
        """List the sessions of a batch in the order of the call."""
        call = Call(
            "GET",
            f"/v1/session-batches/{segment(session_batch_id)}/sessions",
            query={"limit": limit, "after": after, "message_status": message_status},
            timeout=timeout,
        )
        reply: Page[BatchSession] = self._json(call)
        return reply

    def cancel_session_batch(
        self,
        session_batch_id: str,
        *,
        timeout: float | None = None,
    ) -> SessionBatch:
        """Cancel the first messages of a batch that have not ended: queued ones at once, running ones when they stop."""
        call = Call(
            "POST",
            f"/v1/session-batches/{segment(session_batch_id)}/cancel",
            timeout=timeout,
        )
        reply: SessionBatch = self._json(call)
        return reply
