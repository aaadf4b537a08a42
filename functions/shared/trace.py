"""The trace that a request belongs to (W3C Trace Context): who called, for whoever puts the parts together again.

It comes as HTTP headers, or as attributes of an event (CloudEvents, extension Distributed Tracing), and goes on with
every event that results. What is not of the form that is specified is dropped: a trace never fails a request.
https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["Trace", "current", "follow", "following", "of", "parse"]

MAX_STATE_CHARS, MAX_STATE_MEMBERS = 512, 32
# Sections 3.2.2 and 3.3.1 of version 00: neither id is all zeros; a member of the state is key=value.
_PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = r"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


class Trace(NamedTuple):
    """A `traceparent` of version 00, and the `tracestate` beside it, if there is a sound one."""

    traceparent: str
    tracestate: str | None = None

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.traceparent[3:35]

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""
        return self.traceparent[36:52]

    def headers(self) -> dict[str, str]:
        """As HTTP headers, and as attributes of an event: the names are the same."""
        return {name: value for name, value in self._asdict().items() if value is not None}


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The trace of the request that this thread is answering, or None."""
    return _current.get()


def follow(trace: Trace | None) -> None:
    """From now on, in this task, `trace` is the current one."""
    _current.set(trace)


@contextmanager
def following(trace: Trace | None) -> Iterator[None]:
    """Within the block, in this thread, `trace` is the current one."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def parse(traceparent: str | None, tracestate: str | None = None) -> Trace | None:
    """The trace that these values say; None when they are not sound."""
    if not _PARENT.fullmatch(traceparent or ""):
        return None
    return Trace(traceparent or "", tracestate if _is_state(tracestate or "") else None)


def of(attributes: Mapping[str, str]) -> Trace | None:
    """The trace in the attributes of an event; None when there is no sound one."""
    return parse(attributes.get("traceparent"), attributes.get("tracestate"))


def _is_state(state: str) -> bool:
    members = [member.strip(" \t") for member in state.split(",")]
    found = [_MEMBER.fullmatch(member) for member in members if member]
    keys = {match[1] for match in found if match}
    return len(state) <= MAX_STATE_CHARS and 0 < len(found) <= MAX_STATE_MEMBERS and len(keys) == len(found)
