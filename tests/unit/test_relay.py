"""functions/gateway/relay.py: how long a function may take until its answer begins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import Request

from functions.gateway import contract, relay

# Enough for a busy machine to begin an answer; what is slow takes longer, in three pauses.
SECONDS, PAUSE_SECONDS = 3.0, 1.5
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


async def ask(function: Behaviour, body: AsyncIterator[bytes] | None = None) -> list[Any]:
    """What a client is sent, when the function behind the gateway does that."""
    sent: list[Any] = []
    headers = [(b"transfer-encoding", b"chunked")] if body else []
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "http_version": "1.1",
        "headers": headers,
    }
    scope |= {"path": "/", "raw_path": b"/", "query_string": b""}

    async def receive() -> dict[str, Any]:
        nonlocal body
        if body is None:
            await asyncio.Event().wait()
        assert body
        piece = await anext(body, b"")
        body = body if piece else None
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await function(reader, writer)
        finally:
            # Also when it is cancelled, as what is left is at the end.
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await relay.Relay(Request(scope), f"http://127.0.0.1:{port}", SECONDS)(scope, receive, send)
        await (await relay.forwarder()).__aexit__(None, None, None)
    return sent


@pytest.fixture(autouse=True)
def own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one event loop are of no use to another."""
    monkeypatch.setattr(relay, "_shared", None)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers at once, and is not done for long."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    for _ in range(3):
        await asyncio.sleep(PAUSE_SECONDS)
        writer.write(b"x")
    await writer.drain()


async def after_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"0\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def slowly_sent() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"x"
        await asyncio.sleep(PAUSE_SECONDS)


def test_a_function_that_says_nothing_is_not_waited_for() -> None:
    started, *rest = asyncio.run(ask(silent))
    assert started["status"] == 504
    assert json.loads(rest[0]["body"])["code"] == "timed-out"


def test_an_answer_that_has_begun_may_take_its_time() -> None:
    started, *rest = asyncio.run(ask(slow_body))
    assert started["status"] == 200
    assert b"".join(message["body"] for message in rest) == b"xxx"


def test_the_time_of_the_clients_own_body_does_not_count() -> None:
    assert asyncio.run(ask(after_the_body, slowly_sent()))[0]["status"] == 200


def test_a_body_that_was_sent_slowly_is_no_excuse_for_the_function() -> None:
    assert asyncio.run(ask(silent, slowly_sent()))[0]["status"] == 504


def test_every_route_says_how_long_it_may_take() -> None:
    assert {each.seconds for each in contract.operations()} <= {60, 120, 300}
