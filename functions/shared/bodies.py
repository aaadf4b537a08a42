"""What came with a request, for handlers that run in threads: the body, read as it comes, and what is said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.types import Message
from werkzeug.http import parse_options_header

from functions.shared.problems import Problem
from functions.shared.threads import on_loop
from functions.shared.visible import visible

__all__ = ["PIECE", "content_length", "content_type", "has_body", "once", "pieces", "query", "read"]

PIECE = 1024 * 1024
# Of a name that is refused, so much is repeated, in characters.
_MAX_NAME = 40
Value = TypeVar("Value")


def content_type(request: Request) -> tuple[str, dict[str, str]]:
    """The media type of the body in lower case, "" when none is said, and its parameters."""
    media_type, parameters = parse_options_header(request.headers.get("Content-Type"))
    return media_type.lower(), parameters


def content_length(request: Request) -> int | None:
    """How many bytes the body has; None when that is not said beforehand."""
    # The server lets no other than a whole number through.
    length = request.headers.get("Content-Length")
    return None if length is None else int(length)


def has_body(request: Request) -> bool:
    """Whether the request says that a body comes, which may turn out to be empty (RFC 9112, section 6)."""
    return bool(content_length(request)) or "Transfer-Encoding" in request.headers


def query(request: Request) -> dict[str, str]:
    """What is asked for after the question mark. Raises: Problem (400) when a name comes twice."""
    return once(request.query_params.multi_items(), "the query")


def once(pairs: Sequence[tuple[str, Value]], where: str) -> dict[str, Value]:
    """Names and values that came `where`. Raises: Problem (400) when a name comes twice."""
    # By one pass: there may be a hundred thousand names.
    times = Counter(name for name, _ in pairs)
    # A name may be empty.
    if (twice := next((name for name, count in times.items() if count > 1), None)) is not None:
        raise Problem("bad-request", f"Send one `{visible(twice)[:_MAX_NAME]}` in {where}.")
    return dict(pairs)


def pieces(request: Request) -> Iterator[bytes]:
    """The body in pieces of at most a mebibyte. The client is held back while none is asked for.

    Raises: Problem when the client is gone before the body's end.
    """
    more = True
    while more:
        message = on_loop(_next(request))
        if message["type"] == "http.disconnect":
            raise Problem("bad-request", "The body ended before all of it was there; nothing was kept.")
        body, more = message.get("body", b""), message.get("more_body", False)
        yield from (body[start : start + PIECE] for start in range(0, len(body), PIECE))


def read(request: Request, most: int) -> bytes:
    """The first bytes of the body, `most` of them. Raises: Problem as `pieces`."""
    taken = bytearray()
    for piece in pieces(request):
        taken += piece
        if len(taken) >= most:
            break
    return bytes(taken[:most])


async def _next(request: Request) -> Message:
    return await request.receive()
