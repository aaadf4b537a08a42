"""Which of the addresses that strangers give us we connect to: those of the public internet, by http or https.

The address is checked where the connection is made, and that very address is connected to: a name that resolves
differently the second time, or a redirect, gains nothing (OWASP Server-Side Request Forgery Prevention Cheat Sheet).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from functions.shared import settings
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure

__all__ = ["Address", "HostUnreachable", "check_literal", "check_url", "is_allowed", "resolved"]

# An IPv6 network whose addresses lead to IPv4 ones (RFC 6052, section 2.1).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class HostUnreachable(Unavailable):
    """A stranger's server does not answer now."""


def check_url(url: str) -> None:
    """Raises: Failure (refused-url) unless the URL is http or https, with a host, without credentials, and in ASCII."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise Failure("refused-url")


def check_literal(url: str) -> None:
    """As `check_url`, and the host, if it is an address in any spelling, must be an allowed one. Asks nobody."""
    check_url(url)
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        # A name. What it leads to is looked up when it is connected to.
        return
    if not all(map(is_allowed, _addresses(found))):
        raise Failure("refused-url")


def resolved(host: str, port: int) -> list[Address]:
    """The addresses of a host, if it has any, and all are allowed. Raises: Failure (refused-url), HostUnreachable."""
    try:
        addresses = _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        raise HostUnreachable(f"the host of the URL is not known: {error}") from error
    if not addresses or not all(map(is_allowed, addresses)):
        raise Failure("refused-url")
    return addresses


def is_allowed(address: Address) -> bool:
    """Whether an address is public, and all that it leads to; or in FETCH_ALLOWED_NETWORKS."""
    networks = settings.text("FETCH_ALLOWED_NETWORKS").split()
    if any(address in ipaddress.ip_network(network) for network in networks):
        return True
    return all(each.is_global and not each.is_multicast for each in (address, *_embedded(address)))


def _addresses(found: Iterable[Any]) -> list[Address]:
    # A scope (fe80::1%eth0) is no part of the address.
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def _embedded(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 one leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inner if each is not None]
