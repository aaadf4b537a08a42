"""What passes through the activator: bodies of any size both ways at once, and nothing that belongs to one hop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.local_cluster import Place

MEGABYTE = 1024 * 1024


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_a_large_body_passes_in_flat_memory(place: Place) -> None:
    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{url}/count", data=_zeros(200)) as answer:
                assert await answer.text() == str(200 * MEGABYTE)
            async with session.get(f"{url}/stream/200") as answer:
                assert sum([len(chunk) async for chunk in answer.content.iter_any()]) == 200 * MEGABYTE

    with place.runner() as runner:
        before = runner.peak_memory()
        asyncio.run(scenario(runner.addresses["edge"]))
        assert runner.peak_memory() - before < 32 * MEGABYTE


def test_an_early_refusal_arrives_while_the_body_is_still_coming(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, _):
            reader, writer = await _connected(local.url)
            writer.write(_head("POST /refuse/413", f"Content-Length: {200 * MEGABYTE}"))
            writer.write(b"x" * MEGABYTE)
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
            writer.close()

    asyncio.run(scenario())


def test_an_early_refusal_arrives_though_the_body_is_sent_to_its_end(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            for _ in range(20):
                async with session.post(f"{local.url}/refuse/413", data=_zeros(20)) as answer:
                    assert (answer.status, await answer.text()) == (413, "no")

    asyncio.run(scenario())


def test_100_continue_comes_from_the_function(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, _):
            reader, writer = await _connected(local.url)
            writer.write(_head("POST /count", "Content-Length: 5", "Expect: 100-continue"))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert place.seen == ["continue"]
            writer.write(b"12345")
            answer = await reader.readuntil(b"\r\n\r\n")
            assert (answer.splitlines()[0], await reader.readexactly(1)) == (b"HTTP/1.1 200 OK", b"5")
            writer.close()

    asyncio.run(scenario())


def test_a_refusal_needs_no_100_continue(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, _):
            reader, writer = await _connected(local.url)
            writer.write(_head("POST /refuse/413", f"Content-Length: {200 * MEGABYTE}", "Expect: 100-continue"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
            writer.close()

    asyncio.run(scenario())


def test_server_sent_events_arrive_one_by_one(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session), session.get(f"{local.url}/tick/go") as answer:
            assert await answer.content.readuntil(b"\n\n") == b"data: one\n\n"
            place.make("go")
            assert await answer.content.readuntil(b"\n\n") == b"data: two\n\n"

    asyncio.run(scenario())


def test_an_answer_that_breaks_off_does_not_look_whole(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            with pytest.raises(aiohttp.ClientError):
                async with session.get(f"{local.url}/break-off") as answer:
                    await answer.read()

    asyncio.run(scenario())


def test_path_and_query_pass_as_they_are(place: Place) -> None:
    assert _told(place, "GET /tell/a%2Fb/%C3%A9//c?x=%20+y&z")["target"] == "/tell/a%2Fb/%C3%A9//c?x=%20+y&z"


def test_headers_of_one_hop_stay_there(place: Place) -> None:
    sent = [
        "Connection: X-Mine, keep-alive",
        "X-Mine: 1",
        "TE: trailers",
        "Proxy-Authorization: Basic eA==",
        "X-Kept: 2",
    ]
    names = {name.lower() for name, _ in _told(place, "GET /tell", *sent)["headers"]}
    of_serving = {"x-forwarded-for", "x-forwarded-proto", "forwarded", "x-request-id", "k-proxy-request"}
    assert names == {"host", "x-kept", "connection", *of_serving}


def test_nobody_lies_about_where_a_request_came_from(place: Place) -> None:
    sent = ["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: a"]
    headers = dict(_told(place, "GET /tell", *sent)["headers"])
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["Forwarded"] == "for=127.0.0.1;proto=http"
    assert headers["Host"] == "audiolift.test"
    assert "X-Forwarded-Host" not in headers


def test_header_values_keep_their_bytes(place: Place) -> None:
    assert dict(_told(place, "GET /tell", "X-Name: é")["headers"])["X-Name"] == "é"


def test_no_request_leads_to_another_host(place: Place) -> None:
    assert _told(place, "GET http://elsewhere.example/tell?x")["target"] == "/tell?x"


def test_a_request_that_is_no_http_gets_a_400_and_no_stack_trace(place: Place) -> None:
    async def scenario(url: str) -> None:
        reader, writer = await _connected(url)
        writer.write(b"GET /tell HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()

    with place.runner() as runner:
        asyncio.run(scenario(runner.addresses["edge"]))
        runner.process.terminate()
        assert runner.process.stdout is not None
        assert "Traceback" not in runner.process.stdout.read()


def test_a_client_that_leaves_in_the_middle_leaves_no_stack_trace(place: Place) -> None:
    async def scenario(url: str) -> None:
        for _ in range(5):
            reader, writer = await _connected(url)
            writer.write(_head("GET /stream/50"))
            await reader.readexactly(MEGABYTE)
            writer.transport.abort()

    with place.runner() as runner:
        asyncio.run(scenario(runner.addresses["edge"]))
        runner.process.terminate()
        assert runner.process.stdout is not None
        # The lines of functions have their name in front: this is about the runner's own.
        assert [line for line in runner.process.stdout if line.startswith("Traceback")] == []


def test_a_head_request_gets_the_length_and_no_body(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session), session.head(f"{local.url}/tell") as answer:
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) > 0
            assert await answer.read() == b""

    asyncio.run(scenario())


def test_compressed_bodies_stay_compressed(place: Place) -> None:
    async def scenario() -> None:
        async with place.serving() as (local, session):
            packed = b"\x1f\x8b not really gzip"
            async with session.post(f"{local.url}/count", data=packed, headers={"Content-Encoding": "gzip"}) as answer:
                assert await answer.text() == str(len(packed))

    asyncio.run(scenario())


def _told(place: Place, request: str, *headers: str) -> dict[str, Any]:
    """What the function saw of a request."""

    async def scenario() -> dict[str, Any]:
        async with place.serving() as (local, _):
            reader, writer = await _connected(local.url)
            writer.write(_head(request, *headers))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.splitlines() if line.lower().startswith(b"content-length"))
            body = await reader.readexactly(int(length.split()[1]))
            writer.close()
            told: dict[str, Any] = json.loads(body)
            return told

    return asyncio.run(scenario())


async def _connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


def _head(request: str, *headers: str) -> bytes:
    return "\r\n".join([f"{request} HTTP/1.1", "Host: audiolift.test", *headers, "", ""]).encode()


async def _zeros(megabytes: int) -> AsyncIterator[bytes]:
    for _ in range(megabytes):
        yield bytes(MEGABYTE)
