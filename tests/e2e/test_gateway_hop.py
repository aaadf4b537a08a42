"""What the gateway adds to the requests and answers that it passes on, and which answers it does not pass on."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.e2e.alone import run, serving
from tests.e2e.inside import check_problem
from tests.patience import PATIENCE
from tests.proxy import Relay

OPEN_ROUTE = "/.well-known/jwks.json"
VIA = "1.1 audiolift-gateway"


class Upstream(ThreadingHTTPServer):
    """Stands for the ingress and the function behind it: tells what arrived, or answers as the test has set it."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] | None = None
    arrivals = 0


class Telling(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        self.server.arrivals += 1
        told = json.dumps(self.headers.items()).encode()
        status, headers, body = self.server.answer or (200, {"content-type": "application/json"}, told)
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def jwks() -> str:
    return str(json.loads(run("functions.login.keys", os.environ).stdout)["jwks"])


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(("127.0.0.1", 0), Telling) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def gateway(jwks: str, upstream: Upstream) -> Iterator[httpx.Client]:
    with gateway_before(f"http://127.0.0.1:{upstream.server_port}", jwks) as client:
        yield client


@contextmanager
def gateway_before(login: str, jwks: str) -> Iterator[httpx.Client]:
    with serving("gateway", {**os.environ, "JWKS": jwks, "HOST": "127.0.0.1", "LOGIN_URL": login}) as (_, client):
        yield client


def told(gateway: httpx.Client, headers: dict[str, str]) -> dict[str, str]:
    """What the function saw; no name twice."""
    answer = gateway.get(OPEN_ROUTE, headers=headers)
    assert answer.status_code == 200, answer.text
    pairs = [(name.lower(), value) for name, value in answer.json()]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_host_is_that_of_the_address_called(gateway: httpx.Client, upstream: Upstream) -> None:
    seen = told(gateway, {"Host": "audiolift.example.org"})

    assert seen["host"] == f"127.0.0.1:{upstream.server_port}"
    assert seen["x-forwarded-host"] == "audiolift.example.org"
    assert seen["forwarded"] == 'for=127.0.0.1;host="audiolift.example.org";proto=http'
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert seen["via"] == VIA


def test_what_earlier_proxies_said_is_kept_and_ours_comes_last(gateway: httpx.Client) -> None:
    seen = told(
        gateway,
        {
            "Host": "inner.example:8080",
            "Via": "1.0 edge (squid, of sorts)",
            "Forwarded": 'for="[2001:db8::1]";proto=https',
            "X-Forwarded-For": "2001:db8::1",
            "X-Forwarded-Host": "outer.example",
            "X-Forwarded-Proto": "https",
        },
    )

    assert seen["via"] == f"1.0 edge (squid, of sorts), {VIA}"
    assert seen["forwarded"] == ('for="[2001:db8::1]";proto=https, for=127.0.0.1;host="inner.example:8080";proto=http')
    assert seen["x-forwarded-for"] == "2001:db8::1, 127.0.0.1"
    assert seen["x-forwarded-host"] == "outer.example, inner.example:8080"
    assert seen["x-forwarded-proto"] == "https"


def test_a_client_cannot_have_dropped_what_the_gateway_adds(gateway: httpx.Client) -> None:
    names = "via, forwarded, x-forwarded-for, x-forwarded-host, host"
    seen = told(gateway, {"Host": "audiolift.example.org", "Connection": names})

    assert seen["via"] == VIA
    assert seen["x-forwarded-for"] == "127.0.0.1"


def test_a_host_cannot_break_out_of_its_quotes(gateway: httpx.Client) -> None:
    seen = told(gateway, {"Host": 'a";for="b\\'})

    assert seen["forwarded"] == r'for=127.0.0.1;host="a\";for=\"b\\";proto=http'


@pytest.mark.parametrize(
    "name", ["K-Original-Host", "K-Network-Probe", "Knative-Serving-Revision", "X-Envoy-Upstream-Rq-Timeout-Ms"]
)
def test_what_the_cluster_takes_orders_by_is_not_for_clients(gateway: httpx.Client, name: str) -> None:
    assert name.lower() not in told(gateway, {name: "1"})


def test_an_answer_tells_that_it_came_by_the_gateway(gateway: httpx.Client, upstream: Upstream) -> None:
    assert gateway.get(OPEN_ROUTE).headers["via"] == VIA
    upstream.answer = (200, {"Via": "1.1 inner"}, b"")
    assert gateway.get(OPEN_ROUTE).headers.get_list("via") == [f"1.1 inner, {VIA}"]


def test_a_request_that_comes_back_to_the_gateway_ends_there(jwks: str) -> None:
    """As on a cluster whose ingress sends what is meant for login to the gateway again."""
    with Loop(0) as loop, gateway_before(f"http://127.0.0.1:{loop.port}", jwks) as client:
        loop.target = client.base_url.port or 0
        check_problem(client.get(OPEN_ROUTE), 508, "loop-detected")
    assert loop.taken == 1


class Loop(Relay):
    """Refuses the tenth connection."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.taken < 9:
            await super()._serve(reader, writer)


@pytest.mark.parametrize("via", ["1.1 audiolift-gateway", "1.0 a, HTTP/1.1 audiolift-gateway (x), 1.1 b"])
def test_the_gateway_knows_its_name_wherever_it_stands(gateway: httpx.Client, upstream: Upstream, via: str) -> None:
    check_problem(gateway.get(OPEN_ROUTE, headers={"Via": via}), 508, "loop-detected")
    assert upstream.arrivals == 0


@pytest.mark.parametrize("via", ["1.1 other", "1.1 not-audiolift-gateway", "audiolift-gateway", "", "1.1"])
def test_other_proxies_may_pass(gateway: httpx.Client, via: str) -> None:
    assert told(gateway, {"Via": via})["via"].endswith(VIA)


def test_the_name_of_a_header_is_known_in_any_case(gateway: httpx.Client, upstream: Upstream) -> None:
    for name in ("content-type", "Content-Type", "CONTENT-TYPE"):
        upstream.answer = (503, {name: "application/problem+json"}, b'{"code": "unavailable"}')
        answer = gateway.get(OPEN_ROUTE)
        assert (answer.status_code, answer.json()) == (503, {"code": "unavailable"})


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {"server": "envoy"}, b""),
        (404, {"content-type": "text/plain; charset=utf-8"}, b"Error getting active endpoint: not found\n"),
        (500, {}, b""),
        (502, {"content-type": "text/plain; charset=utf-8"}, b"EOF\n"),
        (503, {"content-type": "text/plain; charset=utf-8"}, b"pending request queue full\n"),
        (503, {"content-type": "text/plain"}, b"no healthy upstream"),
        (504, {"content-type": "text/plain; charset=utf-8"}, b"request timeout"),
    ],
)
def test_what_stands_before_a_function_does_not_speak_for_it(
    gateway: httpx.Client, upstream: Upstream, status: int, headers: dict[str, str], body: bytes
) -> None:
    upstream.answer = (status, headers, body)
    check_problem(gateway.get(OPEN_ROUTE), 502, "bad-gateway")


def test_headers_as_large_as_the_ingress_lets_through_come_back(gateway: httpx.Client, upstream: Upstream) -> None:
    upstream.answer = (200, {"X-Large": "x" * 50_000}, b"")
    assert len(gateway.get(OPEN_ROUTE).headers["x-large"]) == 50_000


def test_a_host_that_is_no_text_is_passed_on_as_it_came(gateway: httpx.Client) -> None:
    connection = HTTPConnection(gateway.base_url.host, gateway.base_url.port or 0, timeout=PATIENCE)
    connection.putrequest("GET", OPEN_ROUTE, skip_host=True)
    connection.putheader("Host", b"\xff.example")
    connection.endheaders()
    assert connection.getresponse().status == 200
    connection.close()
