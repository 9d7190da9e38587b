"""One call as data: its address and content, and whether it can be retried."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Union
from urllib.parse import quote

PIECE_BYTES = 64 * 1024

#: The content of an upload. Files are read piece by piece; `AsyncClient` also takes asynchronous iterators.
Content = Union[bytes, BinaryIO, Iterable[bytes], AsyncIterable[bytes]]
Query = Mapping[str, Union[str, int, float, bool, list[str], None]]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    json: Any = None
    content: Content | None = None
    #: If set, the content is sent as a form with one file of this name.
    filename: str | None = None
    content_type: str = "application/octet-stream"
    idempotency_key: str | None = None
    timeout: float | None = None
    #: Answers when a turn has ended; there is no time limit.
    waits: bool = False
    #: The address itself authorizes: the key is not sent.
    keyless: bool = False

    @property
    def is_safe_to_repeat(self) -> bool:
        """Whether the call can be retried if it may have arrived."""
        return self.is_replayable and (self.method == "GET" or self.idempotency_key is not None)

    @property
    def is_replayable(self) -> bool:
        """Whether its body can be sent again."""
        return self.content is None or isinstance(self.content, bytes) or _is_seekable(self.content)

    def rewind(self) -> None:
        """Prepares the body for a retry."""
        if not isinstance(self.content, bytes) and _is_seekable(self.content):
            self.content.seek(0)  # type: ignore[union-attr]


def new_key() -> str:
    """An `Idempotency-Key`: a creation that is sent twice with the same key happens once."""
    return str(uuid.uuid4())


def segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")


def by_metadata(metadata: Mapping[str, str | int | float | bool] | None) -> dict[str, str]:
    """Filters of a list of sessions."""
    return {f"metadata.{key}": _text(value) for key, value in (metadata or {}).items()}


def query_pairs(query: Query) -> list[tuple[str, str]]:
    """The query as it is sent: absent values are left out, lists are repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                pairs.append((name, _text(one)))
    return pairs


def pieces(content: Content) -> bytes | Iterator[bytes]:
    """A body for a blocking client."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, AsyncIterable):
        raise TypeError("only AsyncClient takes an asynchronous iterator")
    return _pieces(content)


async def pieces_async(content: Content) -> AsyncIterator[bytes]:
    """A body for an asynchronous client."""
    if isinstance(content, AsyncIterable):
        async for piece in content:
            yield piece
    else:
        for piece in [content] if isinstance(content, bytes) else _pieces(content):
            yield piece


def _pieces(content: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(content, "read", None)
    if read is None:
        yield from content
        return
    while piece := read(PIECE_BYTES):
        yield piece


def _is_seekable(content: object) -> bool:
    seekable = getattr(content, "seekable", None)
    return bool(seekable is not None and seekable())


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
