# Notes why answers of Chat Completions ended: the SDK leaves it out of what it passes on.

from contextlib import suppress
from contextvars import ContextVar

_reason = ContextVar("dari_openai_chat_reason", default=None)


def last_finish_reason() -> str | None:
    """Returns the finish reason of the last streamed answer that this task has read."""
    return _reason.get()


def watch_answers() -> None:
    # Versions before 0.1 have no such handler.
    with suppress(ImportError, AttributeError):
        from agents.models.chatcmpl_stream_handler import ChatCmplStreamHandler

        handle = ChatCmplStreamHandler.handle_stream
        if getattr(handle, "is_watched", False):
            return

        def handle_stream(response, stream, *args, **options):
            return handle(response, _noted(stream), *args, **options)

        handle_stream.is_watched = True
        ChatCmplStreamHandler.handle_stream = handle_stream


async def _noted(stream):
    _reason.set(None)
    async for chunk in stream:
        with suppress(Exception):
            _reason.set(chunk.choices[0].finish_reason or _reason.get())
        yield chunk
