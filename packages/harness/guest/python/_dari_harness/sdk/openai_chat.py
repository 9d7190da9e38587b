# Notes why answers of Chat Completions ended: the SDK leaves it out of what it passes on.

from contextlib import suppress
from contextvars import ContextVar

_answer = ContextVar("dari_openai_chat_answer", default=None)


def last_answer() -> dict | None:
    """Returns the last streamed answer that this task has read, with its `finish_reason`."""
    return _answer.get()


def finish_reason_after(earlier: dict | None) -> str | None:
    """Returns the finish reason of the last answer; None if that is the `earlier` one, so another API has answered."""
    answer = _answer.get()
    return None if answer is earlier else answer["finish_reason"]


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
    answer = {"finish_reason": None}
    _answer.set(answer)
    async for chunk in stream:
        with suppress(Exception):
            answer["finish_reason"] = chunk.choices[0].finish_reason or answer["finish_reason"]
        yield chunk
