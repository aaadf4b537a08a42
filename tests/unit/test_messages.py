"""functions/convert/messages.py: what a child may say, and that nothing else gets by."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.convert import engine
from functions.convert.conversion.mpeg.tag import MAX_CHAPTERS, MAX_TEXT_LENGTH
from functions.convert.errors import Crash, ProtocolViolation
from functions.convert.messages import (
    Dialogue,
    Drawn,
    Failed,
    File,
    Frames,
    Progress,
    Restarted,
    Snapshot,
    Tracks,
    Warned,
)
from functions.convert.sandbox import nursery
from functions.shared import job_warnings
from functions.shared.blobs import Blobs
from functions.shared.job_warnings import MAX_VALUE_LENGTH, MAX_WARNINGS, JobWarning, short
from functions.shared.jobs import claims
from functions.shared.jobs.names import MAX_PEAKS
from tests.unit import rows

WHOLE: dict[str, Any] = {"kind": "file", "title": None, "files": 1, "head": 2, "seconds": 4.5}
EMPTY: dict[str, Any] = {"kind": "failed", "code": "empty", "hint": ""}
CHAPTER = WHOLE | {"title": "One", "files": 2}
# Whatever a number may be that is none of the kind that is asked for.
NO_NUMBERS = [math.nan, math.inf, -math.inf, -1, -0.001, 1e300, 10**40, True, None, "1", [1], {"a": 1}]
WARNED: dict[str, Any] = {"kind": "warning", "code": "test", "values": {"count": 2, "track": "Kommentar 👩\u200d🚀"}}
# The texts that a table of warnings may have: the values of each are a count and a name.
TEXT = "{count:,} of {track}"
NO_COUNTS = [math.nan, math.inf, -math.inf, 10**40, 1e300, True, None, "1", [1], {"a": 1}]
NO_NAMES = [
    "a\nb",
    "a\u2028b",
    "\x1b[2J",
    "\u202egpj",
    "\ud800",
    "x" * (MAX_VALUE_LENGTH + 1),
    " a",
    "a  b",
    None,
    ["a"],
]
NO_VALUES: list[Any] = [
    *({"count": count, "track": "a"} for count in NO_COUNTS),
    *({"count": 1, "track": track} for track in NO_NAMES),
    *({}, {"count": 1}, {"count": 1, "track": "a", "more": 1}, {"count": 1, "name": "a"}, None, [], "count"),
]
NO_CODES: list[Any] = ["no such reason", "", None, 1, ["empty"], {}]
VIOLATIONS: list[tuple[dict[str, Any], bytes]] = [
    *(({"kind": "progress", "share": share}, b"") for share in [*NO_NUMBERS, 1.01]),
    ({"kind": "progress", "share": 0.5}, b"x"),
    ({"kind": "progress"}, b""),
    *((WHOLE | {"seconds": seconds}, b"abc") for seconds in [*NO_NUMBERS, 3602]),
    *((WHOLE | {"head": head}, b"abc") for head in [*NO_NUMBERS, 4, 1.0]),
    *((WHOLE | {"files": files}, b"abc") for files in [*NO_NUMBERS, 0, MAX_CHAPTERS + 1, 1.0]),
    (WHOLE | {"title": "One"}, b"abc"),
    (WHOLE | {"more": 1}, b"abc"),
    *(({"kind": "peaks", "seconds": seconds}, b"\x01") for seconds in [*NO_NUMBERS, 0, 0.0]),
    *(({"kind": "peaks", "seconds": 1.5}, heights) for heights in (b"", bytes(MAX_PEAKS + 1))),
    ({"kind": "peaks"}, b"\x01"),
    ({"kind": "file"}, b""),
    ({"kind": "audio", "title": "x"}, b""),
    ({"kind": "checkpoint", "head": 1}, b"{}"),
    *(({"kind": "failed", "code": code, "hint": ""}, b"") for code in NO_CODES),
    *(({"kind": "failed", "code": "truncated", "hint": hint}, b"") for hint in [*NO_CODES[:1], "picture", None, 1, {}]),
    ({"kind": "failed", "code": "empty"}, b""),
    ({"kind": "failed", "code": "empty", "hint": ""}, b"x"),
    ({"kind": "restart"}, b"x"),
    ({"kind": "restart", "share": 1}, b""),
    ({"kind": "started"}, b""),
    ({"kind": "exec"}, b""),
    ({"kind": ""}, b""),
]
TRACK: dict[str, Any] = {
    "position": 0,
    "codec": "aac",
    "language": "ger",
    "title": "Zweite Spur 監督",
    "channels": 2,
    "sample_rate": 48000,
    "seconds": 12.5,
    "default": True,
    "chosen": True,
}
NO_TRACKS: list[Any] = [
    None,
    {},
    "x",
    [],
    [1],
    [[]],
    [{}],
    [TRACK | {"more": 1}],
    [{name: value for name, value in TRACK.items() if name != "title"}],
    [TRACK] * 2,
    [TRACK | {"position": 1}],
    [TRACK | {"position": at} for at in range(65)],
    *(
        [TRACK | {name: value}]
        for name in ("position", "channels", "sample_rate")
        for value in (-1, 1.5, True, "1", None, 2**40)
    ),
    *([TRACK | {"seconds": value}] for value in (-1, True, "1", 1e300, [1])),
    *([TRACK | {name: value}] for name in ("default", "chosen") for value in (0, 1, None, "true")),
    *(
        [TRACK | {name: value}]
        for name in ("codec", "language", "title")
        for value in (None, 1, "x" * 201, "a\nb", "\x00", " a")
    ),
]
SPLIT_VIOLATIONS: list[dict[str, Any]] = [
    *(CHAPTER | {"title": title} for title in (None, "x" * (MAX_TEXT_LENGTH + 1), 1, ["x"])),
    {"kind": "checkpoint"},
    {"kind": "peaks", "seconds": 1.5},
]


def test_what_the_engine_says_is_understood() -> None:
    dialogue = Dialogue(split=False, max_seconds=3600)
    assert dialogue.take({"kind": "audio"}, b"frames") == Frames(b"frames")
    assert dialogue.take({"kind": "audio"}, b"") == Frames(b"")
    assert [dialogue.take({"kind": "progress", "share": share}, b"") for share in (0, 0.5, 1.0)] == [
        Progress(0.0),
        Progress(0.5),
        Progress(1.0),
    ]
    state = dialogue.take({"kind": "checkpoint"}, b'{"segment": 1}')
    assert isinstance(state, Snapshot)
    assert state.parsed() == {"segment": 1}
    assert dialogue.take({"kind": "peaks", "seconds": 0.5}, b"\x00\xff") == Drawn(0.5, b"\x00\xff")
    with pytest.raises(ProtocolViolation):
        dialogue.take({"kind": "peaks", "seconds": 0.5}, b"\x00\xff")
    assert dialogue.take(WHOLE, b"abc") == File(b"ab", b"c", 4.5, None, 1)
    assert Dialogue(split=True, max_seconds=1).take(EMPTY, b"") == Failed("empty")
    no_index = {"kind": "failed", "code": "truncated", "hint": "no-index"}
    assert Dialogue(split=True, max_seconds=1).take(no_index, b"") == Failed("truncated", "no-index")


@pytest.mark.parametrize(
    "kept", [({"kind": "restart"}, b""), ({"kind": "checkpoint"}, b"{}"), (CHAPTER, b"abc")], ids=str
)
def test_a_restart_comes_once_and_before_anything_is_kept(kept: tuple[dict[str, Any], bytes]) -> None:
    split = kept[0]["kind"] == "file"
    assert Dialogue(split, 3600).take({"kind": "restart"}, b"") == Restarted()
    dialogue = Dialogue(split, 3600)
    dialogue.take({"kind": "audio"}, b"frames")
    dialogue.take(*kept)
    with pytest.raises(ProtocolViolation):
        dialogue.take({"kind": "restart"}, b"")


def test_tracks_are_told_first() -> None:
    tracks = [TRACK, TRACK | {"position": 1, "codec": "", "channels": 0, "sample_rate": 0, "seconds": None}]
    told = json.dumps(tracks).encode()
    assert Dialogue(split=True, max_seconds=1).take({"kind": "tracks"}, told) == Tracks(tracks)
    dialogue = Dialogue(split=False, max_seconds=1)
    dialogue.take({"kind": "tracks"}, told)
    with pytest.raises(ProtocolViolation):
        dialogue.take({"kind": "tracks"}, told)
    dialogue = Dialogue(split=False, max_seconds=1)
    dialogue.take({"kind": "audio"}, b"frames")
    with pytest.raises(ProtocolViolation):
        dialogue.take({"kind": "tracks"}, told)


@pytest.mark.parametrize("tracks", NO_TRACKS, ids=lambda tracks: str(tracks)[:80])
def test_what_cannot_be_a_track_is_a_violation(tracks: Any) -> None:
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=1).take({"kind": "tracks"}, json.dumps(tracks).encode())


@pytest.mark.parametrize(
    "payload", [b"", b"x", b'[{"seconds": NaN}]', b'"\\ud800"', b"[" * 100_000], ids=lambda it: str(it[:20])
)
def test_what_is_no_json_is_no_tracks(payload: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=1).take({"kind": "tracks"}, payload)
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=1).take({"kind": "tracks", "more": 1}, b"[]")


@pytest.mark.parametrize(("header", "payload"), VIOLATIONS, ids=str)
def test_whatever_makes_no_sense_is_a_violation(header: dict[str, Any], payload: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=3600).take(header, payload)


@pytest.fixture
def warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning with values."""
    monkeypatch.setitem(job_warnings.WARNINGS, "test", TEXT)


@pytest.mark.usefixtures("warning")
def test_a_warning_is_understood_where_its_values_are_those_of_its_text() -> None:
    warned = Dialogue(split=False, max_seconds=3600).take(WARNED, b"")
    assert warned == Warned(JobWarning("test", WARNED["values"]))
    assert warned.warning.text == "2 of Kommentar 👩\u200d🚀"


@pytest.mark.usefixtures("warning")
@pytest.mark.parametrize("values", NO_VALUES, ids=lambda values: repr(values)[:60])
def test_values_that_make_no_sense_are_a_violation(values: Any) -> None:
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=3600).take(WARNED | {"values": values}, b"")


@pytest.mark.usefixtures("warning")
@pytest.mark.parametrize("change", [{"code": "other"}, {"code": 1}, {"more": 1}], ids=str)
def test_a_warning_that_is_not_known_is_a_violation(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=3600).take(WARNED | change, b"")
    with pytest.raises(ProtocolViolation):
        Dialogue(split=False, max_seconds=3600).take(WARNED, b"x")


@pytest.mark.usefixtures("warning")
def test_there_are_not_more_warnings_than_somebody_reads() -> None:
    dialogue = Dialogue(split=True, max_seconds=3600)
    for _ in range(MAX_WARNINGS):
        dialogue.take(WARNED, b"")
    with pytest.raises(ProtocolViolation):
        dialogue.take(WARNED, b"")


@given(st.text())
def test_a_stranger_s_text_becomes_a_value_that_may_be_sent(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(job_warnings.WARNINGS, "test", TEXT)
        values = {"count": 1, "track": short(text)}
        assert Dialogue(split=False, max_seconds=1).take(WARNED | {"values": values}, b"")


@pytest.mark.parametrize("header", SPLIT_VIOLATIONS, ids=str)
def test_what_makes_no_sense_where_chapters_are_split_is_a_violation(header: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation):
        Dialogue(split=True, max_seconds=3600).take(header, b"abc")


@pytest.mark.parametrize("last", [(WHOLE, b"abc"), (EMPTY, b"")], ids=str)
def test_nothing_comes_after_the_last_message(last: tuple[dict[str, Any], bytes]) -> None:
    dialogue = Dialogue(split=False, max_seconds=3600)
    dialogue.take(*last)
    with pytest.raises(ProtocolViolation):
        dialogue.take({"kind": "audio"}, b"more")


def test_there_are_no_more_files_than_were_told_and_their_number_does_not_change() -> None:
    dialogue = Dialogue(split=True, max_seconds=3600)
    with pytest.raises(ProtocolViolation):
        [dialogue.take(CHAPTER, b"abc") for _ in range(3)]
    dialogue = Dialogue(split=True, max_seconds=3600)
    dialogue.take(CHAPTER, b"abc")
    with pytest.raises(ProtocolViolation):
        dialogue.take(CHAPTER | {"files": 3}, b"abc")


def test_all_files_together_are_not_longer_than_a_recording_may_be() -> None:
    dialogue = Dialogue(split=True, max_seconds=100)
    dialogue.take(CHAPTER | {"seconds": 60}, b"abc")
    with pytest.raises(ProtocolViolation):
        dialogue.take(CHAPTER | {"seconds": 60}, b"abc")


@pytest.mark.parametrize(
    "state",
    [b"", b"x", b"[]", b"1", b"null", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\xff", b"[" * 100_000],
    ids=lambda state: str(state[:20]),
)
def test_a_state_is_json_that_a_database_takes(state: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Snapshot(state).parsed()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(
    st.booleans(),
    st.dictionaries(
        st.sampled_from(["title", "files", "head", "seconds", "share", "code", "values", "hint", "more"]), JSON
    ),
    st.sampled_from(["tracks", "audio", "progress", "restart", "checkpoint", "file", "warning", "failed", "other"]),
    st.binary(max_size=20),
)
def test_every_message_is_understood_or_a_violation(
    split: bool, fields: dict[str, Any], kind: str, payload: bytes
) -> None:
    try:
        understood = Dialogue(split, 3600).take({**fields, "kind": kind}, payload)
    except ProtocolViolation:
        return
    if isinstance(understood, Progress):
        assert 0 <= understood.share <= 1
    if isinstance(understood, File):
        assert 0 <= understood.seconds <= 3601
        assert understood.head + understood.tail == payload


@pytest.fixture
def taken_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine says what it is told to."""
    nursery.close()
    monkeypatch.setattr("functions.convert.sandbox.nursery._nursery._entry", "tests.unit.engine_entries:speak")
    yield
    nursery.close()


@pytest.mark.usefixtures("tables", "taken_over")
@pytest.mark.parametrize(
    "messages",
    [
        [({"kind": "progress", "share": math.nan}, "")],
        [({"kind": "file", "title": None, "files": 1, "head": 0, "seconds": math.inf}, "")],
        [({"kind": "file", "title": None, "files": 1, "head": -1, "seconds": 1}, "00")],
        [({"kind": "audio"}, "00"), ({"kind": "checkpoint"}, b'{"a": NaN}'.hex())],
        [({"kind": "failed", "code": "no such reason", "hint": ""}, "")],
        [({"kind": "warning", "code": "by-ffmpeg", "values": {"count": 1}}, "")],
        [({"kind": "restart"}, ""), ({"kind": "restart"}, "")],
        [({"kind": "raised", "words": 1}, "")],
        [({"kind": "raised", "words": "x" * 5000}, "")],
        [({"kind": "exec"}, "")],
    ],
    ids=str,
)
def test_a_child_that_breaks_the_protocol_is_killed_and_the_conversion_tried_again(
    store: Blobs, monkeypatch: pytest.MonkeyPatch, messages: list[Any]
) -> None:
    monkeypatch.setattr("functions.convert.engine.SAVE_SECONDS", 0.0)
    job = rows.job("queued", options={"comment": json.dumps(messages)})
    with store.writing(f"video/{job}") as writer:
        writer.write(b"x")
    claim = claims.claim(job)
    assert claim
    with pytest.raises(Crash) as caught:
        engine.convert(claim)
    assert "must not send" in caught.value.facts["words"]
    assert caught.value.facts["status"] == -9
    assert [blob.name for blob in store.all()] == [claim.video]
