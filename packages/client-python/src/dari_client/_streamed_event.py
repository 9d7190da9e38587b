"""An event of a stream. `generated/streams.py` has the union of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Type = TypeVar("Type", bound=str)
Data = TypeVar("Data", bound=Mapping[str, object])

LAST_TYPES = frozenset({"message.completed", "message.failed", "message.cancelled"})


@dataclass(frozen=True)
class StreamedEvent(Generic[Type, Data]):
    """An event of the ledger, or a preview: streamed text, which has no number and can be lost."""

    type: Type
    session_id: str
    message_id: str | None
    attempt_id: str | None
    #: Within the session, without gaps; None for previews.
    sequence_number: int | None
    data: Data

    @property
    def is_preview(self) -> bool:
        return self.sequence_number is None

    @property
    def ends_message(self) -> bool:
        """
        Whether it is the last of its message, and its message did not become part of another one; `data` is then the
        message's record.
        """
        if self.type not in LAST_TYPES:
            return False
        return self.data.get("merged_into") is None and self.data.get("delivered_in") is None
