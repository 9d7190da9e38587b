# What a turn has used at its models: counted by its runner, and reported by the agent's own code.

import re
import threading

from .channel import to_json
from .errors import TurnError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAMES_MAX = 32
_COUNT_MAX = 2**53 - 1


class UsageReport:
    """Collects reports and sends each to the host at once, so that they survive if the process is killed."""

    def __init__(self, channel) -> None:
        self._channel = channel
        self._reported = None
        self._adding = threading.Lock()

    def add(self, usage) -> None:
        """Adds to the turn's usage. Raises TypeError for what cannot be counted."""
        problem = _problem(usage)
        if problem is not None:
            raise TypeError(f"report_usage: {problem}")
        with self._adding:
            self._reported = add_usage(self._reported, usage)
            self._channel.send_line(to_json({"t": "usage", "usage": self._reported}))

    def with_used(self, used: dict | None) -> dict | None:
        """Includes what the runner has counted."""
        return add_usage(self._reported, used)


def add_usage(one: dict | None, other: dict | None) -> dict | None:
    """Sums by name. Returns None if both are empty."""
    if not one or not other:
        return one or other or None
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def usage_of_result(value: dict) -> dict:
    """Returns the `usage` of a function's {"parts", "usage"}. Raises invalid_output for what cannot be counted."""
    usage = value.get("usage")
    if usage is None:
        return {}
    problem = _problem(usage)
    if problem is not None:
        raise TurnError("invalid_output", f"the agent's result is not valid: usage: {problem}")
    return {"usage": usage}


def _problem(usage) -> str | None:
    if not isinstance(usage, dict):
        return 'expected a dict of numbers, such as {"input_tokens": 10, "output_tokens": 5}'
    if len(usage) > _NAMES_MAX:
        return f"expected at most {_NAMES_MAX} names, found {len(usage)}"
    for name, count in usage.items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None or not _is_count(count):
            return f"{name}: expected a snake_case name of at most 64 characters and a number that is not negative"
    return None


def _is_count(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _COUNT_MAX
