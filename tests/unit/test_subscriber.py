"""functions/shared/subscriber.py: what a subscriber answers the broker, and whose trace it goes on in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from events.wire import Envelope
from functions.shared import trace
from functions.shared.problems import Unavailable
from functions.shared.subscriber import deliver
from functions.shared.trace import Trace
from tests import asgi

GOOD = {"specversion": "1.0", "id": "7", "source": "/cms", "type": "com.example.thing.v1"}
BINARY = {f"ce-{name}": value for name, value in GOOD.items()}
ITS, HOPS = (Trace(f"00-{digit * 32}-{digit * 16}-01") for digit in "ab")

Seen = list[Trace | None]


@pytest.mark.parametrize(
    ("headers", "body", "followed"),
    [
        (BINARY, b"", None),
        ({**BINARY, "ce-traceparent": ITS.traceparent}, b"", ITS),
        ({**BINARY, "traceparent": HOPS.traceparent}, b"", HOPS),
        ({**BINARY, "ce-traceparent": ITS.traceparent, "traceparent": HOPS.traceparent}, b"", ITS),
        ({**BINARY, "ce-traceparent": "rubbish", "traceparent": HOPS.traceparent}, b"", HOPS),
        (
            {"Content-Type": "application/cloudevents+json"},
            json.dumps({**GOOD, "traceparent": ITS.traceparent}).encode(),
            ITS,
        ),
    ],
)
def test_an_event_is_handled_in_its_own_trace_and_else_in_that_of_its_request(
    headers: dict[str, str], body: bytes, followed: Trace | None
) -> None:
    seen: Seen = []
    assert answered(headers, body, lambda _event: seen.append(trace.current())) == 204
    assert (seen, trace.current()) == ([followed], None)


@pytest.mark.parametrize(("error", "status"), [(Unavailable("a store"), 503), (KeyError("a bug"), 500)])
def test_an_event_that_could_not_be_handled_is_never_answered_with_what_drops_it(error: Exception, status: int) -> None:
    def handle(_event: Envelope) -> None:
        raise error

    assert answered(BINARY, b"", handle) == status
    assert trace.current() is None


def test_what_is_no_event_is_an_error_unless_somebody_takes_it() -> None:
    taken: list[tuple[str, bytes]] = []

    def take(headers: dict[str, str], body: bytes, why: str) -> None:
        taken.append((headers["content-type"], body))
        assert why

    assert answered({"Content-Type": "text/plain"}, b"x", print) == 500
    assert answered({"Content-Type": "text/plain"}, b"x", print, take) == 204
    assert taken == [("text/plain", b"x")]


def test_a_header_that_is_no_attribute_does_not_keep_an_event_from_being_read() -> None:
    seen: list[Envelope] = []
    assert answered({**BINARY, "ce-a_b": "v"}, b"", seen.append) == 204
    assert "a_b" not in seen[0].attributes


def answered(
    headers: dict[str, str],
    body: bytes,
    handle: Callable[[Envelope], None],
    unreadable: Callable[[dict[str, str], bytes, str], None] | None = None,
) -> int:
    """The status that a subscriber with this handler answers."""
    return asgi.answered(lambda request: deliver(request, handle, unreadable=unreadable), "POST", headers, body).status
