"""functions/convert/conversion/plan.py: what is done with which video, by its contents and the options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.convert.conversion.media import Chapter, Media, Track
from functions.convert.conversion.plan import RATES, Plan, Shape, planned, within
from functions.convert.conversion.tracks.languages import same_language
from functions.shared.options import OPTIONS
from functions.shared.reasons import Failure

STEREO = Track(0, 1, "aac", 44100, 2, "stereo", "eng", seconds=60.0)
MP3 = replace(STEREO, codec="mp3")
CHAPTERS = (Chapter(0, 20, "one"), Chapter(20, 40, "two"), Chapter(40, 60, "three"))


def media(*tracks: Track, **more: Any) -> Media:
    values: dict[str, Any] = {"tags": {}, "chapters": (), "cover_stream": None, **more}
    return Media("mov,mp4", 60.0, tracks or (STEREO,), **values)


def plan(*tracks: Track, **options: Any) -> Plan:
    return planned(media(*tracks), options)


def why(media: Media, **options: Any) -> str:
    with pytest.raises(Failure) as caught:
        planned(media, options)
    return caught.value.code


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, Shape(44100, 2, "vbr", 2)),
        ({"quality": 7}, Shape(44100, 2, "vbr", 7)),
        ({"bitrate": 320}, Shape(44100, 2, "cbr", 320)),
        ({"bitrate": 128, "bitrate_mode": "abr"}, Shape(44100, 2, "abr", 128)),
        ({"sample_rate": 22050, "channels": 1}, Shape(22050, 1, "vbr", 2)),
        ({"sample_rate": 22050, "bitrate": 320}, Shape(22050, 2, "cbr", 160)),
        ({"sample_rate": 8000, "bitrate": 320}, Shape(8000, 2, "cbr", 64)),
    ],
    ids=str,
)
def test_the_shape_is_what_was_asked_for(options: dict[str, Any], shape: Shape) -> None:
    assert plan(**options).shape == shape


@pytest.mark.parametrize(
    ("given", "chosen"),
    [(rate, rate) for rate in RATES]
    + [(88200, 44100), (176400, 44100), (96000, 48000), (192000, 48000), (37800, 44100)]
    + [(50000, 48000), (64000, 48000), (128000, 48000), (50_000_000, 48000)]
    + [(6000, 8000), (7350, 8000), (11111, 12000), (0, 48000)],
)
def test_the_sample_rate_is_one_that_mp3_has(given: int, chosen: int) -> None:
    assert plan(replace(STEREO, sample_rate=given)).shape.sample_rate == chosen


@given(st.integers(1, 10_000_000))
def test_any_sample_rate_leads_to_one(rate: int) -> None:
    assert plan(replace(STEREO, sample_rate=rate)).shape.sample_rate in RATES


@pytest.mark.parametrize(("channels", "made"), [(1, 1), (2, 2), (3, 2), (6, 2), (8, 2), (24, 2)])
def test_there_are_at_most_two_channels(channels: int, made: int) -> None:
    assert plan(replace(STEREO, channels=channels)).shape.channels == made


def test_the_default_track_is_chosen_unless_another_one_is_wanted() -> None:
    tracks = [replace(STEREO, position=at, language=name) for at, name in enumerate(("ger", "eng", "jpn"))]
    tracks[1] = replace(tracks[1], default=True)
    assert plan(*tracks).track.position == 1
    assert plan(tracks[0], tracks[2]).track.position == 0
    assert plan(*tracks, track=2).track.position == 2
    assert plan(*tracks, language="de").track.position == 0
    assert plan(*tracks, language="jpn").track.position == 2
    assert why(media(*tracks), track=3) == "no-track"
    assert why(media(*tracks), language="fr") == "no-track"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("en", "eng", True),
        ("de", "ger", True),
        ("deu", "ger", True),
        ("EN", "en-GB", True),
        ("zh", "chi", True),
        ("mul", "mul", True),
        ("en", "ger", False),
        ("", "", False),
        ("", "en", False),
        ("xx", "xxx", False),
    ],
)
def test_languages_have_two_letters_or_three(one: str, other: str, same: bool) -> None:
    assert same_language(one, other) == same_language(other, one) == same


@pytest.mark.parametrize(
    "options", [{}, {"track": 0}, {"title": "x", "tags": "drop"}, {"id3v1": True, "cover": "drop", "chapters": "drop"}]
)
def test_mp3_is_copied_where_its_samples_stay_as_they_are(options: dict[str, Any]) -> None:
    assert plan(MP3, **options).copy
    assert not plan(STEREO, **options).copy


CHANGES = {
    "quality": 2,
    "bitrate": 128,
    "sample_rate": 44100,
    "channels": 2,
    "start": 1.0,
    "end": 5.0,
    "fade_in": 1.0,
    "fade_out": 1.0,
    "trim_silence": True,
    "loudness": -16,
    "force": True,
}


@pytest.mark.parametrize("name", CHANGES)
def test_mp3_is_made_anew_where_they_do_not(name: str) -> None:
    assert not plan(MP3, **{name: CHANGES[name]}).copy


def test_every_option_either_changes_samples_or_does_not() -> None:
    harmless = {name for name in OPTIONS if name not in CHANGES and name != "bitrate_mode"}
    assert all(plan(MP3, **{name: {"track": 0, "language": "en"}.get(name, "keep")}).copy for name in harmless)


def test_what_cannot_be_done_is_told() -> None:
    assert why(media(replace(STEREO, codec=""))) == "unsupported-codec"
    assert why(media(cut_off=True)) == "truncated"
    assert planned(media(cut_off=True), {"partial": True}).whole


def test_tags_of_the_video_are_kept_replaced_or_dropped() -> None:
    found = media(tags={"title": "Old", "artist": "Somebody", "encoder": "Lavf", "major_brand": "isom"})
    assert planned(found, {}).tags == {"title": "Old", "artist": "Somebody", "language": "eng"}
    assert planned(found, {"title": "New"}).tags == {"title": "New", "artist": "Somebody", "language": "eng"}
    assert planned(found, {"tags": "drop", "album": "New"}).tags == {"language": "eng", "album": "New"}


def test_chapters_move_with_the_trim() -> None:
    found = media(chapters=CHAPTERS)
    assert planned(found, {}).chapters == CHAPTERS
    assert planned(found, {"chapters": "drop"}).chapters == ()
    assert planned(found, {"start": 30.0, "end": 50.0}).chapters == (Chapter(0, 10, "two"), Chapter(10, 20, "three"))
    assert within(CHAPTERS, 20.0, 40.0) == (Chapter(0, 20, "two"),)
    assert planned(found, {"chapters": "split"}).split_chapters
    # Who asks for files gets a zip, be it of one.
    assert plan(chapters="split").split_chapters


@pytest.mark.parametrize(
    ("options", "seconds"), [({}, 60), ({"start": 50}, 10), ({"end": 20}, 20), ({"start": 70}, 0), ({"end": 90}, 60)]
)
def test_the_length_to_expect_is_that_of_the_trim(options: dict[str, Any], seconds: float) -> None:
    assert plan(**options).seconds == seconds
    assert planned(replace(media(replace(STEREO, seconds=None)), seconds=None), {}).seconds is None


@pytest.mark.parametrize(
    ("options", "resumable"),
    [
        ({}, True),
        ({"channels": 1, "start": 3, "loudness": -16}, True),
        ({"sample_rate": 22050}, False),
        ({"fade_in": 1}, False),
        ({"fade_out": 1}, False),
    ],
)
def test_what_remembers_the_past_cannot_be_resumed(options: dict[str, Any], resumable: bool) -> None:
    assert plan(**options).resumable == resumable
