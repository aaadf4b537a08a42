"""The server that all functions have: over real processes, by raw sockets."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from functions.shared.protocol import MAX_WAITING
from tests.e2e.alone import refuses, serving, sign_up, told
from tests.e2e.inside import peak_rss
from tests.patience import PATIENCE, eventually
from tests.unit.sink import Sink

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a cluster tells every function: stores (with tables), keys, and no sink."""
    data = tmp_path_factory.mktemp("server")
    return told(f"sqlite:///{data}/rows.db", data)


@pytest.mark.parametrize("begun", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_request_on_its_way_when_the_process_is_told_to_stop_is_answered(
    environment: dict[str, str], begun: bytes
) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving("sweep", environment) as (process, client), connected(client) as connection:
        connection.sendall(begun)
        # Taken in later than ours: so ours is, too.
        assert client.get("/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(client), "no new connections")
        connection.sendall(whole[len(begun) :])
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 200 ")
        assert process.wait(PATIENCE) == 0


def test_what_comes_after_the_answer_is_done_before_the_process_ends_though_the_client_has_gone(
    environment: dict[str, str],
) -> None:
    with serving("login", environment) as (_, login):
        token = sign_up(login)["Authorization"]
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 1\r\n\r\nx"
    with Sink() as sink, serving("upload", {**environment, "K_SINK": sink.url}) as (process, client):
        sink.hold.clear()
        with connected(client) as connection:
            connection.sendall(head.encode())
            assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 202 ")
            eventually(lambda: sink.requests, "the event is being sent")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(client), "no new connections")
        assert process.poll() is None
        sink.hold.set()
        assert process.wait(PATIENCE) == 0
        assert sink.types() == ["video.uploaded"]
        assert sent(environment, sink.received[0].id)


def test_trailers_without_end_are_refused_before_they_fill_the_memory(environment: dict[str, str]) -> None:
    with serving("gateway", environment) as (_, client), connected(client) as connection:
        connection.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Big: ")
        assert refused(connection, b"x" * MEBIBYTE)


def test_of_many_requests_sent_ahead_some_are_answered_and_the_connection_ends(environment: dict[str, str]) -> None:
    """One connection must not have the event loop for itself."""
    with serving("gateway", environment) as (_, client), connected(client) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        answers = connection.makefile("rb").read().split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200"] * (MAX_WAITING + 1)
        assert b"connection: close" in answers[-1].lower()
        assert client.get("/healthz").status_code == 200


def test_an_answer_without_a_body_comes_before_the_refusal_of_what_follows_it(environment: dict[str, str]) -> None:
    with serving("gateway", environment) as (_, client), connected(client) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n")
        answers = connection.makefile("rb").read().split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200"]
        assert answers[0].endswith(b"\r\n\r\n")


def test_a_function_takes_a_request_after_one_whose_body_it_did_not_read(environment: dict[str, str]) -> None:
    """On one connection: the rest of the body is not taken for a request."""
    with serving("sweep", environment) as (_, client), connected(client) as connection:
        body = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = connection.makefile("rb").read()
    assert [answer[:3] for answer in answers.split(b"HTTP/1.1 ")[1:]] == [b"404", b"200"]


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    """A connection to the client's function."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=PATIENCE) as connection:
        yield connection


def refused(connection: socket.socket, piece: bytes) -> bool:
    """Whether the other side ends the connection instead of taking a piece over and over."""
    try:
        for _ in range(16):
            connection.sendall(piece)
        return connection.recv(1) == b""
    except (BrokenPipeError, ConnectionResetError):
        return True


def sent(environment: dict[str, str], event_id: str) -> bool:
    """Whether an event is marked as sent."""
    path = environment["DATABASE_URL"].removeprefix("sqlite:///")
    assert Path(path).exists()
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
        ((sent_at,),) = connection.execute("SELECT sent_at FROM outbox WHERE event_id = ?", (event_id,))
    return sent_at is not None


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_connections_without_a_request_do_not_keep_others_out(environment: dict[str, str], begun: bytes) -> None:
    """Idle ones, and slowloris; more of them than the process may have files."""
    with serving("gateway", environment, most_files=200) as (_, client), ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(client)).sendall(begun)
        for _ in range(5):
            with httpx.Client(base_url=client.base_url, timeout=PATIENCE) as other:
                assert other.get("/healthz").status_code == 200


def test_a_request_under_way_is_answered_though_there_are_too_many_connections(environment: dict[str, str]) -> None:
    """Nobody waits who could make room: who comes now is not taken."""
    begun = b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    begun += b"Connection: close\r\nContent-Length: 3\r\n\r\n"
    with serving("login", environment, most_files=80) as (_, client), ExitStack() as stack:
        at_work = [stack.enter_context(connected(client)) for _ in range(40)]
        for connection in at_work:
            connection.sendall(begun)
        with connected(client) as late, suppress(ConnectionError):
            late.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert late.makefile("rb").read() == b""
        # The first one, which has a thread.
        at_work[0].sendall(b"a=b")
        head, _, body = at_work[0].makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["status"] == 400


def test_heads_that_never_end_do_not_fill_the_memory(environment: dict[str, str]) -> None:
    """Each of them is shorter than is allowed."""
    with serving("gateway", environment) as (process, client), ExitStack() as stack:
        client.get("/healthz")
        before = peak_rss(process.pid)
        for _ in range(150):
            with suppress(ConnectionError):
                connection = stack.enter_context(connected(client))
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 1_900_000)
        assert client.get("/healthz").status_code == 200
        assert peak_rss(process.pid) - before < 200 * MEBIBYTE
