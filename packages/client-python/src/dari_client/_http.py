"""What both transports share: headers, time limits, and the translation of httpx's errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ._call import Call, query_pairs
from ._errors import UnreachableError

#: The platform sends a comment every 15 seconds, so a silent stream is broken.
STREAM_SILENCE_SECONDS = 45.0
USER_AGENT = "dari-client-python/1.0.0"


def request_arguments(call: Call, api_key: str | None, timeout: float, *, streams: bool) -> dict[str, Any]:
    """The arguments of a call for httpx, without its body."""
    headers = {name: value for name, value in call.headers.items() if value is not None}
    if api_key is not None and not call.keyless:
        headers["Authorization"] = f"Bearer {api_key}"
    if call.idempotency_key is not None:
        headers["Idempotency-Key"] = call.idempotency_key
    if call.content is not None and call.filename is None:
        headers["Content-Type"] = call.content_type
    limit = timeout if call.timeout is None else call.timeout
    # An upload is answered after all of it is stored.
    takes_its_time = call.timeout is None and (call.waits or call.content is not None)
    read = STREAM_SILENCE_SECONDS if streams else (None if takes_its_time else limit)
    return {
        "method": call.method,
        "url": call.path,
        "params": query_pairs(call.query),
        "headers": headers,
        "timeout": httpx.Timeout(limit, read=read, write=None),
        **({} if call.json is None else {"json": call.json}),
    }


def decoded(text: bytes) -> Any:
    """A reply's JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UnreachableError("the reply is not JSON: something between here and the platform made it") from error


def client_arguments(api_url: str) -> dict[str, Any]:
    """The platform never redirects, and the key must not be sent to another server."""
    return {"base_url": api_url.rstrip("/"), "follow_redirects": False, "headers": {"User-Agent": USER_AGENT}}


@contextmanager
def translated() -> Iterator[None]:
    """Translates errors of httpx."""
    try:
        yield
    except (httpx.TransportError, httpx.StreamError) as error:
        raise UnreachableError(f"the platform is not reached: {error or type(error).__name__}") from error
