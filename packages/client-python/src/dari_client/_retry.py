"""Decides whether a call is retried, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ._call import Call
from ._errors import ApiError, UnreachableError

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
#: Statuses of the platform, or of a proxy in front of it, while the platform restarts or is busy.
PASSING = frozenset({408, 502, 503, 504})


@dataclass(frozen=True)
class RetryRules:
    #: The most retries of a call.
    max_retries: int = 4
    #: If a longer pause is asked for, the error is raised, with its `retry_after`.
    longest_retry_after: float = 60.0

    def pause(self, call: Call, error: Exception, attempt: int) -> float | None:
        """Seconds until the retry, or None for no retry. `attempt` counts from 1."""
        if attempt > self.max_retries or not may_pass(call, error):
            return None
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is not None and asked > self.longest_retry_after:
            return None
        return max(asked or 0.0, backoff(attempt))


def may_pass(call: Call, error: Exception) -> bool:
    """A call that a limit refused had no effect, so it can be retried; otherwise only an idempotent one."""
    if isinstance(error, ApiError):
        if error.status == 429:
            return call.is_replayable
        return error.status in PASSING and call.is_safe_to_repeat
    return isinstance(error, UnreachableError) and call.is_safe_to_repeat


def backoff(attempt: int) -> float:
    """Doubles with each attempt; half of it is random, so that clients do not retry at the same time."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return longest * (0.5 + random.random() / 2)
