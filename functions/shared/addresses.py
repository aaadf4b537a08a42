"""Which of the addresses that strangers give us we connect to: those of the public internet, by http or https.

The address is checked where the connection is made, and that very address is connected to: a name that resolves
differently the second time, or a redirect, gains nothing (OWASP Server-Side Request Forgery Prevention Cheat Sheet).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

from functions.shared import settings
from functions.shared.problems import Unavailable
from functions.shared.reasons import Failure

__all__ = [
    "MAX_URL_LENGTH",
    "Address",
    "HostUnreachable",
    "check_literal",
    "check_url",
    "in_ascii",
    "is_allowed",
    "resolved",
]

MAX_URL_LENGTH = 2000
# An IPv6 network whose addresses lead to IPv4 ones (RFC 6052, section 2.1).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# All of IPv6 that is global unicast (RFC 4291, section 2.4; IANA's registry), and what of it is for documentation.
GLOBAL6 = ipaddress.IPv6Network("2000::/3")
NOT_GLOBAL6 = tuple(map(ipaddress.IPv6Network, ("2001:db8::/32", "3fff::/20")))
# Names of no host: the name server has said so, and does not say that it may be asked again.
UNKNOWN = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))

# What stays as it is in a URL that is put into ASCII, be it allowed there or not.
_KEPT = "".join(map(chr, range(128))).replace(" ", "")

# A host that is no address in brackets, where it stands in a URL.
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#@:\[\]]+)", re.IGNORECASE)
# No name has letters of two of these in one part of it, but such as are to be taken for others (UTS #39, section 5.2).
_ALIKE = {"LATIN", "CYRILLIC", "GREEK"}

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class HostUnreachable(Unavailable):
    """A stranger's server does not answer now."""

    def __init__(self, message: str = "", retry_after: float = 0.0) -> None:
        super().__init__(*filter(None, [message]))
        # The seconds that it asks to be left alone.
        self.retry_after = retry_after


def in_ascii(url: str | bytes) -> str:
    """The URL that stands for one with spaces or other letters in it (RFC 3987, section 3.1), as browsers send it.

    Raises: Failure (refused-url) when its host has letters, and is not a name that a host can have.
    """
    text = url if isinstance(url, str) else url.decode(errors="surrogateescape")
    if (found := _HOST.match(text)) and not found[1].isascii():
        text = text[: found.start(1)] + _host_in_ascii(found[1]) + text[found.end(1) :]
    return quote(text.encode(errors="replace" if isinstance(url, str) else "surrogateescape"), safe=_KEPT)


def _host_in_ascii(host: str) -> str:
    """The A-labels of a host's name (IDNA 2008: RFC 5891, section 4.4), mapped before as browsers do (UTS #46)."""
    # Hardly any URL needs it.
    import idna

    try:
        name = idna.encode(host, uts46=True, std3_rules=True).decode()
        if any(map(_is_mixed, idna.decode(name).split("."))):
            raise idna.IDNAError("its letters look like others")
    except UnicodeError:
        raise Failure("refused-url", "no-name") from None
    return name


def _is_mixed(label: str) -> bool:
    return len(_ALIKE & {unicodedata.name(letter, "").partition(" ")[0] for letter in label}) > 1


def check_url(url: str) -> None:
    """Raises: Failure (refused-url) unless the URL is http or https, with a host, without credentials, and in ASCII."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "%", parts.port
        sound = parts.scheme in ("http", "https") and "%" not in host and parts.username is None and port != 0
    except ValueError:
        sound = False
    if not sound or len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        raise Failure("refused-url")


def check_literal(url: str) -> None:
    """As `check_url`, and the host, if it is an address in any spelling, must be an allowed one. Asks nobody."""
    check_url(url)
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        # A name. What it leads to is looked up when it is connected to.
        return
    if not all(map(is_allowed, _addresses(found))):
        raise Failure("refused-url")


def is_allowed(address: Address) -> bool:
    """Whether an address is public, and all that it leads to; or in FETCH_ALLOWED_NETWORKS."""
    if any(address in network for network in settings.networks("FETCH_ALLOWED_NETWORKS")):
        return True
    inner = _embedded(address)
    return all(map(_is_public, inner or (address,))) if address in NAT64 else all(map(_is_public, (address, *inner)))


def resolved(host: str, port: int) -> list[Address]:
    """The addresses of a host, if it has any, and all are allowed. Raises: Failure, HostUnreachable."""
    addresses = _resolved(host, port)
    if not addresses or not all(map(is_allowed, addresses)):
        raise Failure("refused-url")
    return addresses


def _resolved(host: str, port: int) -> list[Address]:
    try:
        return _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except socket.gaierror as error:
        if error.errno in UNKNOWN:
            raise Failure("unreachable", "no-host") from error
        raise HostUnreachable(f"the host of the URL is not known: {error}") from error
    except UnicodeError as error:
        # No name: a part of it is empty or too long (RFC 1035, section 2.3.4).
        raise Failure("unreachable", "no-host") from error
    except OSError as error:
        raise HostUnreachable(f"the host of the URL is not known: {error}") from error


def _addresses(found: Iterable[Any]) -> list[Address]:
    # A scope (fe80::1%eth0) is no part of the address.
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    return address in GLOBAL6 and address.is_global and not any(address in network for network in NOT_GLOBAL6)


def _embedded(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 one leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inner if each is not None]
