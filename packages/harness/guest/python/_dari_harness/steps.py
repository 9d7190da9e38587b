# Steps: a later attempt of the message gets the recorded result of a step, and does not run the step again.

import json
import threading
import time
from contextlib import suppress
from contextvars import ContextVar

from .activity import ms_since
from .channel import to_json
from .json_depth import is_deeper
from .request_input import check_key

# The name of the step that started the current code.
_current = ContextVar("dari_step", default=None)


class _Call:
    """One call of a step that has no recorded result."""

    def __init__(self, name: str, ordinal: int) -> None:
        self.name = name
        self.ordinal = ordinal
        self.started = time.monotonic()


class Steps:
    def __init__(self, frame: dict, channel, activity) -> None:
        earlier = frame["context"].get("steps", [])
        self._limits = frame["limits"]
        self._operation_key = frame["context"]["operationKey"]
        self._channel = channel
        self._activity = activity
        self._counting = threading.Lock()
        self._recorded = {(one["name"], one["ordinal"]): one["json"] for one in earlier}
        self._bytes = sum(len(one["json"]) for one in earlier)
        self._calls = {}
        self._running = 0
        # Steps that wait for the host, with what to call when they are stored.
        self._waiting = {}

    def step(self, name: str, function):
        """
        Returns the recorded result of this call. Without one, calls the function, and returns its result once that is
        stored; for an async function, returns an awaitable. Raises what the function does, and then records nothing.
        """
        check_key(name, "step: the name")
        if not callable(function):
            raise TypeError("step: the second argument must be a function")
        outer = _current.get()
        if outer is not None:
            # An attempt that gets the outer result does not make this call, so later calls would have other ordinals.
            raise RuntimeError(f'step: "{name}" is called inside the step "{outer}"; call it before or after that one')
        with self._counting:
            ordinal = self._calls.get(name, 0) + 1
            self._calls[name] = ordinal
            known = self._recorded.get((name, ordinal))
            if known is None:
                if len(self._recorded) + self._running >= self._limits["steps"]:
                    raise ValueError(f"step: a message can have at most {self._limits['steps']} steps")
                self._running += 1
        if known is None:
            return self._run(_Call(name, ordinal), function)
        self._activity.record("step.completed", {"name": name, "ordinal": ordinal, "is_replayed": True})
        stored = json.loads(known)
        return _ready(stored["value"]) if stored.get("isAsync") else stored["value"]

    def _run(self, call: _Call, function):
        outer = _current.set(call.name)
        try:
            result = function(self._key_of(call)) if _takes_key(function) else function()
        except BaseException:
            self._give_up()
            raise
        finally:
            _current.reset(outer)
        if hasattr(result, "__await__"):
            return self._run_async(call, result)
        stored = threading.Event()
        text = self._keep(call, {"value": result}, stored.set)
        stored.wait()
        return self._end(call, text)

    async def _run_async(self, call: _Call, awaitable):
        import asyncio

        _current.set(call.name)
        try:
            result = await awaitable
        except BaseException:
            self._give_up()
            raise
        finally:
            _current.set(None)
        loop, stored = asyncio.get_running_loop(), asyncio.Event()
        text = self._keep(call, {"value": result, "isAsync": True}, lambda: loop.call_soon_threadsafe(stored.set))
        await stored.wait()
        return self._end(call, text)

    def _key_of(self, call: _Call) -> str:
        """Returns the operation key of one call. It is unambiguous, because names have no `#`."""
        suffix = "" if call.ordinal == 1 else f"#{call.ordinal}"
        return f"{self._operation_key}.{call.name}{suffix}"

    def _give_up(self) -> None:
        with self._counting:
            self._running -= 1

    def _keep(self, call: _Call, value: dict, on_stored) -> str:
        """Sends the result. Returns its JSON."""
        try:
            text = self._json_of(call.name, value)
        except Exception:
            self._give_up()
            raise
        most = self._limits["stepBytesPerMessage"]
        key = (call.name, call.ordinal)
        with self._counting:
            self._running -= 1
            if self._bytes + len(text) > most:
                raise ValueError(f"step: the results of a message can have at most {most} bytes")
            self._bytes += len(text)
            self._recorded[key] = text
            self._waiting[key] = on_stored
        self._channel.send_line(to_json({"t": "step", "name": call.name, "ordinal": call.ordinal, "json": text}))
        return text

    def _json_of(self, name: str, value: dict) -> str:
        try:
            text = to_json(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f'step: the result of "{name}" cannot be written as JSON: {error}') from None
        most, levels = self._limits["stepBytes"], self._limits["jsonDepth"]
        if len(text) > most:
            raise ValueError(
                f'step: the result of "{name}" has {len(text)} bytes; the limit is {most}: return less, such as an id'
            )
        if is_deeper(text, levels):
            raise ValueError(f'step: the result of "{name}" is nested deeper than {levels} levels')
        return text

    def _end(self, call: _Call, text: str):
        ended = {"is_replayed": False, "duration_ms": ms_since(call.started)}
        self._activity.record("step.completed", {"name": call.name, "ordinal": call.ordinal, **ended})
        return json.loads(text)["value"]

    def accept(self, frame: dict) -> None:
        """For the frames of the host."""
        with self._counting:
            on_stored = self._waiting.pop((frame["name"], frame["ordinal"]), None)
        if on_stored is not None:
            # Its event loop may have ended.
            with suppress(RuntimeError):
                on_stored()


async def _ready(value):
    return value


def _takes_key(function) -> bool:
    """Returns whether the function has a parameter that must be given."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(one.kind in kinds and one.default is one.empty for one in parameters)
