"""functions/shared/pace.py and protocol.py: how slow a client may be. A real server, with less patience."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import uvicorn

from functions.shared.pace import Pace
from functions.shared.protocol import BoundedProtocol
from tests.patience import PATIENCE

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
# Longer than the server waits for anything, by far.
LONG = 6.0


class Hasty(BoundedProtocol):
    """Waits for a second and a half."""

    pace = Pace(head_seconds=1.5, window_seconds=0.5, body_bytes=1000, body_windows=3, answer_windows=3)
    kinds: ClassVar[set[type]] = set()

    def data_received(self, data: memoryview) -> None:  # type: ignore[override]
        """Notes as what it comes."""
        self.kinds.add(type(data))
        super().data_received(data)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, then waits as long as the path says, then answers as many bytes as the query says."""
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(float(scope["path"][1:] or 0))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(int(scope["query_string"] or 1)):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    await send({"type": "http.response.body"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=Hasty, loop="uvloop", ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    """A connection to it."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as opened:
        yield opened


def test_what_comes_is_read_into_memory_of_ours(connection: socket.socket) -> None:
    # And not, as uvloop does it otherwise, a quarter of a mebibyte at a time, which it copies.
    connection.sendall(HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello")
    assert answer(connection).startswith(b"HTTP/1.1 200")
    assert Hasty.kinds == {memoryview}


def drip(connection: socket.socket, data: bytes, seconds: float) -> bool:
    """Send byte by byte. Returns: whether the server took it all until the end."""
    try:
        for number in range(int(seconds / 0.1)):
            connection.sendall(data[number % len(data)].to_bytes())
            time.sleep(0.1)
    except ConnectionError:
        return False
    return True


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server ends it: by a reset, if it has not read all that was sent."""
    said = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            said += piece
    return bytes(said)


@pytest.mark.parametrize("begun", [b"", b"POST /", HEAD, HEAD + b"X-Long: "])
def test_a_head_that_does_not_come_is_not_waited_for(connection: socket.socket, begun: bytes) -> None:
    """Slowloris: each byte comes well before a connection without any would be ended."""
    connection.sendall(begun)
    drip(connection, b"X-" if begun else b"\r\n", 3)
    said = answer(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "too-slow"


@pytest.mark.parametrize("framing", [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_that_does_not_go_on_is_not_waited_for(connection: socket.socket, framing: bytes) -> None:
    connection.sendall(HEAD + framing)
    drip(connection, b"1\r\nx\r\n" if b"chunked" in framing else b"x", 4)
    assert answer(connection).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_that_is_fast_enough_is_taken(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 60000\r\nConnection: close\r\n\r\n")
    for _ in range(60):
        connection.sendall(b"x" * 1000)
        time.sleep(LONG / 60)
    assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_handler_that_takes_its_time_is_not_the_clients_fault(connection: socket.socket) -> None:
    connection.sendall(b"GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % LONG)
    assert answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_was_not_told_to_send_its_body_is_not_slow(port: int) -> None:
    async def patient(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3)
        await app({**scope, "path": "/"}, receive, send)

    # Its own server: the handler asks for the body late.
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(patient, http=Hasty, ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"x")
        assert answer(connection).startswith(b"HTTP/1.1 200 ")
    server.should_exit = True
    thread.join(PATIENCE)


def test_an_answer_that_is_not_taken_is_given_up(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"GET /?1000 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(LONG)
    taken = 0
    with contextlib.suppress(ConnectionError):
        # A system that has closed the connection says so to this; else it goes on for minutes with what it has left.
        connection.sendall(b"GET")
        while piece := connection.recv(1 << 20):
            taken += len(piece)
    assert taken < 1000 * 65_536


def test_an_answer_that_is_taken_slowly_arrives_whole(port: int) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /?200 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        taken = 0
        while piece := connection.recv(32_768):
            taken += len(piece)
            time.sleep(0.01)
    assert taken > 200 * 65_536


def test_a_connection_without_a_request_is_left_alone(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with connection.makefile("rb") as stream:
            assert stream.readline().startswith(b"HTTP/1.1 200 ")
            while stream.readline() != b"0\r\n":
                pass
            stream.readline()
        time.sleep(3)
