"""knative/client/transfers.py: how long a transfer waits before it goes on, and when it gives up."""

from __future__ import annotations

import time

import httpx
import pytest

from knative.client import calls, transfers
from knative.client.client import Audiolift
from knative.client.credentials import KeySession
from knative.client.errors import Refused, SignInNeeded, Unreachable


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, each time; nobody waits."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def test_it_waits_for_as_long_as_the_server_asks(slept: list[float]) -> None:
    patience = transfers._Patience(300)
    for seconds in (7.0, 0.0, 120.0):
        patience.failed(Refused(503, "too-busy", "Later.", seconds))
    assert slept == [7.0, 0.0, 120.0]


def test_it_waits_longer_each_time_when_nobody_says_how_long_and_anew_once_it_got_further(slept: list[float]) -> None:
    patience = transfers._Patience(10_000)
    patience.further(0)
    for _ in range(12):
        patience.failed(Unreachable("nobody"))
    assert all(0 <= seconds <= min(0.5 * 2**tries, 30) for tries, seconds in enumerate(slept))
    patience.further(1)
    patience.failed(Unreachable("nobody"))
    assert slept[-1] <= 0.5


def test_it_gives_up_rather_than_wait_beyond_its_patience(slept: list[float]) -> None:
    with pytest.raises(Refused):
        transfers._Patience(60).failed(Refused(503, "too-busy", "Later.", 3600.0))
    assert slept == []


def test_nor_does_a_single_call(slept: list[float]) -> None:
    problem = {"type": "x", "title": "Busy", "status": 503, "detail": "Later.", "code": "too-busy"}
    answer = httpx.Response(503, json=problem, headers={"Retry-After": "7200"})
    client = Audiolift(
        KeySession("http://localhost", "x"), patience=60, transport=httpx.MockTransport(lambda _request: answer)
    )
    with client, pytest.raises(Refused):
        client.do(calls.jobs(None, None, 1))
    assert slept == []


@pytest.mark.parametrize("error", [Refused(404, "not-found", "Gone."), Refused(410, "expired", "Gone.")])
def test_what_is_final_is_not_tried_again(slept: list[float], error: Refused) -> None:
    with pytest.raises(Refused):
        transfers._Patience(300).failed(error)
    assert slept == []


def test_a_token_that_ran_out_is_renewed_once(slept: list[float]) -> None:
    patience, error = transfers._Patience(300), SignInNeeded(401, "unauthenticated", "Who?")
    patience.failed(error)
    with pytest.raises(SignInNeeded):
        patience.failed(error)
    assert len(slept) == 1
