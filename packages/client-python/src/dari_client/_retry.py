"""When a call is sent again, and after how long. Decides; waits for nothing."""

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
    #: A call is sent at most once more than this.
    max_retries: int = 4
    #: Who asks for a longer pause is not waited for: the error is raised, with its `retry_after`.
    longest_retry_after: float = 60.0

    def pause(self, call: Call, error: Exception, attempt: int) -> float | None:
        """Seconds until the call may be sent again, or None: it may not. `attempt` counts from 1."""
        if attempt > self.max_retries or not may_pass(call, error):
            return None
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is not None and asked > self.longest_retry_after:
            return None
        return max(asked or 0.0, backoff(attempt))


def may_pass(call: Call, error: Exception) -> bool:
    """A refusal by a limit did nothing, so that anything may be sent again; otherwise only what happens once."""
    if isinstance(error, ApiError):
        if error.status == 429:
            return call.is_replayable
        return error.status in PASSING and call.is_safe_to_repeat
    return isinstance(error, UnreachableError) and call.is_safe_to_repeat


def backoff(attempt: int) -> float:
    """Doubles with each attempt; half of it is chance, so that many clients do not come back at once."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return longest * (0.5 + random.random() / 2)
