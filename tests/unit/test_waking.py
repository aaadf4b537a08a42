"""functions/gateway/waking.py: what comes next is started ahead, and nothing else is changed by it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from functions.gateway import contract, waking
from functions.shared.operations import Access
from tests.servers.listening import Listening, Quiet

WAKES = {(each.method, each.path): each.wakes for each in contract.operations()}


class Functions:
    """Stands for all functions, under one address each: notes who was asked for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """Reachable under the gateway's settings."""
    made = Functions()

    class Handler(Quiet):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(204)
            self.end_headers()

    with Listening(Handler) as server:
        for name in ("login", "upload", "download", "notify", "convert"):
            monkeypatch.setenv(f"{name.upper()}_URL", f"{server.url}/{name}")
        yield made


@pytest.fixture(autouse=True)
def nothing_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just started."""
    monkeypatch.setattr(waking, "_last", {})


def expect(*routes: tuple[str, str]) -> None:
    """Expect what comes after these routes, and wait for all that this sets off."""

    async def all_of_them() -> None:
        for route in routes:
            waking.expect(*WAKES[route])
        await asyncio.gather(*waking._tasks)

    asyncio.run(all_of_them())


def test_a_video_on_its_way_wakes_what_converts_it(functions: Functions) -> None:
    expect(("POST", "/v1/jobs"))
    assert sorted(functions.asked) == ["/convert/healthz", "/download/healthz"]


def test_signing_in_wakes_what_a_person_who_has_signed_in_uses(functions: Functions) -> None:
    expect(("POST", "/v1/token"), ("GET", "/v1/jobs"))
    assert sorted(functions.asked) == ["/download/healthz", "/upload/healthz"]


def test_a_stranger_wakes_nothing_that_the_address_of_a_file_would_not(functions: Functions) -> None:
    expect(("POST", "/v1/token"))
    assert functions.asked == ["/download/healthz"]


def test_each_function_is_woken_once_in_a_while(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(*[("GET", "/v1/jobs")] * 5, ("POST", "/v1/token"))
    assert sorted(functions.asked) == ["/download/healthz", "/upload/healthz"]
    monkeypatch.setattr(waking, "EVERY_SECONDS", 0)
    expect(("GET", "/v1/jobs"))
    assert len(functions.asked) == 3


def test_other_requests_wake_nothing(functions: Functions) -> None:
    expect(*(route for route in WAKES if route[0] == "DELETE"))
    assert functions.asked == []


def test_what_wakes_takes_a_token_but_for_signing_in() -> None:
    waking_routes = {(each.method, each.path): each.access for each in contract.operations() if each.wakes}
    open_to_all = {route for route, access in waking_routes.items() if access != Access.TOKEN}
    of_programs = {("POST", "/v1/token"), ("POST", "/v1/oidc/callback")}
    of_browsers = {("POST", path) for path in ("/v1/session", "/v1/session/oidc", "/v1/session/renew")}
    assert open_to_all == of_programs | of_browsers


@contextmanager
def refusing() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_function_that_cannot_be_woken_is_of_no_concern(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with refusing() as port, caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("UPLOAD_URL", f"http://127.0.0.1:{port}")
        expect(("GET", "/v1/jobs"))
    assert [
        (each.levelname, "could not wake upload" in each.message)
        for each in caplog.records
        if each.name == waking.__name__
    ] == [("DEBUG", True)]
