"""Fetches a video from a stranger's URL, without being made to reach into our own network.

The address is checked where the connection is made, and that very address is connected to: a name that resolves
differently the second time, or a redirect, gains nothing (OWASP Server-Side Request Forgery Prevention Cheat Sheet).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
from httpcore import NetworkBackend, NetworkStream

from functions.shared import settings
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure

__all__ = ["VideoUnreachable", "check_url", "fetch"]

MAX_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 10.0, 20.0
REDIRECTS = (301, 302, 303, 307, 308)
# What may be different in a minute; all other statuses that are not 200 are final (RFC 9110, section 15).
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
# An IPv6 network whose addresses lead to IPv4 ones (RFC 6052, section 2.1).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class VideoUnreachable(Unavailable):
    """The video's server does not answer now."""


def check_url(url: str) -> None:
    """Raises: Failure (refused-url) unless the URL is http or https, with a host, without credentials, and in ASCII."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise Failure("refused-url")


def fetch(url: str, write: Callable[[bytes], None]) -> None:
    """Hand the bytes at `url` to `write`, piece by piece.

    Raises: Failure when they cannot be had for good, VideoUnreachable when they may be later, and what `write` raises.
    """
    deadline = time.monotonic() + settings.number("FETCH_TIMEOUT_SECONDS")
    with httpcore.ConnectionPool(network_backend=_Guarded(), ssl_context=ssl.create_default_context()) as pool:
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


class _Guarded(NetworkBackend):
    """Connects to public addresses only, and to those in FETCH_ALLOWED_NETWORKS."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """A connection to the first address of the host, if all of its addresses are allowed."""
        addresses = _resolved(host, port)
        if not addresses or not all(_allowed(address) for address in addresses):
            raise Failure("refused-url")
        return self._sockets.connect_tcp(str(addresses[0]), port, timeout, local_address, socket_options)


def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise VideoUnreachable(f"the host of the URL is not known: {error}") from error
    # A scope (fe80::1%eth0) is no part of the address.
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _allowed(address: Address) -> bool:
    networks = settings.text("FETCH_ALLOWED_NETWORKS").split()
    if any(address in ipaddress.ip_network(network) for network in networks):
        return True
    return all(each.is_global and not each.is_multicast for each in (address, *_embedded(address)))


def _embedded(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 one leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inner if each is not None]
