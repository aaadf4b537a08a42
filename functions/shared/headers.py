"""Headers of HTTP as pairs of bytes, as ASGI has them. Without the library that sends them: a cold start needs none."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Headers", "end_to_end", "header_text"]

Headers = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1, and those that RFC 2616, section 13.5.1, also knew.
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers that a proxy passes on: all but those for one hop, which Connection may name (RFC 9110, 7.6.1)."""
    pairs = list(headers)
    connection = b",".join(value for name, value in pairs if name.lower() == b"connection")
    dropped = _HOP_BY_HOP.union(token.strip().lower() for token in connection.split(b","))
    return [(name, value) for name, value in pairs if name.lower() not in dropped]


def header_text(value: bytes) -> str:
    """A header's value as aiohttp writes it back to the same bytes. What is not UTF-8 is taken as Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
