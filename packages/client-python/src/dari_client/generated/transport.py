"""Sends calls over httpx and waits for each of them. Generated from `_async_transport.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from .._call import Call, pieces
from .._errors import ApiError
from .._events import EventLines, Following
from .._http import client_arguments, decoded, request_arguments, translated
from .._retry import RetryRules
from .streams import AnyStreamedEvent


class Body:
    """The bytes of a reply. Read it once: all of it, piece by piece, or into a file."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.content_type: str = response.headers.get("content-type", "application/octet-stream")
        self.etag: str | None = response.headers.get("etag")

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        with translated():
            for piece in self._response.iter_bytes():
                yield piece

    def read(self) -> bytes:
        with self:
            with translated():
                return self._response.read()

    def save(self, path: str | Path) -> None:
        with self:
            with open(path, "wb") as file:
                for piece in self:
                    file.write(piece)

    def close(self) -> None:
        self._response.close()


class SyncTransport:
    """The connection to one platform. A context manager; `close` ends its connections."""

    def __init__(
        self,
        api_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: RetryRules | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries or RetryRules()
        self._http = httpx.Client(transport=transport, **client_arguments(api_url))

    def close(self) -> None:
        self._http.close()

    def _send(self, call: Call, *, streams: bool = False) -> httpx.Response:
        """Sends one request and returns the reply with its body unread. Raises `ApiError`, `UnreachableError`."""
        arguments = request_arguments(call, self._api_key, self._timeout, streams=streams)
        if call.filename is not None:
            arguments["files"] = {"file": (call.filename, call.content, call.content_type)}
        elif call.content is not None:
            arguments["content"] = pieces(call.content)
        with translated():
            response = self._http.send(self._http.build_request(**arguments), stream=True)
            if response.is_success:
                return response
            try:
                response.read()
            finally:
                response.close()
        raise ApiError(response)

    def _open(self, call: Call) -> httpx.Response:
        attempt = 1
        while True:
            try:
                return self._send(call)
            except Exception as error:
                pause = self._retries.pause(call, error, attempt)
                if pause is None:
                    raise
            time.sleep(pause)
            call.rewind()
            attempt += 1

    def _read(self, call: Call) -> bytes:
        """The complete reply. If it breaks off, the platform counts as unreachable."""
        attempt = 1
        while True:
            response = self._open(call)
            try:
                with translated():
                    return response.read()
            except Exception as error:
                pause = self._retries.pause(call, error, attempt)
                if pause is None:
                    raise
            finally:
                response.close()
            time.sleep(pause)
            call.rewind()
            attempt += 1

    def _json(self, call: Call) -> Any:
        return decoded(self._read(call))

    def _text(self, call: Call) -> str:
        return (self._read(call)).decode("utf-8", "replace")

    def _content(self, call: Call) -> Body:
        return Body(self._open(call))

    def _events(self, call: Call, operation: str) -> Iterator[AnyStreamedEvent]:
        following = Following(call, operation)
        while True:
            failure: Exception | None = None
            try:
                response = self._send(following.next_call(), streams=True)
                try:
                    if response.status_code == 204:
                        return
                    following.opened()
                    for event in _events_of(response):
                        if not following.accepts(event):
                            continue
                        yield event
                        if following.is_last(event):
                            return
                finally:
                    response.close()
            except GeneratorExit:
                raise
            except Exception as error:
                failure = error
            pause = following.pause(failure)
            if pause is None:
                return
            time.sleep(pause)


def _events_of(response: httpx.Response) -> Iterator[AnyStreamedEvent]:
    lines = EventLines()
    with translated():
        for line in response.iter_lines():
            event = lines.feed(line)
            if event is not None:
                yield event
