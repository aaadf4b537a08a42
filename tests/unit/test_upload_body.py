"""functions/upload/body.py: a video out of a request."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from functions.shared.bodies import PIECE
from functions.shared.file_names import clean_name, renamed
from functions.shared.problems import Problem
from functions.upload.body import Received, check_head, name_in_head, receive
from tests import asgi

BOUNDARY = "----boundary7MA4YWxkTrZu0gW"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
HEAD = Received("head.mp4", {})

videos = st.binary(max_size=3000).filter(lambda data: b"\r\n--" + BOUNDARY.encode() not in b"\r\n" + data)


@given(videos, st.lists(st.integers(1, 700), max_size=5))
def test_a_raw_body_arrives_byte_for_byte(video: bytes, sizes: list[int]) -> None:
    got, received = taken(request(video, "video/mp4", sizes))
    assert (got, received) == (video, HEAD)


@given(videos, st.lists(st.integers(1, 700), max_size=5), st.permutations(["file", "quality", "title"]))
def test_a_form_s_file_arrives_byte_for_byte_wherever_it_stands(
    video: bytes, sizes: list[int], order: list[str]
) -> None:
    title = "Übung 録音"
    fields = {"quality": part("quality", b"4"), "title": part("title", title.encode())}
    parts = {"file": part("file", video, "talk.mp4"), **fields}
    got, received = taken(request(form(*(parts[name] for name in order)), FORM, sizes))
    assert got == video
    assert received == Received("talk.mp4", {"quality": 4, "title": title})


@given(st.binary(max_size=500), st.lists(st.integers(1, 50), max_size=3))
def test_whatever_calls_itself_a_form_is_read_or_refused(body: bytes, sizes: list[int]) -> None:
    with suppress(Problem):
        taken(request(body, FORM, sizes))


@given(videos.filter(bool), st.data())
def test_a_form_that_is_cut_anywhere_is_refused(video: bytes, data: st.DataObject) -> None:
    whole = form(part("file", video, "a.mp4"))
    cut = data.draw(st.integers(0, len(whole) - len("--\r\n") - 1))
    with pytest.raises(Problem) as caught:
        taken(request(whole[:cut], FORM, []))
    assert caught.value.code == "bad-request"


@pytest.mark.parametrize("content_type", ["video/mp4", FORM])
def test_a_body_that_ends_before_its_length_is_refused(content_type: str) -> None:
    body = b"x" * 1000 if content_type == "video/mp4" else form(part("file", b"x" * 1000, "a.mp4"))
    with pytest.raises(Problem, match="ended before"):
        taken(request(body[:-400], content_type, [], length=len(body)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--" + BOUNDARY.encode() + b"--\r\n",
        b"no form at all",
        b"--other\r\n\r\nx\r\n--other--\r\n",
    ],
)
def test_a_form_without_a_file_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        taken(request(body, FORM, []))
    assert caught.value.code == "bad-request"


def test_a_form_without_the_video_says_which_field_is_missing() -> None:
    with pytest.raises(Problem, match="no field `file`"):
        taken(request(form(part("quality", b"1")), FORM, []))
    with pytest.raises(Problem, match="the field `file`, not `video`"):
        taken(request(form(part("video", b"x", "a.mp4")), FORM, []))


@pytest.mark.parametrize("name", ["note", "qualty", "Quality", "filename", ""])
def test_a_field_that_is_no_option_is_refused_by_name_before_the_video_comes(name: str) -> None:
    video = request(form(part(name, b"1"), part("file", b"x" * 10**6, "a.mp4")), FORM, [1000] * 1000)
    written: list[bytes] = []
    with pytest.raises(Problem, match=f"`{name}` is no option") as caught:
        take(video, written.append)
    assert (caught.value.code, written) == ("bad-option", [])


def test_an_option_that_comes_twice_is_refused() -> None:
    twice = form(part("file", b"x", "a.mp4"), part("quality", b""), part("quality", b"1"))
    with pytest.raises(Problem, match="Send one `quality`"):
        taken(request(twice, FORM, []))


@pytest.mark.parametrize(
    "body",
    [
        [("file", b"x", "a"), ("file", b"y", "b")],
        [("title", b"x" * 2000, None)],
        [(f"n{number}", b"x", None) for number in range(40)],
        [("file", b"x", "a"), ("quality", b"11", None)],
        [("file", b"x", "a"), ("quality", b"1", None), ("bitrate", b"128", None)],
    ],
)
def test_a_form_that_asks_too_much_is_refused(body: list[tuple[str, bytes, str | None]]) -> None:
    with pytest.raises(Problem) as caught:
        taken(request(form(*(part(*each) for each in body)), FORM, []))
    assert caught.value.status == 400


@pytest.mark.parametrize("parameters", ["", "; boundary=", "; boundary=é"])
def test_a_form_without_a_sound_boundary_is_refused(parameters: str) -> None:
    with pytest.raises(Problem) as caught:
        taken(request(form(part("file", b"x", "a")), f"multipart/form-data{parameters}", []))
    assert caught.value.code == "bad-request"


@pytest.mark.parametrize("content_type", ["video/mp4", FORM])
def test_a_video_may_have_exactly_as_many_bytes_as_are_allowed(
    monkeypatch: pytest.MonkeyPatch, content_type: str
) -> None:
    monkeypatch.setenv("MAX_UPLOAD_BYTES", "1000")

    def made(size: int) -> Request:
        body = form(part("file", b"x" * size, "a")) if content_type == FORM else b"x" * size
        return request(body, content_type, [])

    assert len(taken(made(1000))[0]) == 1000
    with pytest.raises(Problem) as caught:
        taken(made(1001))
    assert (caught.value.code, caught.value.members) == ("too-large", {"limit_bytes": 1000})


def test_a_video_that_says_that_it_is_too_large_is_refused_by_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_UPLOAD_BYTES", "1000")
    check_head(request(b"", "video/mp4", [], length=1000))
    with pytest.raises(Problem) as caught:
        check_head(request(b"", "video/mp4", [], length=1001))
    assert caught.value.code == "too-large"
    check_head(request(b"", FORM, [], length=1001))


@pytest.mark.parametrize(
    "content_type", ["video/mp4", "audio/ogg", "application/octet-stream", "", "VIDEO/MP4; a=b", FORM]
)
def test_videos_sound_and_unnamed_bytes_are_accepted(content_type: str) -> None:
    check_head(request(b"x", content_type, []))


@pytest.mark.parametrize("content_type", ["text/html", "image/png", "application/x-www-form-urlencoded", "video", "x"])
def test_other_kinds_of_body_are_refused_with_what_is_accepted(content_type: str) -> None:
    with pytest.raises(Problem) as caught:
        check_head(request(b"x", content_type, []))
    assert caught.value.status == 415
    assert "multipart/form-data" in caught.value.headers["Accept-Post"]


def test_pieces_are_of_bounded_size() -> None:
    sizes: list[int] = []
    take(request(b"x" * (3 * PIECE + 1), "video/mp4", []), lambda piece: sizes.append(len(piece)))
    whole = form(part("file", b"x" * (3 * PIECE), "a"))
    take(request(whole, FORM, []), lambda piece: sizes.append(len(piece)))
    assert max(sizes) <= PIECE
    assert sum(sizes) == 6 * PIECE + 1


@pytest.mark.parametrize("name", ["x" * 255, "x" * 251 + ".mp4", "😀" * 255])
def test_what_is_made_of_a_video_with_a_long_name_can_be_saved(name: str) -> None:
    assert 200 < len(renamed(clean_name(name), "mp3").encode()) <= 255
    assert renamed(clean_name(name), "mp3").endswith(".mp3")


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("talk.mp4", "talk.mp4"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\talk.mp4", "talk.mp4"),
        ("../../talk.mp4", "talk.mp4"),
        ("a/", "video"),
        ("", "video"),
        ("   ", "video"),
        ("\x00\x1b[31mtalk\r\n.mp4", "[31mtalk.mp4"),
        ("talk\u202e4pm.exe", "talk4pm.exe"),
        ("a\u2028b\u2029c\x85d", "abcd"),
        ("\ud800a", "a"),
        ("u\u0308ber.mp4", "über.mp4"),
        ("你好 🎬.mp4", "你好 🎬.mp4"),
        ("👩\u200d🚀.mp4", "👩\u200d🚀.mp4"),
        ("می\u200cخواهم.mp4", "می\u200cخواهم.mp4"),
        ("a\u200b\xad\ufeffb\u2067c.mp4", "abc.mp4"),
        ("x" * 300 + ".mp4", "x" * 251 + ".mp4"),
    ],
)
def test_a_file_name_is_cleaned(given_name: str, kept: str) -> None:
    assert clean_name(given_name) == kept


@given(st.text(max_size=600))
def test_a_cleaned_name_is_one_visible_line_without_folders(name: str) -> None:
    kept = clean_name(name)
    assert 0 < len(kept) <= 255
    assert len(kept.splitlines()) == 1
    assert "/" not in kept
    assert "\\" not in kept
    assert kept.encode()


@pytest.mark.parametrize(
    ("disposition", "query", "name"),
    [
        ('attachment; filename="talk.mp4"', "", "talk.mp4"),
        ("attachment; filename*=UTF-8''%E4%BD%A0.mp4", "", "你.mp4"),
        ("attachment; filename=\"x.mp4\"; filename*=UTF-8''%E4%BD%A0.mp4", "", "你.mp4"),
        ('attachment; filename="a.mp4"', "filename=b.mp4", "b.mp4"),
        ("", f"filename={quote('Grüße.mp4')}", "Grüße.mp4"),
        ("attachment", "", "video"),
        ('attachment; filename="../../etc/passwd"', "", "passwd"),
        ("attachment; filename*=nonsense''%FF", "", "%FF"),
        (";;;=", "", "video"),
    ],
)
def test_a_name_comes_from_the_query_or_the_disposition(disposition: str, query: str, name: str) -> None:
    assert name_in_head(request(b"", "video/mp4", [], query=query, disposition=disposition)) == name


def test_a_form_s_own_name_comes_before_the_query_s_and_an_empty_one_after() -> None:
    named, unnamed = form(part("file", b"x", "mine.mp4")), form(part("file", b"x"))
    assert taken(request(named, FORM, []))[1].filename == "mine.mp4"
    assert taken(request(unnamed, FORM, []))[1].filename == "head.mp4"


def taken(made: Request) -> tuple[bytes, Received]:
    collected: list[bytes] = []
    received = take(made, collected.append)
    return b"".join(collected), received


def take(made: Request, write: Callable[[bytes], None]) -> Received:
    return asyncio.run(receive(made, HEAD, write))


def request(
    body: bytes,
    content_type: str,
    sizes: list[int],
    *,
    length: int | None = None,
    query: str = "",
    disposition: str = "",
) -> Request:
    """A request whose body comes in pieces of these sizes, over and over; one shorter than its length breaks off."""
    headers = {"Content-Length": str(len(body) if length is None else length)}
    headers |= {"Content-Disposition": disposition} if disposition else {}
    headers |= {"Content-Type": content_type} if content_type else {}
    whole = length is None or length <= len(body)
    scope = asgi.scope_of("POST", "/v1/jobs", headers, query)
    return Request(scope, asgi.received(trickle(body, sizes or [1 << 20]), whole=whole))


def trickle(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    coming = io.BytesIO(body)
    for size in itertools.cycle(sizes):
        if not (piece := coming.read(size)):
            return
        yield piece


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    head = f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + data


def form(*parts: bytes) -> bytes:
    line = b"--" + BOUNDARY.encode()
    return b"".join(line + b"\r\n" + each + b"\r\n" for each in parts) + line + b"--\r\n"
