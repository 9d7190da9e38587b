"""Streams of the ledger: parses events, and decides how a broken stream is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from ._call import Call, segment
from ._errors import ApiError, UnreachableError
from ._retry import PASSING, backoff
from ._streamed_event import StreamedEvent
from .generated.streams import AnyStreamedEvent

#: How many times in a row a stream is resumed without an event in between.
RESUME_ATTEMPTS = 8


class EventLines:
    """Assembles events from the lines of a stream."""

    def __init__(self) -> None:
        self._data: list[str] = []

    def feed(self, line: str) -> AnyStreamedEvent | None:
        if line == "":
            text, self._data = "\n".join(self._data), []
            return event_of(json.loads(text)) if text else None
        if line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        return None


def event_of(read: Mapping[str, Any]) -> AnyStreamedEvent:
    event = StreamedEvent[str, dict[str, Any]](
        type=read["type"],
        session_id=read["session_id"],
        message_id=read.get("message_id"),
        attempt_id=read.get("attempt_id"),
        sequence_number=read.get("sequence_number"),
        data=read.get("data", {}),
    )
    return cast(AnyStreamedEvent, event)


class Following:
    """The position in a stream, across all of its connections."""

    def __init__(self, call: Call, operation: str) -> None:
        self._call = call
        self._operation = operation
        self._position: int | None = None
        self._message_id: str | None = None
        self._was_open = False
        self._failures = 0

    def next_call(self) -> Call:
        """The call that continues after the last event."""
        call = self._call
        if self._operation == "sendMessageStream" and self._message_id is not None:
            # The message was sent, so only its stream is needed.
            call = Call("GET", f"/v1/messages/{segment(self._message_id)}/stream", timeout=call.timeout)
        if self._position is None:
            return call
        headers = {**call.headers, "Last-Event-ID": str(self._position)}
        return replace(call, headers=headers, query={**call.query, "after_seq": None})

    def opened(self) -> None:
        self._was_open = True

    def accepts(self, event: AnyStreamedEvent) -> bool:
        """False for events that were seen before the stream broke."""
        self._failures = 0
        if event.message_id is not None:
            self._message_id = self._message_id or event.message_id
        if event.sequence_number is None:
            return True
        if self._position is not None and event.sequence_number <= self._position:
            return False
        self._position = event.sequence_number
        return True

    def is_last(self, event: AnyStreamedEvent) -> bool:
        return self._operation != "streamSession" and not event.is_preview and event.ends_message

    def pause(self, error: Exception | None) -> float | None:
        """Seconds until the next connection, or None if the session or message is deleted. Raises permanent errors."""
        if isinstance(error, ApiError):
            if self._was_open and error.status == 404:
                return None
            if error.status != 429 and error.status not in PASSING:
                raise error
        self._failures += 1
        if self._failures > RESUME_ATTEMPTS:
            raise error or UnreachableError("the stream ends again and again")
        asked = error.retry_after if isinstance(error, ApiError) else None
        return max(asked or 0.0, backoff(self._failures))
