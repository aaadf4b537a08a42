"""knative/client: whose trace the requests of a command belong to."""

from __future__ import annotations

import httpx
import pytest

from knative.client import calls
from knative.client.client import Audiolift
from knative.client.credentials import KeySession
from knative.client.main import Place

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_every_request_carries_the_trace_that_the_caller_names() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    trace = {"traceparent": PARENT, "tracestate": "a=1"}
    with Audiolift(KeySession("http://a", "al_x"), trace=trace, transport=httpx.MockTransport(answer)) as client:
        client.do(calls.jobs())
        client.do_once(calls.jobs())
    assert [(each.headers["traceparent"], each.headers["tracestate"]) for each in seen] == [(PARENT, "a=1")] * 2


@pytest.mark.parametrize(("said", "sent"), [(PARENT, PARENT), ("", None), (None, None)])
def test_a_command_takes_it_from_its_environment(
    said: str | None, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACEPARENT", raising=False)
    if said is not None:
        monkeypatch.setenv("TRACEPARENT", said)
    with Place("http://a", "al_x", 1)() as client:
        assert client._http.headers.get("traceparent") == sent
