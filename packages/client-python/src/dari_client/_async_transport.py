"""Sends calls over httpx. The blocking transport is generated from the asynchronous one, as pyproject.toml says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from ._call import Call, pieces_async
from ._errors import ApiError
from ._events import EventLines, Following
from ._http import client_arguments, decoded, request_arguments, translated
from ._retry import RetryRules
from .generated.streams import AnyStreamedEvent


class AsyncBody:
    """The bytes of a reply. Read it once: all of it, piece by piece, or into a file."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.content_type: str = response.headers.get("content-type", "application/octet-stream")
        self.etag: str | None = response.headers.get("etag")

    async def __aenter__(self) -> AsyncBody:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with translated():
            async for piece in self._response.aiter_bytes():
                yield piece

    async def read(self) -> bytes:
        async with self:
            with translated():
                return await self._response.aread()

    async def save(self, path: str | Path) -> None:
        async with self:
            with open(path, "wb") as file:
                async for piece in self:
                    file.write(piece)

    async def close(self) -> None:
        await self._response.aclose()


class AsyncTransport:
    """The connection to one platform. A context manager; `close` ends its connections."""

    def __init__(
        self,
        api_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: RetryRules | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries or RetryRules()
        self._http = httpx.AsyncClient(transport=transport, **client_arguments(api_url))

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(self, call: Call, *, streams: bool = False) -> httpx.Response:
        """Sends one request and returns the reply with its body unread. Raises `ApiError`, `UnreachableError`."""
        arguments = request_arguments(call, self._api_key, self._timeout, streams=streams)
        if call.filename is not None:
            arguments["files"] = {"file": (call.filename, call.content, call.content_type)}
        elif call.content is not None:
            arguments["content"] = pieces_async(call.content)
        with translated():
            response = await self._http.send(self._http.build_request(**arguments), stream=True)
            if response.is_success:
                return response
            try:
                await response.aread()
            finally:
                await response.aclose()
        raise ApiError(response)

    async def _open(self, call: Call) -> httpx.Response:
        attempt = 1
        while True:
            try:
                return await self._send(call)
            except Exception as error:
                pause = self._retries.pause(call, error, attempt)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
            call.rewind()
            attempt += 1

    async def _read(self, call: Call) -> bytes:
        """The complete reply. If it breaks off, the platform counts as unreachable."""
        attempt = 1
        while True:
            response = await self._open(call)
            try:
                with translated():
                    return await response.aread()
            except Exception as error:
                pause = self._retries.pause(call, error, attempt)
                if pause is None:
                    raise
            finally:
                await response.aclose()
            await asyncio.sleep(pause)
            call.rewind()
            attempt += 1

    async def _json(self, call: Call) -> Any:
        return decoded(await self._read(call))

    async def _text(self, call: Call) -> str:
        return (await self._read(call)).decode("utf-8", "replace")

    async def _content(self, call: Call) -> AsyncBody:
        return AsyncBody(await self._open(call))

    async def _events(self, call: Call, operation: str) -> AsyncIterator[AnyStreamedEvent]:
        following = Following(call, operation)
        while True:
            failure: Exception | None = None
            try:
                response = await self._send(following.next_call(), streams=True)
                try:
                    if response.status_code == 204:
                        return
                    following.opened()
                    async for event in _events_of(response):
                        if not following.accepts(event):
                            continue
                        yield event
                        if following.is_last(event):
                            return
                finally:
                    await response.aclose()
            except GeneratorExit:
                raise
            except Exception as error:
                failure = error
            pause = following.pause(failure)
            if pause is None:
                return
            await asyncio.sleep(pause)


async def _events_of(response: httpx.Response) -> AsyncIterator[AnyStreamedEvent]:
    lines = EventLines()
    with translated():
        async for line in response.aiter_lines():
            event = lines.feed(line)
            if event is not None:
                yield event
