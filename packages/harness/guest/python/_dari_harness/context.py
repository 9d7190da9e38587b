# The second argument of an agent's function.

import threading
from contextlib import suppress

from .activity import Activity
from .channel import to_json
from .inbox import Inbox
from .json_depth import is_deeper
from .request_input import ask_frame, check_key
from .steps import Steps
from .usage import UsageReport

_EVENT_NAME_CHARS = 200


class Context:
    """What an agent knows about its turn. `cancelled` is a threading.Event: is_set() and wait(timeout)."""

    def __init__(self, frame: dict, channel) -> None:
        given = frame["context"]
        self.session_id = given["sessionId"]
        self.message_id = given["messageId"]
        self.attempt = given["attempt"]
        self.parts = given["parts"]
        self.metadata = given["metadata"]
        self.history = given["history"]
        self.operation_key = given["operationKey"]
        self.traceparent = given["traceparent"]
        self.workspace = frame["workspace"]
        self.cancelled = threading.Event()
        self.inbox = Inbox(channel)
        self._earlier = given.get("earlierMessages", [])
        self._limits = frame["limits"]
        self._channel = channel
        self._events = 0
        self._counting = threading.Lock()
        self._on_cancel = []
        self._answers = given["answers"]
        self._usage = UsageReport(channel)
        self._activity = Activity(self._limits, channel)
        self._steps = Steps(frame, channel, self._activity)
        # Returns what the turn's runner has counted so far, if known.
        self._used_by_runner = dict

    def _cancel(self) -> None:
        self.cancelled.set()
        self.inbox._end()
        for callback in self._on_cancel:
            # Its event loop may have ended.
            with suppress(RuntimeError):
                callback()

    def _when_cancelled(self, callback) -> None:
        """Calls back once, on the thread that reads the channel; immediately if already cancelled."""
        self._on_cancel.append(callback)
        if self.cancelled.is_set():
            callback()

    def emit(self, type: str, data=None) -> None:
        """Records an event. Raises TypeError for data that is not JSON, ValueError above a limit."""
        if not isinstance(type, str) or not 1 <= len(type) <= _EVENT_NAME_CHARS:
            raise TypeError(f"emit: the type must be a string of 1 to {_EVENT_NAME_CHARS} characters")
        line = to_json({"t": "event", "name": type, "data": data})
        if len(line) > self._limits["eventBytes"]:
            raise ValueError(f"emit: an event can have at most {self._limits['eventBytes']} bytes")
        if is_deeper(line, self._limits["jsonDepth"]):
            raise ValueError(f"emit: the data can be nested at most {self._limits['jsonDepth'] - 1} levels deep")
        with self._counting:
            if self._events >= self._limits["events"]:
                raise ValueError(f"emit: an attempt can emit at most {self._limits['events']} events")
            self._events += 1
        self._channel.send_line(line)

    def tool(self, name: str, arguments: dict | None, function):
        """
        Calls function(**arguments), and records the call and its result. For an async function, returns an awaitable.
        """
        return self._activity.tool(name, arguments, function)

    def step(self, name: str, function):
        """
        Returns the recorded result of this call if an earlier attempt has made it. Otherwise calls the function, and
        returns its result once that is stored. For an async function, returns an awaitable.
        """
        return self._steps.step(name, function)

    def report_usage(self, usage: dict) -> None:
        """Adds to the turn's usage at its models. Raises TypeError for what cannot be counted."""
        self._usage.add(usage)

    def _replay_inbox(self) -> None:
        self.inbox._replay(self._earlier)

    def _used_by_now(self) -> dict | None:
        return self._usage.with_used(self._used_by_runner())

    def request_input(self, key: str, schema: dict, prompt: str = None, expires_in_seconds: int = None):
        """
        Returns the stored answer. Without one the turn waits and this process ends: the call never returns, and the
        entrypoint is called again once there is an answer. Raises TypeError or ValueError for an invalid input.
        """
        check_key(key)
        if key in self._answers:
            return self._answers[key]
        ending = {"usage": self._used_by_now(), "delivered": self.inbox._delivered()}
        asked = ask_frame(self._limits, key, schema, prompt, expires_in_seconds, ending)
        self._activity.send_omitted(self._channel)
        self._channel.send_line(asked)
        threading.Event().wait()
