"""functions/download/files.py: the MP3 as RFC 9110 has it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from werkzeug.http import parse_options_header

from functions.download import files, links
from functions.shared import tokens
from functions.shared.blobs import Blobs
from functions.shared.jobs.states import State
from functions.shared.problems import Problem
from functions.shared.tables import jobs
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "store")

AUDIO = bytes(range(256)) * 4
SHA = hashlib.sha256(AUDIO).hexdigest()
TAG, WEAK, OTHER = f'"{SHA}"', f'W/"{SHA}"', '"0123"'


@pytest.fixture
def job(store: Blobs) -> Any:
    """A job that is done, with an MP3 of 1024 bytes."""
    return done(store, "talk.mp4")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-", 0, 1024),
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-199", 100, 200),
        ("bytes=1023-", 1023, 1024),
        ("bytes=1000-9999", 1000, 1024),
        ("bytes=-1", 1023, 1024),
        ("bytes=-1024", 0, 1024),
        ("bytes=-9999", 0, 1024),
        ("BYTES=0-9", 0, 10),
        ("bytes= 0-9 ", 0, 10),
        ("bytes=0-" + "9" * 100, 0, 1024),
    ],
)
def test_a_range_gives_exactly_those_bytes(job: Any, asked: str, start: int, stop: int) -> None:
    status, headers, body = answer(job, Range=asked)
    assert (status, body) == (206, AUDIO[start:stop])
    assert headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
    assert headers["content-length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=x",
        "bytes=5-2",
        "bytes=--5",
        "bytes=-0",
        "bytes=1-2-3",
        "bytes=0x1-2",
        "bytes=１-２",
        "items=0-9",
        "bytes=0-9,20-29",
        "bytes=" + "0-0," * 10_000 + "1-1",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_range_that_is_malformed_of_other_units_or_not_one_is_ignored(job: Any, asked: str) -> None:
    status, headers, body = answer(job, Range=asked)
    assert (status, body) == (200, AUDIO)
    assert "content-range" not in headers


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=1024-2000", "bytes=99999999999999999999-"])
def test_a_range_behind_the_end_is_not_satisfiable(job: Any, asked: str) -> None:
    with pytest.raises(Problem) as caught:
        answer(job, Range=asked)
    assert caught.value.status == 416
    assert caught.value.headers["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    ("condition", "status"),
    [(TAG, 206), (WEAK, 200), (OTHER, 200), ("Sat, 21 Nov 2026 09:30:00 GMT", 200), ("nonsense", 200), ("*", 200)],
)
def test_a_range_of_another_version_is_not_given(job: Any, condition: str, status: int) -> None:
    assert answer(job, Range="bytes=0-9", If_Range=condition)[0] == status


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (TAG, 304),
        (WEAK, 304),
        ("*", 304),
        (f"{OTHER}, {TAG}", 304),
        (f"{OTHER},{WEAK}", 304),
        (OTHER, 200),
        ("", 200),
        (SHA[:10], 200),
        ('""', 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_has_already_is_not_sent_again(job: Any, method: str, condition: str, status: int) -> None:
    got, headers, body = answer(job, method, If_None_Match=condition)
    assert (got, headers["etag"]) == (status, TAG)
    assert body == (AUDIO if (method, status) == ("GET", 200) else b"")


def test_not_modified_comes_before_any_range(job: Any) -> None:
    assert answer(job, If_None_Match=TAG, Range="bytes=5000-")[0] == 304


def test_head_tells_of_the_whole_file_since_ranges_are_for_get(job: Any) -> None:
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=5000-"}):
        status, got, body = answer(job, "HEAD", **headers)
        assert (status, got["content-length"], body) == (200, "1024", b"")
        assert got["accept-ranges"] == "bytes"


def test_the_file_is_sent_as_an_mp3_that_no_shared_cache_keeps(job: Any) -> None:
    _, headers, body = answer(job)
    assert hashlib.sha256(body).hexdigest() == headers["etag"].strip('"')
    assert headers["content-type"] == "audio/mpeg"
    assert "private" in headers["cache-control"]


@pytest.mark.parametrize(
    ("filename", "offered"),
    [
        ("talk.mp4", "talk.mp3"),
        ("a.b.c.mkv", "a.b.c.mp3"),
        ("no extension", "no extension.mp3"),
        ("Lecture 3.2 Introduction", "Lecture 3.2 Introduction.mp3"),
        ("Lecture 3.2 Introduction.MOV", "Lecture 3.2 Introduction.mp3"),
        ("Vol.1", "Vol.1.mp3"),
        ("interview.2024-05-01", "interview.2024-05-01.mp3"),
        ("twice.mp4.mkv", "twice.mp4.mp3"),
        ("👩\u200d🚀 می\u200cخواهم.webm", "👩\u200d🚀 می\u200cخواهم.mp3"),
        ("Grüße 你好 🎬.mp4", "Grüße 你好 🎬.mp3"),
        ('quo"te\\back%41.mp4', 'quo"te\\back%41.mp3'),
        ("semi;colon=x.mp4", "semi;colon=x.mp3"),
        (".mp4", ".mp4.mp3"),
        ("..", "...mp3"),
        ("a'b*c.mp4", "a'b*c.mp3"),
    ],
)
def test_the_file_is_named_after_the_video(store: Blobs, filename: str, offered: str) -> None:
    header = answer(done(store, filename))[1]["content-disposition"]
    kind, parameters = parse_options_header(header)
    assert header.isascii()
    assert (kind, parameters["filename"]) == ("attachment", offered)


def test_chapters_that_were_split_are_a_zip(store: Blobs) -> None:
    _, headers, _ = answer(done(store, "talk.mp4", chapters="split"))
    assert headers["content-type"] == "application/zip"
    assert parse_options_header(headers["content-disposition"])[1]["filename"] == "talk.zip"


@pytest.mark.parametrize("state", [state for state in State if state not in (State.DONE, State.EXPIRED)])
def test_a_job_that_is_not_done_says_so(state: str) -> None:
    with pytest.raises(Problem) as caught:
        answer(rows.read(rows.job(state)))
    assert (caught.value.code, caught.value.members) == ("wrong-state", {"state": state})


def test_an_expired_job_and_a_file_that_is_gone_are_gone(job: Any, store: Blobs) -> None:
    with pytest.raises(Problem) as caught:
        answer(rows.read(rows.job("expired")))
    assert caught.value.status == 410
    store.delete(job.audio)
    with pytest.raises(Problem) as caught:
        answer(job)
    assert caught.value.status == 410


@pytest.mark.usefixtures("secrets")
def test_a_signed_link_finds_its_job_while_there_is_one(job: Any) -> None:
    assert links.job_behind(tokens.link(tokens.Link(job.id), job.expires_at.timestamp())).id == job.id
    with pytest.raises(Problem) as caught:
        links.job_behind(tokens.link(tokens.Link("0" * 32), job.expires_at.timestamp()))
    assert caught.value.status == 404


def done(store: Blobs, filename: str, **options: Any) -> Any:
    job = rows.job(
        "done", filename=filename, options=options, audio_bytes=len(AUDIO), audio_sha256=SHA, fencing_token=1
    )
    with store.writing(f"audio/{job}.1") as writer:
        writer.write(AUDIO)
    rows.change(jobs, jobs.c.id == job, audio=f"audio/{job}.1")
    return rows.read(job)


def answer(job: Any, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the response to a request with these headers."""
    pairs = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    response = files.respond(Request({"type": "http", "method": method, "headers": pairs}), job)
    return response.status_code, dict(response.headers), asyncio.run(content(response))


async def content(response: Any) -> bytes:
    if isinstance(response, StreamingResponse):
        return b"".join([piece async for piece in response.body_iterator if isinstance(piece, bytes)])
    return bytes(response.body)
