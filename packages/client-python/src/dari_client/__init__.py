"""A client of the Dari platform: `Client` blocks, `AsyncClient` does not; both have a method for every operation."""

from . import models
from ._client import AsyncClient, Client, each_row, each_row_async
from ._errors import ApiError, UnreachableError
from ._retry import RetryRules
from ._streamed_event import StreamedEvent
from .generated.streams import AnyStreamedEvent

__all__ = [
    "AnyStreamedEvent",
    "ApiError",
    "AsyncClient",
    "Client",
    "RetryRules",
    "StreamedEvent",
    "UnreachableError",
    "each_row",
    "each_row_async",
    "models",
]
