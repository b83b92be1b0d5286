"""One request: sent, retried where that is safe, decoded; and the two kinds of streams."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import httpx2

from .. import _retry, _settings, _wire
from .._local import Source
from ..errors import MiosaError, NotFoundError

_UNSET: Any = object()
# The server says something at least every 20 s (blanks before an answer, comments in a stream); after this silence it is gone.
SILENCE_SECONDS = 60.0

# A piece of a command's output; the server sends what it has in one message, at most what it keeps of a stream (4 MiB).
MESSAGE_BYTES = 8 * 1024 * 1024


class AsyncTransport:
    """Knows the server, the key and the patience of a client."""

    def __init__(
        self, api_key: str | None, base_url: str | None, timeout: float | None, max_retries: int, http_client: httpx2.AsyncClient | None
    ) -> None:
        self.base_url = _settings.base_url(base_url)
        self.timeout = timeout
        self.max_retries = max_retries
        self._api_key = _settings.api_key(api_key)
        self._owned = http_client is None
        self.http = http_client or httpx2.AsyncClient()

    async def aclose(self) -> None:
        """Close the connections, unless the HTTP client is the caller's."""
        if self._owned:
            await self.http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = _UNSET,  # noqa: ASYNC109 (the HTTP library keeps it, for each step of the exchange)
        repeatable: bool = True,
        after_failure: bool = True,
    ) -> Any:
        """The decoded JSON of an answer; raises MiosaError. What is not `repeatable` is sent again only if nothing can have happened.

        Without `after_failure` that holds for what the server failed at, too; lost answers it remembers.
        """
        request = self._build(method, path, params=params, json=json, timeout=timeout)
        attempt = 0
        while True:
            attempt += 1
            try:
                with _wire.own_errors(self.base_url):
                    response = await self.http.send(request)
                return _wire.decoded(response)
            except MiosaError as error:
                if method == "DELETE" and attempt > 1 and isinstance(error, NotFoundError):
                    return None  # An earlier attempt has done it, and its answer was lost.
                wait = _retry.wait_before(attempt, self.max_retries, error, repeatable=repeatable, after_failure=after_failure)
                if wait is None:
                    raise
            await anyio.sleep(wait)

    async def upload(self, path: str, source: Source, *, params: Mapping[str, Any]) -> Any:
        """PUT what a source gives, as it is read; the decoded JSON of the answer. Sent again while the source can be read again."""
        attempt = 0
        while True:
            attempt += 1
            request = self._build("PUT", path, params=params, json=None, timeout=_UNSET, content=self._pieces(source), size=source.size)
            try:
                with _wire.own_errors(self.base_url):
                    response = await self.http.send(request)
                return _wire.decoded(response)
            except MiosaError as error:
                wait = _retry.wait_before(attempt, self.max_retries, error, repeatable=True)
                if wait is None or not source.rewind():
                    raise
            await anyio.sleep(wait)

    async def _pieces(self, source: Source) -> AsyncIterator[bytes]:
        if source.is_async:
            async for piece in source.given:
                yield source.took(piece)
        else:
            for piece in source.pieces():
                yield piece

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = _UNSET,  # noqa: ASYNC109
        accept: str = "*/*",
    ) -> AsyncIterator[httpx2.Response]:
        """An answer whose body is read as it comes. Sent again only if it never reached the server."""
        request = self._build(method, path, params=params, json=json, timeout=timeout, accept=accept)
        response = await self._open(request, repeatable=method == "GET")
        try:
            with _wire.own_errors(self.base_url):
                yield response
        finally:
            await response.aclose()

    @contextlib.asynccontextmanager
    async def events(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncIterator[AsyncIterator[httpx2.ServerSentEvent]]:
        """Server-sent events; `timeout` is the longest silence."""
        async with self.stream(method, path, params=params, json=json, timeout=timeout, accept="text/event-stream") as response:
            yield self._frames(response)

    async def _frames(self, response: httpx2.Response) -> AsyncIterator[httpx2.ServerSentEvent]:
        async for frame in httpx2.EventSource(response):
            if frame.event == "error":
                raise _wire.said_in_stream(frame.data)
            if frame.data:  # Without data it is no event, by the standard of event streams.
                yield frame

    def websocket(self, path: str, params: tuple[tuple[str, str], ...]) -> Any:
        """A WebSocket as a context manager of httpx2."""
        headers = {name: value for name, value in _wire.headers(self._api_key, "GET").items() if name != "Accept"}
        return self.http.websocket(
            f"{self.base_url}/{path}".replace("http", "ws", 1),
            max_message_size_bytes=MESSAGE_BYTES,
            params=params,
            headers=headers,
            timeout=_wire.timeouts(self.timeout),
        )

    def _build(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None,
        json: Any,
        timeout: float | None,
        accept: str = "application/json",
        content: Any = None,
        size: int | None = None,
    ) -> httpx2.Request:
        body = {} if content is None else _wire.body_headers(size)
        return self.http.build_request(
            method,
            f"{self.base_url}/{path}",
            params=_wire.query(params) or None,
            json=json,
            content=content,
            headers=_wire.headers(self._api_key, method, accept=accept, keyed=content is None) | body,
            timeout=_wire.timeouts(self.timeout if timeout is _UNSET else timeout),
        )

    async def _open(self, request: httpx2.Request, *, repeatable: bool) -> httpx2.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                with _wire.own_errors(self.base_url):
                    response = await self.http.send(request, stream=True)
                    if response.is_success:
                        return response
                    await response.aread()
                raise _wire.failure(response)
            except MiosaError as error:
                wait = _retry.wait_before(attempt, self.max_retries, error, repeatable=repeatable)
                if wait is None:
                    raise
            await anyio.sleep(wait)
