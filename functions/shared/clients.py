"""Where a request came from: what proxies of ours say of it, and nothing that a client can write.

Each proxy adds, to the right of X-Forwarded-For, whom it got the request from. So it is read from the right: an address
of TRUSTED_PROXIES is one of our own, and has told the truth about who is left of it. The first other one is the client;
what is left of that, it may have made up. `Forwarded` is not read: queue-proxy makes it of the same.
"""

from __future__ import annotations

import functools
import ipaddress

from starlette.types import Scope

from functions.shared import settings

__all__ = ["client_of"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# No way is longer. More are a client's doing, and cost time.
MAX_HOPS = 32
UNKNOWN = "unknown"


def client_of(scope: Scope) -> str:
    """Who counts as one client: an IPv4 address, or the first 64 bits of an IPv6 one (RFC 6177, section 2)."""
    said = b",".join([value for name, value in scope["headers"] if name == b"x-forwarded-for"])
    peer, trusted = scope.get("client"), settings.text("TRUSTED_PROXIES")
    hops = [*said.decode("latin-1").split(",")[-MAX_HOPS:], peer[0] if peer else UNKNOWN]
    client = UNKNOWN
    for hop in reversed(hops):
        node, ours = _node(hop.strip(), trusted)
        if node is None:
            break
        client = node
        if not ours:
            break
    return client


@functools.lru_cache(4096)
def _node(text: str, _trusted: str) -> tuple[str | None, bool]:
    """Whom an address stands for, and whether it is one of our proxies; None when it is none: its left is not read.

    `_trusted`, the setting, has what is remembered be of this one.
    """
    address = _address(text)
    if address is None:
        return None, False
    ours = any(address in network for network in settings.networks("TRUSTED_PROXIES"))
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64))), ours
    return str(address), ours


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
