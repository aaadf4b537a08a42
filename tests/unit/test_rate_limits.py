"""functions/gateway/limits: who is counted with whom, what is refused, what is told, and what a flood costs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from functions.gateway.limits import counters, limiter, memory, policies
from functions.gateway.limits.limiter import note, spend
from functions.gateway.limits.middleware import RateLimits
from functions.gateway.limits.policies import By, Policy
from functions.shared.clients import client_of
from functions.shared.middleware import Call, Middleware, Route
from functions.shared.operations import Access
from functions.shared.routing import Routes
from functions.shared.settings import SettingError
from functions.shared.web import answer
from tests import asgi
from tests.asgi import Answered
from tests.patience import PATIENCE
from tests.servers import Mongo

STRICT = {"address": "50/60", "sign-in": "3/60", "reads": "5/60", "writes": "2/60", "bytes": "1000/60"}
POLICY = Policy("some", By.ADDRESS, 3, 1_000_000, lambda _method, _path: True, "")


class Named(Middleware):
    """Stands in for the identity: the account is what the token says."""

    async def before(self, call: Call, route: Route) -> None:
        _, _, token = call.request.headers.get("Authorization", "").partition(" ")
        if route.access is Access.TOKEN and token.count(".") == 2:
            call.arguments["user_id"] = token


routes = Routes(middleware=(RateLimits(By.ADDRESS), Named(), RateLimits(By.CALLER)))


@routes.add("GET", "/v1/jobs", Access.TOKEN)
@routes.add("POST", "/v1/jobs", Access.TOKEN)
@routes.add("POST", "/v1/token")
async def handle(request: Request, **_arguments: str) -> Response:
    async for piece in request.stream():
        if tell := getattr(request.state, "on_received", None):
            tell(len(piece))
    return Response("here")


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is counted yet, and no window ends while a test runs: one began a moment ago."""
    monkeypatch.setenv("RATE_LIMITS", json.dumps(STRICT))
    monkeypatch.setenv("LIMITS_URL", "memory://")
    begins = time.time() // 3600 * 3600
    monkeypatch.setattr(time, "time", lambda: begins + 1)
    forget()
    yield
    forget()


def forget() -> None:
    counters.counters.cache_clear()
    limiter._blocked.clear()


def asked(
    method: str = "GET",
    path: str = "/v1/jobs",
    token: str = "",
    peer: str = "198.51.100.7",
    body: bytes = b"",
    **headers: str,
) -> Answered:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        given["Authorization"] = f"Bearer {token}"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["client"] = (peer, 4711)
        response = await answer(routes, Request(scope, receive))
        await response(scope, receive, send)
        await asyncio.sleep(0)

    return asgi.call(app, method, path, given, body)


def statuses(count: int, **what: Any) -> list[int]:
    return [asked(**what).status for _ in range(count)]


def test_sixty_wrong_passwords_in_a_row_are_no_more_than_the_limit() -> None:
    said = statuses(60, method="POST", path="/v1/token")
    assert said == [200] * 3 + [429] * 57


def test_the_refusal_says_which_limit_and_how_long_to_wait() -> None:
    statuses(3, method="POST", path="/v1/token")
    refused = asked("POST", "/v1/token")
    problem = json.loads(refused.body)
    assert (refused.status, problem["code"], problem["violated-policies"]) == (429, "too-many-requests", ["sign-in"])
    assert refused.headers["content-type"] == "application/problem+json"
    # The window has begun a second ago.
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["ratelimit-policy"] == '"address";q=50;w=60, "sign-in";q=3;w=60'
    assert refused.headers["ratelimit"] == '"address";r=46;t=60, "sign-in";r=0;t=60'


def test_every_answer_says_what_is_left() -> None:
    said = asked(token="a.b.c").headers
    assert said["ratelimit-policy"] == '"address";q=50;w=60, "reads";q=5;w=60'
    assert said["ratelimit"] == '"address";r=49;t=60, "reads";r=4;t=60'
    upload = asked("POST", token="a.b.c", body=b"x" * 10, content_length="10").headers
    assert upload["ratelimit-policy"].endswith('"writes";q=2;w=60, "bytes";q=1000;w=60;qu="content-bytes"')
    assert upload["ratelimit"].endswith('"writes";r=1;t=60, "bytes";r=990;t=60')


def test_the_next_window_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(4, method="POST", path="/v1/token")[-1] == 429
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert asked("POST", "/v1/token").status == 200


def test_accounts_are_counted_apart_and_wherever_they_come_from() -> None:
    assert statuses(6, token="a.b.c")[-1] == 429
    assert asked(token="a.b.c", peer="203.0.113.9").status == 429
    assert asked(token="d.e.f").status == 200


def test_a_key_is_counted_by_itself_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(6, token="al_secret")[-1] == 429
    assert asked(token="al_other").status == 200
    assert not [key for key in limiter._blocked if "secret" in key]


def test_reads_writes_and_bytes_have_limits_of_their_own() -> None:
    assert statuses(3, method="POST", token="a.b.c") == [200, 200, 429]
    assert asked(token="a.b.c").status == 200


def test_bytes_that_are_announced_are_refused_before_they_come_and_not_taken() -> None:
    assert asked("POST", token="a.b.c", content_length="1001").status == 429
    assert asked("POST", token="a.b.c", content_length="1000", body=b"x" * 1000).status == 200


def test_bytes_of_no_stated_length_count_when_they_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMITS", json.dumps({**STRICT, "writes": "0"}))
    # More than is left: it is known too late, and held against the next one.
    assert asked("POST", token="a.b.c", transfer_encoding="chunked", body=b"x" * 5000).status == 200
    assert asked("POST", token="a.b.c", transfer_encoding="chunked", body=b"x").status == 429
    assert asked("POST", token="a.b.c", content_length="1", body=b"x").status == 429


@pytest.mark.parametrize(
    "forged",
    ["203.0.113.{n}", "127.0.0.1, 203.0.113.{n}", "203.0.113.{n}, 127.0.0.1", "unknown", "10.0.0.{n}", '"[::{n}]"'],
)
def test_forged_forwarding_headers_do_not_get_round_it(forged: str) -> None:
    said = [
        asked("POST", "/v1/token", X_Forwarded_For=forged.format(n=n), Forwarded=f"for=203.0.113.{n}").status
        for n in range(5)
    ]
    assert said == [200, 200, 200, 429, 429]


@pytest.mark.parametrize(
    ("said", "peer", "client"),
    [
        ("", "198.51.100.7", "198.51.100.7"),
        ("203.0.113.9", "198.51.100.7", "198.51.100.7"),
        # queue-proxy calls from 127.0.0.1 and names who called it, as do activator and Envoy before it.
        ("203.0.113.9", "127.0.0.1", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.244.0.5, 10.244.0.6", "127.0.0.1", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "10.244.0.5", "203.0.113.9"),
        # What is no address is not believed, nor what is left of it: the last proxy counts instead.
        ("1.1.1.1, nonsense, 10.244.0.5", "127.0.0.1", "10.244.0.5"),
        ("1.1.1.1, 203.0.113.9:1234", "127.0.0.1", "127.0.0.1"),
        ("1.1.1.1,", "127.0.0.1", "127.0.0.1"),
        # Somebody within our own network.
        ("10.244.0.9", "127.0.0.1", "10.244.0.9"),
        # One subscriber of IPv6 has a /64; IPv4 within IPv6 is IPv4.
        ("", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "127.0.0.1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "127.0.0.1", "203.0.113.9"),
        ("", "fe80::1%eth0", "fe80::/64"),
    ],
)
def test_who_the_client_is(said: str, peer: str, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.0/8 ::1/128 10.244.0.0/16")
    headers = {"X-Forwarded-For": said} if said else {}
    scope = {**asgi.scope_of("GET", "/", headers), "client": (peer, 1)}
    assert client_of(scope) == client


def test_headers_that_come_twice_are_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.0/8")
    lines = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.9")]
    assert client_of({"headers": lines, "client": ("127.0.0.1", 1)}) == "203.0.113.9"


def test_a_long_way_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.0/8")
    long = b", ".join(b"127.0.%d.%d" % divmod(n, 256) for n in range(6000))
    began = time.perf_counter()
    client_of({"headers": [(b"x-forwarded-for", long)], "client": ("127.0.0.1", 1)})
    assert time.perf_counter() - began < 0.05


def test_a_flood_asks_no_counter() -> None:
    """Once somebody is blocked, no storage is asked until the window ends."""

    async def flood() -> list[int]:
        await asyncio.gather(*(spend(POLICY, "flood") for _ in range(4)))
        before = counted()
        refused = [await spend(POLICY, "flood") for _ in range(10_000)]
        assert all(each.refused for each in refused)
        return [before, counted()]

    def counted() -> int:
        return counters.counters()._here.incr(next(iter(limiter._blocked)), POLICY.window, 0)

    before, after = asyncio.run(flood())
    assert before == after == 4


def test_an_address_that_has_nothing_left_is_refused_whatever_it_asks_for() -> None:
    """Also where no route leads, which counts as well; and no other address is."""
    assert statuses(51, path="/v1/nothing") == [404] * 50 + [429]
    assert asked(path="/v1/nothing", peer="203.0.113.9").status == 404
    for what in (
        {"method": "DELETE"},
        {"method": "OPTIONS"},
        {"path": "/v1/token", "method": "POST"},
        {"token": "a.b.c"},
    ):
        refused = asked(**what)  # type: ignore[arg-type]
        assert (refused.status, refused.headers["retry-after"]) == (429, "60")
        assert refused.headers["ratelimit"] == '"address";r=0;t=60'
        assert refused.headers["x-request-id"]


def test_counters_of_a_process_are_bounded_and_forget_who_is_seen_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_KEYS", 100)
    here = memory.Memory()
    for n in range(1000):
        here.incr(f"once-{n}", 60, 1)
        assert here.incr("often", 60, 1) == n + 1
    assert len(here) == 100


def test_counters_of_a_process_end_with_their_window(monkeypatch: pytest.MonkeyPatch) -> None:
    here = memory.Memory()
    assert [here.incr("some", 60, 1), here.incr("other", 3600, 1), here.incr("some", 60, 2)] == [1, 1, 3]
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert here.incr("new", 60, 1) == 1
    assert len(here) == 2


def test_what_is_known_of_floods_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "MAX_BLOCKED", 100)

    async def flood() -> None:
        for n in range(500):
            await note(POLICY, f"many-{n}", 5)
            await spend(POLICY, f"many-{n}")

    asyncio.run(flood())
    assert len(limiter._blocked) <= 100


@pytest.mark.parametrize("said", ["{}", '{"sign-in": "0"}', '{"sign-in": "9/1"}'])
def test_limits_are_overridden_by_name(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMITS", said)
    expected = {"{}": (20, 60), '{"sign-in": "0"}': None, '{"sign-in": "9/1"}': (9, 1)}[said]
    found = {policy.name: (policy.quota, policy.window) for policy in policies.in_force()}
    assert found.get("sign-in") == expected
    assert found["reads"] == (600, 60)


@pytest.mark.parametrize(
    "said", ['{"sign_in": "1/1"}', '{"sign-in": "many"}', '{"sign-in": "5/0"}', '{"sign-in": "-1/5"}']
)
def test_a_limit_that_cannot_be_is_an_error(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMITS", said)
    with pytest.raises(SettingError):
        policies.in_force()


def test_gateways_that_share_a_storage_count_together(mongo: Mongo) -> None:
    first, second = counters.Counters(mongo.url), counters.Counters(mongo.url)
    key = f"together/{time.time_ns()}"

    async def both() -> list[int]:
        await connected(first, second)
        return [await each.add(key, 60, 1) for each in (first, second, first, second)]

    assert asyncio.run(both()) == [1, 2, 3, 4]


def test_without_its_storage_a_gateway_counts_by_itself_and_soon(tmp_path: Path) -> None:
    """The documented direction: limits hold within each process, and nobody waits long or is turned away."""
    mongo = Mongo(tmp_path)
    if mongo._given:
        pytest.skip("a server that is only used cannot be stopped")
    mongo.start()
    alone = counters.Counters(mongo.url)

    async def counted() -> tuple[list[int], float]:
        await connected(alone)
        assert await alone.add("alone", 60, 1) == 1
        mongo.stop()
        began = time.monotonic()
        said = [await alone.add("alone", 60, 1) for _ in range(50)]
        return said, time.monotonic() - began

    said, seconds = asyncio.run(counted())
    assert said == list(range(1, 51))
    assert not alone.shared
    # Not one wait for each request.
    assert seconds < len(said) / 2 * counters.PATIENCE_SECONDS


def test_the_storage_is_used_again_when_it_is_back(mongo: Mongo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "AWAY_SECONDS", 0.2)
    again, key = counters.Counters(mongo.url), f"again/{time.time_ns()}"

    async def counted() -> int:
        await connected(again)
        shared = again._shared
        assert shared
        with monkeypatch.context() as patch:
            patch.setattr(shared, "incr", failing)
            await again.add(key, 60, 1)
        assert not again.shared
        await asyncio.sleep(0.3)
        return await again.add(key, 60, 1)

    assert asyncio.run(counted()) == 1
    assert again.shared


def test_a_storage_that_cannot_be_used_is_told_and_limits_hold(caplog: pytest.LogCaptureFixture) -> None:
    broken = counters.Counters("mongodb://[")
    broken._threads.shutdown()
    assert [asyncio.run(broken.add("some", 60, 1)) for _ in range(2)] == [1, 2]
    assert "LIMITS_URL cannot be used" in caplog.text


def test_a_storage_that_hangs_does_not_hold_the_event_loop(mongo: Mongo) -> None:
    slow = counters.Counters(mongo.url)
    over = threading.Event()

    async def counted() -> tuple[int, int]:
        await connected(slow)
        shared = slow._shared
        assert shared
        shared.incr = lambda *_: over.wait(10)  # type: ignore[method-assign]
        adding, turns = asyncio.ensure_future(slow.add("slow", 60, 1)), 0
        while not adding.done():
            await asyncio.sleep(0.01)
            turns += 1
        over.set()
        return adding.result(), turns

    said, turns = asyncio.run(counted())
    assert said == 1
    # Held, it would be back from the first only when all is over.
    assert turns > 1


def failing(*_arguments: object) -> int:
    raise OSError("no route")


async def connected(*every: counters.Counters) -> None:
    for each in every:
        ends = time.monotonic() + PATIENCE
        while not each.shared and time.monotonic() < ends:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
