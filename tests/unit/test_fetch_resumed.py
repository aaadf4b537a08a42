"""functions.upload.fetch: what broke off is gone on with, and never becomes a mixture of two files."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared import connections
from functions.shared.addresses import HostUnreachable
from functions.shared.reasons import Failure
from functions.upload import fetch
from functions.upload.fetch import Remote, TimeUp
from tests.patience import PATIENCE
from tests.unit.origin import Origin, Pieces

CONTENT = random.Random(13).randbytes(400_000)
OTHER = random.Random(14).randbytes(300_000)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "127.0.0.0/8")


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(CONTENT) as running:
        yield running


def get(origin: Origin, remote: Remote | None = None, sink: Pieces | None = None, seconds: float = PATIENCE) -> Pieces:
    sink = sink or Pieces()
    fetch.fetch(origin.url, remote or Remote(), sink, time.monotonic() + seconds)
    return sink


@pytest.mark.parametrize("validator", ["etag", "modified"])
def test_it_goes_on_where_it_broke_off(origin: Origin, validator: str) -> None:
    origin.validator = validator
    for after in (1, 100_000, 150_000):
        origin.cut(after)
    sink = get(origin)
    assert (bytes(sink.content), sink.restarts) == (CONTENT, 0)
    assert origin.asked == ["", "bytes=1-", "bytes=100001-", "bytes=250001-"]


@pytest.mark.parametrize("validator", ["weak", "none"])
def test_what_cannot_be_proven_to_be_the_same_begins_anew(origin: Origin, validator: str) -> None:
    origin.validator = validator
    origin.cut(100_000)
    sink = get(origin)
    assert (bytes(sink.content), sink.restarts) == (CONTENT, 1)
    assert origin.asked == ["", ""]


def test_a_date_that_may_be_of_two_files_proves_nothing(origin: Origin) -> None:
    origin.validator, origin.modified = "modified", time.time() + PATIENCE
    origin.cut(100_000)
    assert bytes(get(origin).content) == CONTENT
    assert origin.asked == ["", ""]


def test_a_server_that_sends_all_again_is_listened_to_from_the_start(origin: Origin) -> None:
    origin.ranges = False
    origin.cut(100_000)
    sink = get(origin)
    assert (bytes(sink.content), sink.restarts) == (CONTENT, 1)
    assert origin.asked == ["", "bytes=100000-"]


@pytest.mark.parametrize("validator", ["etag", "modified"])
def test_a_file_that_changed_meanwhile_is_the_new_one_from_its_first_byte(origin: Origin, validator: str) -> None:
    def change() -> None:
        origin.content, origin.modified = OTHER, origin.modified + 60

    origin.validator = validator
    origin.cut(100_000)
    origin.act(change)
    sink = get(origin)
    assert (bytes(sink.content), sink.restarts) == (OTHER, 1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Range": "bytes 5-9/400000"}, 206),
        ({"Content_Range": "bytes 100000-199999/5"}, 206),
        ({"Content_Range": "pages 1-2/3"}, 206),
        ({}, 206),
        ({"Content_Range": "bytes 100000-399999/400000", "ETag": '"another"'}, 206),
        ({"Content_Range": "bytes */7"}, 416),
    ],
)
def test_a_range_of_something_else_is_not_taken(origin: Origin, headers: dict[str, str], status: int) -> None:
    origin.cut(100_000)
    origin.status(status, **headers)
    assert bytes(get(origin).content) == CONTENT
    assert origin.asked == ["", "bytes=100000-", ""]


def test_a_server_that_sends_less_of_a_range_than_was_asked_for_is_asked_for_the_rest(origin: Origin) -> None:
    def part(handler: object) -> bool:
        headers = [("ETag", origin.etag), ("Content-Length", "1000")]
        handler.head(206, [*headers, ("Content-Range", f"bytes 100000-100999/{len(CONTENT)}")])  # type: ignore[attr-defined]
        handler.wfile.write(CONTENT[100_000:101_000])  # type: ignore[attr-defined]
        return True

    origin.cut(100_000)
    origin.turns.append(part)
    assert bytes(get(origin).content) == CONTENT
    assert origin.asked == ["", "bytes=100000-", "bytes=101000-"]


def test_a_file_that_is_another_one_each_time_is_given_up_on_keeping(origin: Origin) -> None:
    def another(handler: Any) -> bool:
        origin.content = origin.content[1:] + b"x"
        return bool(handler.answer(1000))

    remote, sink = Remote(), Pieces()
    for _ in range(fetch.MAX_RESTARTS + 1):
        origin.turns.append(another)
    for _ in range(fetch.MAX_RESTARTS):
        with suppress(HostUnreachable):
            get(origin, remote, sink)
    assert bytes(sink.content) == origin.content
    assert not remote.resumable


def test_it_stops_when_nothing_more_comes_and_keeps_what_came(origin: Origin) -> None:
    remote, sink = Remote(), Pieces()
    origin.cut(100_000)
    for _ in range(3):
        origin.status(503)
    with pytest.raises(HostUnreachable):
        get(origin, remote, sink)
    assert (remote.received, len(sink.content), remote.resumable) == (100_000, 100_000, True)
    get(origin, remote, sink)
    assert bytes(sink.content) == CONTENT


def test_a_server_that_says_when_is_not_asked_before(origin: Origin) -> None:
    origin.status(429, Retry_After="120")
    with pytest.raises(HostUnreachable) as caught:
        get(origin)
    assert caught.value.retry_after == 120
    assert len(origin.asked) == 1


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("0", 0, 0),
        ("120", 120, 120),
        (formatdate(1000, usegmt=True), 0, 0),
        ("9" * 5000, 10**8, 10**9),
        ("soon", 0, 0),
        ("-1", 0, 0),
        ("1e9", 0, 0),
        ("\xb2", 0, 0),
        ("Sun, 06 Nov 99999 08:49:37 GMT", 0, 0),
    ],
)
def test_when_to_ask_again_is_read_as_seconds_or_as_a_date(said: str, least: float, most: float) -> None:
    assert least <= fetch._retry_after({"retry-after": said}) <= most


def test_when_to_ask_again_may_be_some_hours_away() -> None:
    said = formatdate(time.time() + 10_000, usegmt=True)
    assert 9000 <= fetch._retry_after({"retry-after": said}) <= 10_000


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507, 520, 408, 425, 429])
def test_a_server_that_has_no_time_is_tried_again(origin: Origin, status: int) -> None:
    origin.status(status)
    assert bytes(get(origin).content) == CONTENT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 412, 418, 451, 501, 505])
def test_a_final_answer_is_one_also_in_the_middle(origin: Origin, status: int) -> None:
    origin.cut(100_000)
    origin.status(status)
    with pytest.raises(Failure) as caught:
        get(origin)
    assert caught.value.code == "unreachable"
    assert len(origin.asked) == 2


def test_a_body_that_was_compressed_though_nobody_asked_is_refused(origin: Origin) -> None:
    origin.status(200, Content_Encoding="gzip")
    with pytest.raises(Failure) as caught:
        get(origin)
    assert "Content-Encoding" in caught.value.detail


@given(cuts=st.lists(st.integers(0, 90_000), max_size=6), changes=st.sets(st.integers(0, 5)))
def test_whatever_breaks_it_is_the_file_of_one_moment(cuts: list[int], changes: set[int]) -> None:
    """Cut anywhere, changed at any cut: what is there in the end is one version, whole."""
    versions = [random.Random(number).randbytes(90_000 + number) for number in range(7)]
    with Origin(versions[0]) as origin:
        for number, after in enumerate(cuts):

            def turn(handler: object, number: int = number, after: int = after) -> bool:
                if number in changes:
                    origin.content = versions[number + 1]
                return bool(handler.answer(after))  # type: ignore[attr-defined]

            origin.turns.append(turn)
        remote, sink = Remote(), Pieces()
        for _ in range(10):
            with suppress(HostUnreachable):
                get(origin, remote, sink)
        assert bytes(sink.content) == origin.content


class Dripping:
    """A server that says what it is told to, byte by byte."""

    def __init__(self, said: bytes, pause: float) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._serve, args=(said, pause), daemon=True).start()

    def _serve(self, said: bytes, pause: float) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                with closing(caller), suppress(OSError):
                    for byte in said:
                        caller.sendall(bytes((byte,)))
                        time.sleep(pause)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Filler: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_one_that_says_little_at_a_time_is_hung_up_on(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(connections, "SLOW_BYTES", 5000)
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match="less than"):
        fetch.fetch(Dripping(head + b"x" * 9000, 0.002).url, Remote(), Pieces(), began + PATIENCE)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Filler: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_the_time_of_a_delivery_ends_in_a_head_and_in_a_body(head: bytes) -> None:
    with pytest.raises(TimeUp):
        fetch.fetch(Dripping(head + b"x" * 9000, 0.01).url, Remote(), Pieces(), time.monotonic() + 0.5)


@pytest.mark.parametrize(
    "flood",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 200_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        b"\0" * 1_000_000,
    ],
    ids=["headers", "one long header", "interim answers", "no HTTP"],
)
def test_a_flood_instead_of_a_head_is_cut_off(flood: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = listening.accept()
                    with closing(caller), suppress(OSError):
                        caller.sendall(flood)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with pytest.raises(HostUnreachable):
            fetch.fetch(url, Remote(), Pieces(), time.monotonic() + PATIENCE)


def test_the_date_is_read_as_servers_write_it() -> None:
    answered = {"date": formatdate(1000, usegmt=True), "last-modified": formatdate(999, usegmt=True)}
    assert fetch._validator(answered) == answered["last-modified"]
    assert fetch._validator(answered | {"last-modified": answered["date"]}) == ""
    assert fetch._validator(answered | {"date": "yesterday"}) == ""
    assert fetch._validator({"last-modified": answered["date"]}) == ""
    assert fetch._validator(answered | {"etag": '"a"'}) == '"a"'
    assert fetch._validator(answered | {"etag": 'W/"a"'}) == ""
