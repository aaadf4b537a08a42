"""Requests to the identity provider: JSON over HTTPS, bounded in size and in time, and never led elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore
import msgspec

from functions.login.oidc_settings import is_sound
from functions.shared.problems import Unavailable

__all__ = ["Answer", "Headers", "ProviderUnavailable", "get", "post"]

# For all of a request: a thread of this function waits for it.
SECONDS = 5.0
MAX_BYTES = 256 * 1024
_OBJECT = msgspec.json.Decoder(dict[str, Any])

Headers = Sequence[tuple[str, str]]


class ProviderUnavailable(Unavailable):
    """The identity provider does not answer, or says what nobody can use."""


@dataclass(frozen=True)
class Answer:
    """The status of an answer, and the JSON object that it is."""

    status: int
    body: dict[str, Any]


def get(url: str, headers: Headers = ()) -> dict[str, Any]:
    """The JSON object at an address. Raises: ProviderUnavailable when there is none."""
    answer = _send("GET", url, headers)
    if answer.status != 200:
        raise ProviderUnavailable(f"{url} answered {answer.status}")
    return answer.body


def post(url: str, form: dict[str, str], headers: Headers = ()) -> Answer:
    """What a form that is posted is answered with, whatever its status. Raises: ProviderUnavailable."""
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    return _send("POST", url, [*headers, kind], urlencode(form).encode())


def _send(method: str, url: str, headers: Headers, content: bytes = b"") -> Answer:
    if not is_sound(url):
        raise ProviderUnavailable("the provider names an address that is not https")
    try:
        status, body = asyncio.run(_bounded(method, url, headers, content))
        return Answer(status, _OBJECT.decode(body))
    except (TimeoutError, OSError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise ProviderUnavailable(f"{url} does not answer: {error or type(error).__name__}") from error
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable(f"{url} answered what is no JSON object of at most {MAX_BYTES} bytes") from error


async def _bounded(method: str, url: str, headers: Headers, content: bytes) -> tuple[int, bytes]:
    # Timeouts of a library are for each step: who answers one byte at a time meets all of them.
    async with asyncio.timeout(SECONDS), httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context()) as pool:
        named = [("Host", urlsplit(url).netloc), ("Accept", "application/json"), ("Accept-Encoding", "identity")]
        length = [("Content-Length", str(len(content)))] if content else []
        async with pool.stream(method, url, headers=[*named, *headers, *length], content=content) as response:
            pieces = b""
            async for piece in response.aiter_stream():
                pieces += piece
                if len(pieces) > MAX_BYTES:
                    raise ValueError("too large")
            return response.status, pieces
