"""The two clients: every operation by name, and helpers that make several calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, BinaryIO, TypeVar, cast

from ._sync.operations import Operations
from .generated.async_operations import AsyncOperations
from .generated.models import Message, Page, SendMessageRequest
from .generated.streams import AnyStreamedEvent

Row = TypeVar("Row")

#: A file to send along: its name and its content.
NamedFile = tuple[str, bytes | BinaryIO]


class Client(Operations):
    """A blocking client of one platform."""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, session_id: str, text: str, *, files: Sequence[NamedFile] = (), **more: Any) -> Message:
        """Sends a text, with files, and returns the message once its turn has ended, well or not.

        `more` are other fields of the message: `metadata`, `on_busy`, `lane`, `limits`.
        """
        body = self._compose(text, files, more)
        return self.wait_for_message(self.send_message_async(session_id, body)["id"])

    def stream(
        self, session_id: str, text: str, *, files: Sequence[NamedFile] = (), **more: Any
    ) -> Iterator[AnyStreamedEvent]:
        """Sends a text, with files, and yields the events of its turn, to the message's last one.

        `more` are other fields of the message: `metadata`, `on_busy`, `lane`, `limits`.
        """
        yield from self.send_message_stream(session_id, self._compose(text, files, more))

    def _compose(self, text: str, files: Sequence[NamedFile], more: dict[str, Any]) -> SendMessageRequest:
        ids = [self.upload_file(content, name)["id"] for name, content in files]
        return message_body(text, ids, more)

    def wait_for_message(self, message_id: str) -> Message:
        """Waits until the message has ended and returns it; for a merged one, the message that it was merged into."""
        for event in self.stream_message(message_id):
            record = ended_record(event)
            if record is not None:
                return record
        return self.get_message(message_id)


class AsyncClient(AsyncOperations):
    """A client of one platform for asyncio."""

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, session_id: str, text: str, *, files: Sequence[NamedFile] = (), **more: Any) -> Message:
        """Like `Client.send`."""
        sent = await self.send_message_async(session_id, await self._compose(text, files, more))
        return await self.wait_for_message(sent["id"])

    async def stream(
        self, session_id: str, text: str, *, files: Sequence[NamedFile] = (), **more: Any
    ) -> AsyncIterator[AnyStreamedEvent]:
        """Like `Client.stream`."""
        async for event in self.send_message_stream(session_id, await self._compose(text, files, more)):
            yield event

    async def _compose(self, text: str, files: Sequence[NamedFile], more: dict[str, Any]) -> SendMessageRequest:
        uploads = (self.upload_file(content, name) for name, content in files)
        ids = [file["id"] for file in await asyncio.gather(*uploads)]
        return message_body(text, ids, more)

    async def wait_for_message(self, message_id: str) -> Message:
        """Like `Client.wait_for_message`."""
        async for event in self.stream_message(message_id):
            record = ended_record(event)
            if record is not None:
                return record
        return await self.get_message(message_id)


def each_row(load: Callable[..., Page[Row]], *args: Any, **filters: Any) -> Iterator[Row]:
    """Every row of a list, page after page: `for agent in each_row(client.list_agents)`."""
    after: str | None = None
    while True:
        page = load(*args, **filters, after=after)
        yield from page["data"]
        after = page["next"]
        if after is None:
            return


async def each_row_async(load: Callable[..., Awaitable[Page[Row]]], *args: Any, **filters: Any) -> AsyncIterator[Row]:
    """Like `each_row`, for a list of an `AsyncClient`."""
    after: str | None = None
    while True:
        page = await load(*args, **filters, after=after)
        for row in page["data"]:
            yield row
        after = page["next"]
        if after is None:
            return


def message_body(text: str, file_ids: Sequence[str], more: dict[str, Any]) -> SendMessageRequest:
    parts = [{"type": "text", "text": text}, *({"type": "file", "file_id": file_id} for file_id in file_ids)]
    return cast(SendMessageRequest, {"parts": parts, **more})


def ended_record(event: AnyStreamedEvent) -> Message | None:
    if event.type == "message.completed" or event.type == "message.failed" or event.type == "message.cancelled":
        return event.data if event.data.get("merged_into") is None else None
    return None
