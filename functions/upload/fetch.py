"""Fetches a video from a stranger's URL, without being made to reach into our own network.

Which addresses those are, functions/shared/addresses.py says.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import httpcore

from functions.shared import settings
from functions.shared.addresses import HostUnreachable as VideoUnreachable
from functions.shared.addresses import check_url
from functions.shared.connections import Guarded
from functions.shared.reasons import Failure

__all__ = ["VideoUnreachable", "fetch"]

MAX_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 10.0, 20.0
REDIRECTS = (301, 302, 303, 307, 308)
# What may be different in a minute; all other statuses that are not 200 are final (RFC 9110, section 15).
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


def fetch(url: str, write: Callable[[bytes], None]) -> None:
    """Hand the bytes at `url` to `write`, piece by piece.

    Raises: Failure when they cannot be had for good, VideoUnreachable when they may be later, and what `write` raises.
    """
    deadline = time.monotonic() + settings.number("FETCH_TIMEOUT_SECONDS")
    with httpcore.ConnectionPool(
        network_backend=Guarded(deadline + READ_SECONDS), ssl_context=ssl.create_default_context()
    ) as pool:
        try:
            for _ in range(MAX_REDIRECTS + 1):
                check_url(url)
                location = _get(pool, url, write, deadline)
                if location is None:
                    return
                url = urljoin(url, location)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise VideoUnreachable(f"the video's server does not answer: {error or type(error).__name__}") from error
    raise Failure("unreachable")


def _get(pool: httpcore.ConnectionPool, url: str, write: Callable[[bytes], None], deadline: float) -> str | None:
    """GET one URL. Returns: where it redirects to, or None when the body has been written."""
    timeouts = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS, "pool": CONNECT_SECONDS}
    headers = [("Host", urlsplit(url).netloc), ("Accept", "video/*, audio/*, */*"), ("Accept-Encoding", "identity")]
    with pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as response:
        answered = {name.lower().decode(): value.decode("latin-1") for name, value in response.headers}
        if response.status in REDIRECTS and "location" in answered:
            return answered["location"]
        if response.status in TRANSIENT:
            raise VideoUnreachable(f"the video's server answered {response.status}")
        if response.status != 200:
            raise Failure("unreachable")
        _pass_on(response, int(answered.get("content-length", 0)), write, deadline)
        return None


def _pass_on(response: httpcore.Response, stated: int, write: Callable[[bytes], None], deadline: float) -> None:
    left = settings.number("MAX_UPLOAD_BYTES")
    if stated > left:
        raise Failure("too-large-video")
    for piece in response.iter_stream():
        left -= len(piece)
        if left < 0:
            raise Failure("too-large-video")
        if time.monotonic() > deadline:
            raise Failure("timed-out")
        write(piece)
