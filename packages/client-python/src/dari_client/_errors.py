"""The two ways in which a call can fail: the platform refused it, or could not be reached."""

from __future__ import annotations

import json
from typing import Any

import httpx


class ApiError(Exception):
    """The platform refused a call. Programs use `code`; `detail` is for people."""

    def __init__(self, response: httpx.Response) -> None:
        body = _body_of(response)
        self.status = response.status_code
        #: `unknown` if the reply did not come from the platform, for example from a proxy in between.
        self.code = str(body.get("code", "unknown"))
        self.detail = str(body.get("detail", f"the platform answered {self.status}"))
        #: All problems of a body, a query or a manifest, each `{"path", "message"}`.
        self.errors: list[dict[str, str]] = body.get("errors", [])
        self.request_id: str | None = body.get("request_id") or response.headers.get("x-request-id")
        #: Seconds after which the call can be retried.
        self.retry_after = _seconds(response.headers.get("retry-after"))
        problems = [f"{issue['path']}: {issue['message']}" for issue in self.errors]
        # A single problem is already in the detail.
        listed = "" if problems == [self.detail] else "".join(f"\n- {problem}" for problem in problems)
        super().__init__(f"{self.detail} ({self.status} {self.code}){listed}")


class UnreachableError(Exception):
    """The platform was not reached, or did not answer in time. The call may or may not have had an effect."""


def _body_of(response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = {"detail": response.text.strip()[:500]}
    return body if isinstance(body, dict) and body.get("detail") else {}


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None
