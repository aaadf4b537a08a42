"""What stands before a function here answers, adds and takes away the same as Serving's ingress and queue-proxy do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.local_cluster import Place

LONG = "x" * 700


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "host",
    [
        "edge.audiolift.svc.cluster.local",
        "audiolift.example.org",
        "localhost:8080",
        "single",
        "single.other",
        "127.0.0.1",
        "127.0.0.1:1",
        "single.audiolift.svc.cluster.local.example.org",
    ],
)
def test_a_request_for_another_host_is_not_for_this_service(place: Place, host: str) -> None:
    """As a gateway's that passes on the Host of its client."""
    status, headers, body = _answer(place, "single", "GET /tell", f"Host: {host}")

    assert (status, body) == (404, b"")
    assert ("server", "envoy") in headers
    assert place.seen == []


@pytest.mark.parametrize(
    "host",
    [
        "single.audiolift.svc.cluster.local",
        "single.audiolift.svc.cluster.local:80",
        "single.audiolift.svc",
        "single.audiolift",
        "SINGLE.Audiolift.SVC:8012",
    ],
)
def test_a_service_is_known_by_its_names_in_the_cluster(place: Place, host: str) -> None:
    assert _told(place, "single", "GET /tell", f"Host: {host}")["Host"] == host


def test_the_public_service_is_reached_by_any_name(place: Place) -> None:
    assert _told(place, "edge", "GET /tell", "Host: audiolift.example.org")["Host"] == "audiolift.example.org"


@pytest.mark.parametrize(
    ("service", "request_target", "status"),
    [("edge", "http://elsewhere.example/tell", 200), ("single", "http://elsewhere.example/tell", 404)],
)
def test_the_absolute_form_says_whom_a_request_is_for(
    place: Place, service: str, request_target: str, status: int
) -> None:
    assert _answer(place, service, f"GET {request_target}", "Host: single.audiolift")[0] == status


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /tell HTTP/1.1", [], 400),
        ("GET /tell HTTP/1.1", ["Host:"], 400),
        ("GET /tell HTTP/1.1", ["Host: \xff\xfe"], 400),
        ("GET /tell HTTP/1.1", ["Host: a/b"], 400),
        ("GET /tell HTTP/1.1", ["Host: a", "Host: b c"], 400),
        ("GET /tell HTTP/1.0", ["Host: a"], 426),
        ("GET /tell#part HTTP/1.1", ["Host: a"], 400),
        ("GET /tell/%zz HTTP/1.1", ["Host: a"], 400),
        ("GET /tell/\xe9 HTTP/1.1", ["Host: a"], 400),
        ("OPTIONS * HTTP/1.1", ["Host: a"], 400),
        ("GET /tell HTTP/1.1", ["Host: a", "User-Agent: kube-probe/1.36"], 400),
        ("GET /tell HTTP/1.1", ["Host: a", "K-Network-Probe: probe"], 400),
        ("GET /tell HTTP/1.1", ["Host: a", *(f"X-{n}: {n}" for n in range(100))], 431),
        ("GET /tell HTTP/1.1", ["Host: a", f"X-Long: {LONG * 100}"], 431),
        ("GET /tell HTTP/1.1", ["Host: a", *(f"X-{n}: {LONG}" for n in range(90))], 431),
        (f"GET /tell?{LONG * 100} HTTP/1.1", ["Host: a"], 431),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_the_ingress_refuses_reaches_no_function(place: Place, line: str, headers: list[str], status: int) -> None:
    raw = "\r\n".join([line, *headers, "", ""]).encode("latin-1")
    assert _exchange(place, "edge", raw)[0] == status
    assert place.seen == []


@pytest.mark.parametrize(
    ("request_target", "headers"),
    [
        ("/tell", [f"X-{n}: {n}" for n in range(99)]),
        ("/tell", [f"X-{n}: {LONG[:600]}" for n in range(90)]),
        ("/tell/%C3%A9//a%2Fb?%zz=[]{}|\\^`", []),
        ("/tell", ["X_under_score: 1"]),
    ],
    ids=["99 headers more", "54 kB", "an odd address", "underscores"],
)
def test_what_the_ingress_lets_through_arrives(place: Place, request_target: str, headers: list[str]) -> None:
    told = _told(place, "edge", f"GET {request_target}", "Host: a", *headers)
    assert {line.partition(":")[0] for line in headers} <= told.keys()


def test_the_names_of_headers_arrive_as_go_writes_them(place: Place) -> None:
    told = _told(place, "edge", "GET /tell", "host: a", "x-SOME-thing: 1", "ce-id: 2", "CONTENT-type: a/b")
    assert {"Host", "X-Some-Thing", "Ce-Id", "Content-Type"} <= told.keys()


def test_the_names_of_an_answers_headers_come_in_lower_case(place: Place) -> None:
    _, headers, _ = _answer(place, "edge", "GET /tell", "Host: a")
    ours = {"Connection", "Keep-Alive", "Transfer-Encoding"}
    assert {name for name, _ in headers} - ours == {"content-type", "content-length", "date", "server"}
    assert ("server", "envoy") in headers


def test_serving_adds_where_a_request_has_come_from(place: Place) -> None:
    told = _told(place, "single", "GET /tell", "Host: single.audiolift", "X-Forwarded-For: 10.0.0.1, 2001:db8::1")

    assert told["X-Forwarded-For"] == "10.0.0.1, 2001:db8::1, 127.0.0.1"
    assert told["X-Forwarded-Proto"] == "http"
    assert told["Forwarded"] == 'for=10.0.0.1;proto=http, for="[2001:db8::1]", for=127.0.0.1'
    assert told["K-Proxy-Request"] == "activator"
    assert len(told["X-Request-Id"]) == 36


def test_serving_keeps_what_another_proxy_has_said_already(place: Place) -> None:
    said = {"Forwarded": "for=a;host=b", "X-Request-Id": "7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "b"}
    lines = [f"{name}: {value}" for name, value in said.items()]
    told = _told(place, "single", "GET /tell", "Host: single.audiolift", *lines)
    assert said.items() <= told.items()


def test_what_steers_serving_stays_there(place: Place) -> None:
    steering = ["Knative-Serving-Revision: a", "Knative-Serving-Namespace: b", "K-Original-Host: other.example"]
    told = _told(place, "edge", "GET /tell", "Host: a", *steering)
    assert not {"Knative-Serving-Revision", "Knative-Serving-Namespace", "K-Original-Host"} & told.keys()
    # Whoever sends this says what the function takes for its Host: as with a DomainMapping, so with a client.
    assert told["Host"] == "other.example"


def test_a_stream_that_takes_too_long_ends_in_order_after_a_last_word(place: Place) -> None:
    """As queue-proxy does: the client cannot tell it from a whole one."""
    assert _body(place, "tick/never", timeoutSeconds=3) == b"data: one\n\nrequest timeout"


def test_an_answer_of_known_length_that_takes_too_long_breaks_off(place: Place) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        _body(place, "promise", timeoutSeconds=3)


def test_an_answer_that_pauses_too_long_is_cut(place: Place) -> None:
    assert _body(place, "tick/never", idleTimeoutSeconds=3) == b"data: one\n\nrequest timeout"


@pytest.mark.parametrize("limit", ["idleTimeoutSeconds", "responseStartTimeoutSeconds"])
def test_an_answer_that_does_not_begin_for_so_long_is_none(place: Place, limit: str) -> None:
    assert _body(place, "wait/never", **{limit: 3}) == b"request timeout"


def test_an_answer_that_goes_on_has_all_its_time(place: Place) -> None:
    """Twice as long as it may pause."""
    assert _body(place, "drip/10", idleTimeoutSeconds=5) == b"." * 50


def _body(place: Place, path: str, **limits: int) -> bytes:
    """What a process that is up answers under these limits."""
    overlay = place.with_service("single", **{f"spec/{name}": value for name, value in limits.items()})

    async def scenario() -> bytes:
        async with place.serving(overlay) as (local, session):
            url = local.addresses["single"]
            while await _status(session, f"{url}/tell") != 200:
                pass
            async with session.get(f"{url}/{path}") as answer:
                return await answer.read()

    return asyncio.run(scenario())


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        await answer.read()
        return answer.status


def _told(place: Place, service: str, request: str, *headers: str) -> dict[str, Any]:
    """The headers that the function saw."""
    status, _, body = _answer(place, service, request, *headers)
    assert status == 200, body
    return dict(json.loads(body)["headers"])


def _answer(place: Place, service: str, request: str, *headers: str) -> tuple[int, list[tuple[str, str]], bytes]:
    raw = "\r\n".join([f"{request} HTTP/1.1", *headers, "", ""]).encode("latin-1")
    return _exchange(place, service, raw)


def _exchange(place: Place, service: str, raw: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers as they came, and body of the answer to what is sent byte by byte so."""

    async def scenario() -> tuple[int, list[tuple[str, str]], bytes]:
        async with place.serving() as (local, _):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int(local.addresses[service].rpartition(":")[2])
            )
            writer.write(raw)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.strip().split("\r\n")
            headers = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
            length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
            body = await reader.readexactly(length)
            writer.close()
            return int(line.split()[1]), headers, body

    return asyncio.run(scenario())
