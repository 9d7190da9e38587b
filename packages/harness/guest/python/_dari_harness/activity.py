# What the agent does, as events of the session: model requests, tool calls, handoffs. An event that cannot be recorded
# never fails the agent.

import json
import os
import threading
import time

from .channel import to_json
from .errors import error_frame
from .json_depth import is_deeper
from .values import Values

_NAME_CHARS = 200
ERROR_CHARS = 8_000
_PREVIEW_CHARS = 64 * 1024
# The frame, its data, and the value in it.
_LEVELS_AROUND = 2


class Activity:
    def __init__(self, limits: dict, channel) -> None:
        self._limits = limits
        self._channel = channel
        self._counting = threading.Lock()
        self._recorded = 0
        self._omitted = 0
        self._previewed_bytes = 0
        self._requests = 0
        self._values = Values(limits, channel, lambda: self._recorded < limits["activityEvents"])

    def next_request(self) -> int:
        """Returns the number of a request to a model, from 1."""
        with self._counting:
            self._requests += 1
            return self._requests

    def preview(self, type: str, data: dict) -> None:
        """
        Shows a piece of text without storing it: `reasoning.delta` with {ordinal, text}, or `tool.arguments_delta` with
        {call_id, name, text}. Pieces over the limit are not sent. Blocks while the host accepts no more.
        """
        for at in range(0, len(data["text"]), _PREVIEW_CHARS):
            piece = to_json({**data, "text": data["text"][at:at + _PREVIEW_CHARS]})
            with self._counting:
                self._previewed_bytes += len(piece)
                fits = self._previewed_bytes <= self._limits["activityPreviewBytes"]
            if fits:
                self._channel.send_line(f'{{"t":"preview","type":"{type}","data":{piece}}}')

    def record(self, type: str, data: dict) -> None:
        """Blocks while the host accepts no more. Fields that are None are left out, except a result."""
        with self._counting:
            if self._recorded < self._limits["activityEvents"]:
                self._recorded += 1
                given = {name: one for name, one in data.items() if one is not None or name in ("result", "arguments")}
                frame = {"t": "activity", "type": type, "data": given}
            else:
                self._omitted += 1
                is_power_of_two = self._omitted & (self._omitted - 1) == 0
                frame = {"t": "omitted", "count": self._omitted} if is_power_of_two else None
        if frame is not None:
            self._channel.send_line(to_json(frame))

    def send_omitted(self, channel) -> None:
        """Sends how many events over the limit there were, if there were any."""
        if self._omitted:
            channel.send({"t": "omitted", "count": self._omitted})

    def fit(self, field: str, value) -> dict:
        """
        Returns {field: value}. A value over the limit becomes the beginning of its text. Beside it are its size, and
        the id of the whole if that is sent. A binary part becomes a description with the id of the part.
        """
        as_json = None if isinstance(value, str) else _json_of(value)
        if field != "text":
            given = value if isinstance(value, str) else as_json or ""
            as_json = self._values.without_binary(given) or as_json
        text = as_json
        if text is None:
            text = value if isinstance(value, str) else _text_of(value)
        data = text.encode("utf-8", "surrogatepass")
        most = self._limits["activityValueBytes"]
        if len(data) > most:
            value_id = self._values.keep_text(data, as_json is not None)
            cut = {field: data[:most].decode("utf-8", "ignore"), f"{field}_bytes": len(data)}
            return cut if value_id is None else {**cut, f"{field}_value_id": value_id}
        is_showable = as_json is not None and not is_deeper(as_json, self._limits["jsonDepth"] - _LEVELS_AROUND)
        return {field: json.loads(as_json) if is_showable else text}

    def tool(self, name: str, arguments, function):
        """
        Records a call of `function(**arguments)` and its result. Returns or raises what the call does; for an async
        function, returns an awaitable.
        """
        if not isinstance(name, str) or not 1 <= len(name) <= _NAME_CHARS:
            raise TypeError(f"tool: the name must be a string of 1 to {_NAME_CHARS} characters")
        if arguments is not None and not isinstance(arguments, dict):
            raise TypeError("tool: the arguments must be a dict of keyword arguments")
        given = arguments or {}
        call = {"call_id": f"call_{os.urandom(8).hex()}", "name": name_of(name)}
        started = time.monotonic()
        self.record("tool.call_requested", {**call, "kind": "function", **self.fit("arguments", given)})
        try:
            result = function(**given)
        except Exception as error:
            self._complete(call, started, _text_of_error(error), is_error=True)
            raise
        if hasattr(result, "__await__"):
            return _recorded_call(result, lambda *given: self._complete(call, started, *given))
        self._complete(call, started, result)
        return result

    def _complete(self, call: dict, started: float, result, is_error: bool = False) -> None:
        ended = {"is_error": is_error, "duration_ms": ms_since(started)}
        self.record("tool.call_completed", {**call, **self.fit("result", result), **ended})


def _recorded_call(awaitable, complete):
    """
    Returns a coroutine that calls complete(result, is_error) when the awaitable ends. A coroutine of Python's own would
    not notice that it is cancelled before its first step.
    """
    from collections.abc import Coroutine

    class RecordedCall(Coroutine):
        def __init__(self) -> None:
            self._is_over = False
            self._inner = awaitable if isinstance(awaitable, Coroutine) else _coroutine_of(awaitable)

        def send(self, value):
            return self._step(self._inner.send, value)

        def throw(self, *error):
            return self._step(self._inner.throw, *error)

        def close(self) -> None:
            self._inner.close()
            self._end("the call was not awaited to its end", True)

        def __await__(self):
            return self

        def __iter__(self):
            return self

        def __next__(self):
            return self.send(None)

        def _step(self, step, *given):
            try:
                return step(*given)
            except StopIteration as stop:
                self._end(stop.value, False)
                raise
            # Also a cancellation, which is no Exception.
            except BaseException as error:
                self._end(_text_of_error(error), True)
                raise

        def _end(self, result, is_error: bool) -> None:
            if not self._is_over:
                self._is_over = True
                complete(result, is_error)

    return RecordedCall()


async def _coroutine_of(awaitable):
    return await awaitable


def ms_since(started: float) -> int:
    return max(0, round((time.monotonic() - started) * 1000))


def name_of(value) -> str | None:
    """Returns a name for an event; None if there is none."""
    return cut_text(value, _NAME_CHARS) if isinstance(value, str) and value else None


def error_of(error: BaseException) -> str:
    return cut_text(_text_of_error(error), ERROR_CHARS)


def stack_of(error: BaseException) -> str:
    """Returns an error's stack, or its message."""
    frame = error_frame(error)
    return frame["stack"] or frame["message"]


def _text_of_error(error: BaseException) -> str:
    return _text_of(error, lambda: f"{type(error).__name__}: {error}")


def cut_text(text: str, units: int) -> str:
    """
    Returns a text of at most `units` UTF-16 units. A pair of surrogates that the cut breaks becomes one U+FFFD, so that
    the worker accepts the text and sees by its length that it was cut.
    """
    data = text[:units].encode("utf-16-le", "surrogatepass")
    return data[: 2 * units].decode("utf-16-le", "replace")


def _text_of(value, show=None) -> str:
    try:
        return show() if show else repr(value)
    except Exception:
        return "a value that cannot be shown"


def _json_of(value) -> str | None:
    """Returns None for a value without JSON, such as a set, a cycle or NaN."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
