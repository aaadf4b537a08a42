"""conversion/tracks/choosing.py and listening.py: the track that a person would take, and what is told."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from functions.convert.conversion import pipeline
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.media import Track
from functions.convert.conversion.plan import planned
from functions.convert.conversion.tracks import listening
from functions.convert.conversion.tracks.choosing import ASIDE, MAX_TRACKS, RULES, own_choice, ranked, remarks, views
from functions.convert.plain import convert
from functions.shared.job_warnings import WARNINGS
from functions.shared.reasons import Failure
from tests import media
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import probed

# The tones of the tracks, in this order.
TONES = (440, 880, 660, 1320)
SECONDS = 6
SINE = "sine={tone}:duration=6"
SILENCE = "anullsrc=r=44100:cl=mono:d=6"
FULL = Track(0, 1, "aac", 44100, 2, "stereo", "eng", seconds=60.0)


def written(
    path: Path, *words: str, tracks: tuple[str, ...] = (SINE, SINE), codec: str = "aac", picture: str = ""
) -> Path:
    """A video with these tracks; `words` are for the output."""
    sounds = [each.format(tone=tone) for each, tone in zip(tracks, TONES, strict=False)]
    shown = picture or f"testsrc2=size=160x120:rate=25:duration={SECONDS}"
    inputs = [word for each in (shown, *sounds) for word in ("-f", "lavfi", "-i", each)]
    maps = [word for at in range(len(sounds) + 1) for word in ("-map", str(at))]
    command = [
        media.ffmpeg(),
        "-v",
        "error",
        "-y",
        *inputs,
        *maps,
        "-c:v",
        "mpeg2video",
        "-q:v",
        "9",
        "-c:a",
        codec,
        "-ac",
        "2",
    ]
    subprocess.run([*command, *words, str(path)], check=True, capture_output=True)
    return path


def work(
    path: Path, state: dict[str, Any] | None = None, **options: Any
) -> tuple[pipeline._Work, list[dict[str, Any]]]:
    """What is going to be done with a video, and what is said of its tracks."""
    job = {"options": options, "threads": 1, "max_seconds": 3600, "state": state}
    work = pipeline._Work(Bytes(path.read_bytes()), job)
    header, payload = work.choose()
    assert header == {"kind": "tracks"}
    work.prepare()
    return work, json.loads(payload)


def chosen(path: Path, **options: Any) -> tuple[int, list[str]]:
    """The position of the track, and the codes of the warnings."""
    doing, tracks = work(path, **options)
    (taken,) = [track["position"] for track in tracks if track["chosen"]]
    assert taken == doing.plan.track.position
    assert all(warning.text for warning in doing.plan.warnings)
    return taken, [warning.code for warning in doing.plan.warnings]


def mp3_of(path: Path, **options: Any) -> bytes:
    job = {"options": options, "threads": 1, "max_seconds": 3600, "state": None}
    frames, ends = bytearray(), (b"", b"")
    for header, payload in pipeline.converted(Bytes(path.read_bytes()), job):
        if header["kind"] == "audio":
            frames += payload
        elif header["kind"] == "file":
            ends = payload[: header["head"]], payload[header["head"] :]
    return ends[0] + bytes(frames) + ends[1]


def tone(path: Path, **options: Any) -> float:
    return media.tone(mp3_of(path, **options))


ASIDE_FIRST = {
    "description.mkv": ("visual_impaired", "aac"),
    "description.ts": ("visual_impaired", "mp2"),
    "description.mp4": ("visual_impaired", "aac"),
    "default-description.mkv": ("default+visual_impaired", "aac"),
    "default-description.ts": ("default+visual_impaired+descriptions", "mp2"),
    "commentary.mkv": ("comment", "aac"),
    "default-commentary.mkv": ("default+comment", "aac"),
    "commentary.mp4": ("comment", "aac"),
    "hard-of-hearing.mkv": ("hearing_impaired", "aac"),
    "hard-of-hearing.ts": ("hearing_impaired", "mp2"),
    "effects.ts": ("clean_effects", "mp2"),
}


@pytest.mark.parametrize("name", ASIDE_FIRST)
def test_what_goes_beside_the_main_sound_is_not_taken_though_it_comes_first_or_is_the_default(
    tmp_path: Path, name: str
) -> None:
    roles, codec = ASIDE_FIRST[name]
    path = written(tmp_path / name, "-disposition:a:0", roles, "-disposition:a:1", "0", codec=codec)
    assert probed(path).tracks[0].roles & set(ASIDE), "the muxer does not write it"
    assert chosen(path) == (1, ["track-aside"])
    assert tone(path) == pytest.approx(880, abs=2)


def test_ac3_says_itself_what_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ts", codec="ac3")
    # Byte 5 of each frame: five bits of bsid (8), three of bsmod; 2 is for the visually impaired (A/52, table 5.7).
    whole = path.read_bytes()
    first = probed(path).tracks[0]
    assert first.roles == set()
    pid = b"\x01\x01"
    changed = bytearray(whole)
    for at in range(0, len(whole), 188):
        packet = whole[at : at + 188]
        if bytes((packet[1] & 0x1F, packet[2])) == pid and (frame := packet.find(b"\x0b\x77")) >= 0 and frame < 182:
            changed[at + frame + 5] = 0x42
    path.write_bytes(changed)
    assert probed(path).tracks[0].roles == {"visual_impaired"}
    assert chosen(path) == (1, ["track-aside"])


def test_where_all_go_beside_the_main_sound_the_nearest_to_it_is_taken(tmp_path: Path) -> None:
    roles = ("-disposition:a:0", "default+visual_impaired", "-disposition:a:1", "hearing_impaired")
    assert chosen(written(tmp_path / "a.mkv", *roles)) == (1, ["track-aside"])
    alone = written(tmp_path / "b.mkv", "-disposition:a:0", "visual_impaired", tracks=(SINE,))
    assert chosen(alone) == (0, [])


def test_a_track_that_is_switched_off_is_not_taken_and_the_newer_element_says_its_language(tmp_path: Path) -> None:
    roles = ("-disposition:a:0", "0", "-disposition:a:1", "default", "-metadata:s:a", "language=eng")
    path = written(tmp_path / "a.mkv", *roles)
    older, newer = bytes.fromhex("22b59c83") + b"eng", bytes.fromhex("22b59d83") + b"deu"
    data = path.read_bytes().replace(older, newer)
    at = data.index(bytes.fromhex("888100"), data.index(newer))
    # In place of the first one's flag that it is not the default: whether it is enabled.
    for enabled, expected in ((0, (1, ["track-aside"])), (1, (0, []))):
        path.write_bytes(data[:at] + bytes([0xB9, 0x81, enabled]) + data[at + 3 :])
        assert chosen(path, language="de") == expected


def test_a_code_in_place_of_a_language_says_what_a_track_is() -> None:
    for code in ("qad", "nar", "zxx"):
        odd, usual = replace(FULL, language=code), replace(FULL, position=1)
        assert ranked((odd, usual), {})[0] is usual
        assert remarks(odd, usual)[0].code == "track-aside"
    assert ranked((replace(FULL, language="qaa"), replace(FULL, position=1)), {})[0].language == "qaa"


def test_titles_decide_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", "-metadata:s:a:0", "title=Director's Commentary", "-disposition:a", "0")
    assert chosen(path) == (0, [])


def test_the_default_goes_before_the_first_and_the_original_before_what_is_dubbed(tmp_path: Path) -> None:
    second = ("-disposition:a:0", "0", "-disposition:a:1", "default")
    assert chosen(written(tmp_path / "default.mkv", *second)) == (1, [])
    original = ("-disposition:a:0", "dub", "-disposition:a:1", "original")
    assert chosen(written(tmp_path / "original.mkv", *original)) == (1, [])
    dubbed = ("-disposition:a:0", "default+dub", "-disposition:a:1", "original")
    assert chosen(written(tmp_path / "dubbed.mkv", *dubbed)) == (0, [])


def unknown_first(path: Path, *words: str, tracks: tuple[str, ...] = (SINE, SINE)) -> Path:
    """As an iPhone writes it: the first track, the default, is spatial audio."""
    whole = written(path, *words, tracks=tracks).read_bytes()
    before, _, after = whole.partition(b"mp4a")
    path.write_bytes(before + b"apac" + after.replace(b"esds", b"dapa", 1))
    return path


def test_a_default_track_of_a_codec_that_nobody_knows_is_not_taken(tmp_path: Path) -> None:
    path = unknown_first(tmp_path / "iphone.mp4")
    assert probed(path).tracks[0].codec == ""
    assert probed(path).tracks[0].default
    assert chosen(path) == (1, ["track-unreadable"])
    assert tone(path) == pytest.approx(880, abs=2)


def test_an_explicit_choice_is_followed_and_fails_with_a_true_reason(tmp_path: Path) -> None:
    path = unknown_first(tmp_path / "a.mp4", "-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng")
    for options, code in (
        ({"track": 0}, "unsupported-codec"),
        ({"track": 2}, "no-track"),
        ({"language": "fr"}, "no-track"),
    ):
        with pytest.raises(Failure) as caught:
            work(path, **options)
        assert caught.value.code == code
    with pytest.raises(Failure, match="cannot be read"):
        work(path, language="de")
    described = written(tmp_path / "b.mkv", "-disposition:a:0", "visual_impaired", "-disposition:a:1", "default")
    assert chosen(described, track=0) == (0, [])


def test_among_tracks_of_one_language_the_same_rules_decide(tmp_path: Path) -> None:
    languages = [
        word for at, name in enumerate(("eng", "eng", "fre")) for word in (f"-metadata:s:a:{at}", f"language={name}")
    ]
    roles = ("-disposition:a:0", "comment", "-disposition:a:1", "0", "-disposition:a:2", "default")
    path = written(tmp_path / "a.mkv", *languages, *roles, tracks=(SINE,) * 3)
    assert chosen(path, language="en") == (1, ["track-aside"])
    assert chosen(path) == (2, [])


def with_an_empty_track(path: Path) -> Path:
    """Two tracks, of which the first has no samples, as its index says or as nothing follows."""
    if path.suffix == ".mkv":
        return _without_packets(path)
    data = bytearray(written(path).read_bytes())
    sound = data.find(b"soun")
    # The counts in a sample table (ISO/IEC 14496-12, 8.6.1.2, 8.7.4, 8.7.3, 8.7.5), of the first `trak` with sound.
    for box, offset in ((b"stts", 8), (b"stsc", 8), (b"stsz", 12), (b"stco", 8)):
        at = data.find(box, sound) + offset
        data[at : at + 4] = bytes(4)
    path.write_bytes(data)
    return path


def _without_packets(path: Path) -> Path:
    with (
        av.open(str(path), "w", format="matroska") as container,
        av.open(str(written(path.with_suffix(".mov")))) as source,
    ):
        tracks = [container.add_stream_from_template(stream) for stream in source.streams.audio]
        for packet in source.demux(source.streams.audio[1]):
            if packet.size:
                packet.stream = tracks[1]
                container.mux(packet)
    return path


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv"])
def test_an_empty_track_is_passed_over(tmp_path: Path, kind: str) -> None:
    path = with_an_empty_track(tmp_path / f"a.{kind}")
    assert chosen(path) == (1, ["track-silent" if kind == "mkv" else "track-empty"])
    assert tone(path) == pytest.approx(880, abs=2)


def test_an_empty_track_is_no_track_when_it_is_asked_for_and_no_audio_when_it_is_alone(tmp_path: Path) -> None:
    path = with_an_empty_track(tmp_path / "a.mp4")
    with pytest.raises(Failure, match="no such audio track"):
        work(path, track=0)
    found = probed(path)
    with pytest.raises(Failure, match="no audio track"):
        planned(replace(found, tracks=found.tracks[:1]), {})


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mov", "aac"),
        ("a.mp4", "aac"),
        ("a.mkv", "aac"),
        ("a.ts", "mp2"),
        ("a.avi", "pcm_s16le"),
        ("a.mxf", "pcm_s16le"),
    ],
)
def test_a_silent_track_is_passed_over_for_one_with_sound(tmp_path: Path, name: str, codec: str) -> None:
    more = ("-ar", "48000") if name.endswith("mxf") else ()
    path = written(tmp_path / name, *more, tracks=(SILENCE, SINE), codec=codec)
    assert chosen(path) == (1, ["track-silent"])
    assert tone(path) == pytest.approx(880, abs=2)


def test_where_all_are_silent_the_first_is_taken(tmp_path: Path) -> None:
    assert chosen(written(tmp_path / "a.mov", tracks=(SILENCE, SILENCE))) == (0, [])


@pytest.mark.parametrize("name", ["a.mov", "a.mkv", "a.ts"])
def test_a_track_that_is_silent_at_first_is_not_silent(tmp_path: Path, name: str) -> None:
    late = "aevalsrc=if(gt(t\\,1.5)\\,0.3*sin(2*PI*440*t)\\,0):s=44100:d=6"
    assert chosen(written(tmp_path / name, tracks=(late, SINE), codec="mp2" if name == "a.ts" else "aac")) == (0, [])


def test_what_cancels_out_in_mono_is_sound(tmp_path: Path) -> None:
    opposite = "aevalsrc=0.3*sin(2*PI*440*t)|-0.3*sin(2*PI*440*t):s=44100:d=6"
    assert chosen(written(tmp_path / "a.mov", tracks=(opposite, SINE))) == (0, [])


def test_where_looking_costs_too_much_the_first_stays_and_the_other_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = f"testsrc2=size=640x480:rate=25:duration={SECONDS},noise=alls=80:allf=t"
    path = written(tmp_path / "a.mkv", "-b:v", "20M", tracks=(SILENCE, SINE), picture=noise)
    assert path.stat().st_size > 4_000_000
    assert chosen(path) == (1, ["track-silent"])
    monkeypatch.setattr(listening, "MAX_BYTES", 200_000)
    doing, tracks = work(path)
    assert [track["chosen"] for track in tracks] == [True, False]
    (warning,) = doing.plan.warnings
    assert (warning.code, warning.values) == ("track-maybe-silent", {"track": 1, "chosen": 0})


def test_several_microphones_are_offered_for_mixing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", "-ac", "1", tracks=(SINE,) * 3)
    assert chosen(path) == (0, ["several-microphones"])
    assert chosen(path, track=1) == (1, [])
    assert work(path, tracks="mix")[0].plan.warnings == ()
    languages = ("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng")
    assert chosen(written(tmp_path / "b.mov", "-ac", "1", *languages)) == (0, [])


def test_it_listens_within_a_budget_and_not_at_all_to_a_single_track(tmp_path: Path) -> None:
    noise = f"testsrc2=size=640x480:rate=25:duration={SECONDS},noise=alls=80:allf=t"
    for name, tracks in (("one.mov", (SINE,)), ("two.mov", (SINE, SINE)), ("silent.mov", (SILENCE, SINE))):
        path = written(tmp_path / name, "-b:v", "20M", tracks=tracks, picture=noise)
        source = Bytes(path.read_bytes())
        pipeline._Work(source, {"options": {}, "threads": 1, "max_seconds": 3600, "state": None}).choose()
        fetched = sum(length for request in source.requests for _, length in request)
        file = file_of(path)
        opened(file)
        # The pictures are 2 MB and more: none of them is fetched.
        assert fetched - file.bytes_read <= {"one.mov": 0, "two.mov": 120_000, "silent.mov": 300_000}[name]
        assert source.size > 2_000_000


def test_a_resumed_conversion_goes_on_with_its_track(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", "-disposition:a:0", "visual_impaired", "-disposition:a:1", "0")
    assert work(path, {"segment": 0, "track": [0, []]})[0].plan.track.position == 0
    # A release before this one took the first, and its checkpoint does not say so.
    assert work(path, {"segment": 0})[0].plan.track.position == 0
    doubt = {"segment": 0, "track": [0, [["track-maybe-silent", {"track": 1, "chosen": 0}]]]}
    assert "track-maybe-silent" in [warning.code for warning in work(path, doubt)[0].plan.warnings]


def test_a_video_without_the_track_says_which_it_has(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", "-metadata:s:a:1", "title=Zweite\nSpur", "-metadata:s:a:1", "language=ger")
    job = {"options": {"track": 5}, "threads": 1, "max_seconds": 3600, "state": None}
    messages = pipeline.converted(Bytes(path.read_bytes()), job)
    header, payload = next(messages)
    assert header == {"kind": "tracks"}
    first, second = json.loads(payload)
    assert first | {"seconds": None} == {
        "position": 0,
        "codec": "aac",
        "language": "",
        "title": "",
        "channels": 2,
        "sample_rate": 44100,
        "seconds": None,
        "default": True,
        "chosen": False,
    }
    assert (second["position"], second["language"], second["title"]) == (1, "ger", "Zweite Spur")
    with pytest.raises(Failure, match="no such audio track"):
        next(messages)


def test_the_ffmpeg_command_takes_the_same_track(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    path = written(tmp_path / "a.mkv", "-disposition:a:0", "default+visual_impaired", "-disposition:a:1", "0")
    told: list[dict[str, Any]] = []
    mp3, _ = convert(path, tmp_path / "work", {}, lambda _: None, told.extend)
    assert media.tone(mp3.read_bytes()) == pytest.approx(880, abs=2)
    assert [track["chosen"] for track in told] == [False, True]
    iphone = unknown_first(tmp_path / "b.mp4")
    mp3, _ = convert(iphone, tmp_path / "work", {}, lambda _: None)
    assert media.tone(mp3.read_bytes()) == pytest.approx(880, abs=2)


def test_what_is_said_of_tracks_is_bounded() -> None:
    odd = replace(FULL, title=" \x00\n" + "x y" * 400, language="e" * 1000)
    tracks = [replace(odd, position=at) for at in range(1000)]
    said = views(tracks, tracks[:1])
    assert len(said) == MAX_TRACKS
    assert len(said[0]["title"]) <= 200
    assert "\x00" not in said[0]["title"]
    assert len(said[0]["language"]) <= 40


def test_each_rule_decides_alone() -> None:
    better = [
        (FULL, replace(FULL, codec="")),
        (FULL, replace(FULL, empty=True)),
        *((FULL, replace(FULL, roles=frozenset({role}), default=True)) for role in ASIDE),
        (replace(FULL, default=True), FULL),
        (replace(FULL, roles=frozenset({"original"})), FULL),
        (FULL, replace(FULL, roles=frozenset({"dub"}))),
    ]
    for good, other in better:
        tracks = (replace(other, position=0), replace(good, position=1))
        assert [track.position for track in ranked(tracks, {})] == [1, 0]
    assert len({rule.before for rule in RULES}) == len(RULES)
    assert {rule.warning for rule in RULES if rule.warning} <= set(WARNINGS)


def test_remarks_name_both_tracks() -> None:
    tracks = (replace(FULL, codec=""), replace(FULL, position=1))
    (warning,) = remarks(own_choice(tracks, {}), ranked(tracks, {})[0])
    assert (warning.code, warning.values) == ("track-unreadable", {"track": 0, "chosen": 1})
    assert warning.text == (
        "Track 0, which the video puts first, is in a format that cannot be read: track 1 was taken."
    )
