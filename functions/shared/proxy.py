"""Forwards HTTP requests as a reverse proxy does: streaming both ways at once, nothing buffered, no value changed.

No server framework is known here. The caller brings method, URL, headers and body chunks, and gets the answer likewise.
Headers are pairs of bytes, as ASGI has them; those of an answer have lower-case names, in whatever case they came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from events.errors import SpeakingError
from functions.shared.headers import Headers, end_to_end, header_text

__all__ = ["Answer", "Forwarder", "NoAnswer", "Unreachable"]

_CHUNK = 256 * 1024
# As much as Envoy takes of an answer's headers together (max_response_headers_kb).
_HEADER_BYTES = 60 * 1024
_CONNECT_SECONDS = 5


class NoAnswer(SpeakingError):
    """The other side could not be reached, or broke off before its answer was complete (a 502 for the client).

    It says where, and nothing of what was asked for there, which may be a secret.
    """


class Unreachable(NoAnswer):
    """Nobody listens there. Nothing of the request has been sent: it may be sent elsewhere."""


@dataclass(frozen=True)
class Answer:
    """The answer's status and end-to-end headers (names in lower case), and its body, which can raise NoAnswer."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes]


class Forwarder:
    """A pool of connections that requests are forwarded over. Use it as an async context manager.

    With `keep_alive` False each request gets a connection of its own: for a server that closes idle connections
    sooner than we do, which would lose the requests that cross that close.
    """

    def __init__(self, *, keep_alive: bool = True) -> None:
        self._keep_alive = keep_alive

    async def __aenter__(self) -> Forwarder:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=not self._keep_alive),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            auto_decompress=False,
            read_bufsize=_CHUNK,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            middlewares=(_once,),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def send(
        self, method: str, url: str, headers: Iterable[tuple[bytes, bytes]], body: AsyncIterator[bytes] | None = None
    ) -> AsyncIterator[Answer]:
        """Send a request, and give its answer as soon as that begins, even while the body is still being sent.

        `url` is sent as it stands; `headers` lose what is for one hop, and get the Host of `url` if they have none.
        With `Expect: 100-continue` the first chunk of `body` is asked for only when the other side says 100: that is
        when to say 100 to your own client. `body` is None when the request has none. Leaving the context ends the
        request, complete or not.
        Raises: NoAnswer; Unreachable, which is one, before the first chunk of `body` is asked for.
        """
        pairs = [(name.decode("ascii"), header_text(value)) for name, value in end_to_end(headers)]
        target = URL(url, encoded=True)
        data = body and _headers_first(body)
        response = await self._session.request(method, target, headers=pairs, data=data, allow_redirects=False)
        try:
            headers = [(name.lower(), value) for name, value in end_to_end(response.raw_headers)]
            yield Answer(response.status, headers, _chunks(response))
        finally:
            response.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # As errors of our own: those of aiohttp make it send GET, PUT and the like a second time.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError as error:
        refused = isinstance(error.os_error, ConnectionRefusedError)
        raise (Unreachable if refused else NoAnswer)(f"{request.url.origin()}: {error}") from error
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        raise NoAnswer(f"{request.url.origin()}: {error or type(error).__name__}") from error


async def _headers_first(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    # aiohttp holds the headers back until there is a chunk: a refusal by the headers alone would wait for the client.
    yield b""
    async for chunk in body:
        yield chunk


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer(f"the answer of {response.url.origin()} broke off: {error or type(error).__name__}") from error
