"""conversion/tracks/mixing.py: several tracks of one recording become one, each at its time, unclipped."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from functions.convert.conversion import pipeline
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.plan import planned
from functions.convert.conversion.sound.decode import blocks
from functions.convert.conversion.tracks import mixing
from functions.convert.plain import convert
from functions.shared.options import parse
from functions.shared.problems import Problem
from functions.shared.reasons import Failure
from tests import media
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import Array, decoded, joined, probed

RATE = 48000
MIX = {"tracks": "mix"}


def mic(tone: int, seconds: float = 4, peak: float = 0.5, start: float = 0) -> str:
    return f"aevalsrc='gte(t,{start})*{peak}*sin(2*PI*{tone}*t)':s={RATE}:d={seconds}"


def written(
    path: Path, *sounds: str, words: tuple[str, ...] = ("-c:a", "pcm_s16le"), late: dict[int, float] | None = None
) -> Path:
    """A file with these tracks; some begin `late`, by their time stamps."""
    inputs = []
    for at, sound in enumerate(sounds):
        inputs += ["-itsoffset", str((late or {}).get(at, 0)), "-f", "lavfi", "-i", sound]
    maps = [word for at in range(len(sounds)) for word in ("-map", str(at))]
    if path.suffix == ".mxf":
        # It begins with a picture.
        inputs += ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=4"]
        maps = ["-map", str(len(sounds)), *maps]
    command = [media.ffmpeg(), "-v", "error", "-y", *inputs, *maps, *words, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def mixed(path: Path, **options: Any) -> Array:
    return joined(decoded(path, planned(probed(path), MIX | options))[0])


def level(samples: Array, tone: int, start: float, seconds: float = 1.0) -> float:
    """The peak of a tone in one channel, from `start` on."""
    part = samples[round(start * RATE) : round((start + seconds) * RATE)]
    times = np.arange(len(part)) / RATE
    return float(abs(2 * np.mean(part * np.exp(-2j * np.pi * tone * times))))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mov", "pcm_s24le"),
        ("a.mxf", "pcm_s16le"),
        ("a.mkv", "flac"),
        ("a.mp4", "aac"),
        ("a.ts", "mp2"),
        ("a.nut", "pcm_s16le"),
    ],
)
def test_one_track_for_each_microphone_becomes_one(tmp_path: Path, name: str, codec: str) -> None:
    tones = (400, 800, 1600, 3000)
    path = written(tmp_path / name, *map(mic, tones), words=("-c:a", codec))
    (samples,) = mixed(path)
    assert len(samples) / RATE == pytest.approx(4, abs=0.06)
    for tone in tones:
        assert level(samples, tone, 1.5) == pytest.approx(0.5 / 4, rel=0.05)


def test_the_mix_is_the_sum_to_the_bit_of_a_float(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", mic(400), mic(1000), words=("-c:a", "pcm_f32le"))
    single = [joined(decoded(path, planned(probed(path), {"track": at}))[0])[0] for at in (0, 1)]
    (samples,) = mixed(path)
    np.testing.assert_allclose(samples, (single[0] + single[1]) / 2, atol=1e-6)


def test_nothing_clips(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", *[mic(440, peak=1)] * 8, words=("-c:a", "pcm_f32le"))
    (samples,) = mixed(path)
    assert np.abs(samples).max() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("name", "tolerance"), [("a.mov", 1), ("a.nut", 1), ("a.mkv", RATE // 1000)])
@pytest.mark.parametrize("delay", [0.013, 0.5, 2.25])
def test_each_track_sounds_when_its_clock_says(tmp_path: Path, name: str, tolerance: int, delay: float) -> None:
    """A click at 1 s of each track, of which the second begins later: exact but for how exactly a file tells times."""
    click = f"aevalsrc='0.5*eq(n,{RATE})':s={RATE}:d=4"
    path = written(tmp_path / name, click, click, late={1: delay})
    (samples,) = mixed(path)
    first, second = np.flatnonzero(np.abs(samples) > 0.2)[[0, -1]]
    assert first == pytest.approx(RATE, abs=tolerance)
    assert second - first == pytest.approx(delay * RATE, abs=tolerance)


def test_the_mix_lasts_from_the_first_sample_of_any_to_the_last(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", mic(400, 3), mic(1000, 2), late={1: 3.5})
    (samples,) = mixed(path)
    assert len(samples) == pytest.approx(5.5 * RATE, abs=1)
    assert level(samples, 400, 1) == pytest.approx(0.25, rel=0.01)
    assert np.abs(samples[round(3.05 * RATE) : round(3.45 * RATE)]).max() == 0
    assert level(samples, 1000, 4) == pytest.approx(0.25, rel=0.01)


def test_holes_stay_and_overlaps_are_dropped(tmp_path: Path) -> None:
    (samples,) = mixed(with_times(tmp_path / "a.nut", [0, 1, 4, 5]))
    assert len(samples) == 6 * RATE
    for second, peak in enumerate((0.25, 0.25, 0, 0, 0.25, 0.25)):
        assert level(samples, 1000, second) == pytest.approx(peak, abs=0.01)
    (samples,) = mixed(with_times(tmp_path / "b.nut", [0, 1, 1.75, 2.75]))
    assert len(samples) == 4 * RATE
    assert level(samples, 1000, 1.8, 1.9) == pytest.approx(0.25, abs=0.01)
    assert np.abs(samples[round(3.75 * RATE) :]).max() == pytest.approx(0.25, abs=0.01)
    # Where both sound, the two peaks meet.
    assert np.abs(samples[: round(3.75 * RATE)]).max() == pytest.approx(0.5, abs=0.02)


def test_a_clock_that_jumps_is_no_hole(tmp_path: Path) -> None:
    (samples,) = mixed(with_times(tmp_path / "a.nut", [0, 1, 50_002, 50_003]))
    assert len(samples) == pytest.approx(4 * RATE, abs=1)
    assert level(samples, 1000, 3, 0.9) == pytest.approx(0.25, abs=0.01)


def with_times(path: Path, times: list[float], *, interleaved: bool = True) -> Path:
    """A track of 400 Hz for four seconds, and one of 1 kHz whose seconds, in halves, are at these times."""
    with av.open(str(path), "w", options={} if interleaved else {"max_interleave_delta": "1"}) as container:
        tracks = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for track, tone, starts in ((tracks[0], 400, list(range(4))), (tracks[1], 1000, times)):
            wave = (np.sin(2 * np.pi * tone * np.arange(RATE) / RATE) * 16384).astype(np.int16).tobytes()
            for start in starts:
                for half in (0, 1):
                    packet = av.Packet(wave[half * RATE : (half + 1) * RATE])
                    packet.stream, packet.time_base = track, Fraction(1, RATE)
                    packet.pts = packet.dts = round((start + half / 2) * RATE)
                    container.mux(packet)
    return path


def test_tracks_of_other_rates_and_channels_are_mixed(tmp_path: Path) -> None:
    other = "aevalsrc=0.5*sin(2*PI*1000*t)|0:s=32000:d=4"
    path = written(tmp_path / "a.mov", mic(400), other)
    left, right = mixed(path)
    assert len(left) == pytest.approx(4 * RATE, abs=2)
    assert (level(left, 1000, 1), level(right, 1000, 1)) == pytest.approx((0.25, 0), abs=0.005)
    # As everywhere, mono becomes stereo at -3 dB.
    assert (level(left, 400, 1), level(right, 400, 1)) == pytest.approx((0.1768, 0.1768), abs=0.005)


def sides(path: Path) -> Path:
    return written(path, *(f"{mic(tone)}:c={name}" for tone, name in ((400, "FL"), (1000, "FR"))))


def test_tracks_that_say_left_and_right_become_stereo(tmp_path: Path) -> None:
    path = sides(tmp_path / "a.mov")
    left, right = mixed(path)
    assert (level(left, 400, 1), level(right, 400, 1)) == pytest.approx((0.5, 0), abs=1e-3)
    assert (level(left, 1000, 1), level(right, 1000, 1)) == pytest.approx((0, 0.5), abs=1e-3)
    (samples,) = mixed(path, channels=1)
    assert (level(samples, 400, 1), level(samples, 1000, 1)) == pytest.approx((0.25, 0.25), abs=1e-3)


def test_it_is_cut_to_the_sample_and_faded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", mic(400), mic(1000), late={1: 0.5})
    (whole,), (part,) = mixed(path), mixed(path, start=1.25, end=3.5)
    np.testing.assert_array_equal(part, whole[round(1.25 * RATE) : round(3.5 * RATE)])
    (faded,) = mixed(path, fade_in=1.0)
    assert abs(level(faded, 400, 0, 0.1)) < 0.03
    np.testing.assert_allclose(faded[2 * RATE : 3 * RATE], whole[2 * RATE : 3 * RATE], atol=1e-6)


def messages(
    path: Path, options: dict[str, Any], state: dict[str, Any] | None = None
) -> Iterator[tuple[dict[str, Any], bytes]]:
    job = {"options": options, "threads": 1, "max_seconds": 36_000, "state": state}
    return pipeline.converted(Bytes(path.read_bytes()), job)


def test_it_can_be_as_loud_as_wanted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", mic(400, 8), mic(1000, 8))
    mp3 = tmp_path / "a.mp3"
    frames = list(messages(path, {"tracks": "mix", "loudness": -16}))
    head = frames[-1][0]["head"]
    audio = b"".join(payload for header, payload in frames if header["kind"] == "audio")
    mp3.write_bytes(frames[-1][1][:head] + audio + frames[-1][1][head:])
    command = [media.ffmpeg(), "-hide_banner", "-nostats", "-i", str(mp3), "-af", "ebur128", "-f", "null", "-"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert float(told.rpartition("I:")[2].split()[0]) == pytest.approx(-16, abs=0.3)


def test_resumed_it_gives_the_same_bytes(tmp_path: Path) -> None:
    import json

    path = written(tmp_path / "a.mov", mic(400, 90), mic(1000, 90), late={1: 3})
    whole = list(messages(path, MIX))
    frames = b"".join(payload for header, payload in whole if header["kind"] == "audio")
    marks = [at for at, (header, _) in enumerate(whole) if header["kind"] == "checkpoint"]
    assert len(marks) > 2
    for at in marks[:: len(marks) - 1]:
        before = b"".join(payload for header, payload in whole[:at] if header["kind"] == "audio")
        rest = list(messages(path, MIX, json.loads(whole[at][1])))
        assert before + b"".join(payload for header, payload in rest if header["kind"] == "audio") == frames
        assert rest[-1] == whole[-1]


def test_all_that_are_mixed_are_shown_as_chosen(tmp_path: Path) -> None:
    import json

    path = written(tmp_path / "a.mov", mic(400, 1), mic(1000, 1))
    _, payload = next(messages(path, MIX))
    assert [track["chosen"] for track in json.loads(payload)] == [True, True]


def test_one_track_alone_is_not_mixed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", mic(400, 1))
    plan = planned(probed(path), MIX)
    assert plan == planned(probed(path), {})
    assert plan.resumable


def test_a_mix_is_not_resumed_in_the_middle(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", mic(400, 1), mic(1000, 1))
    plan = planned(probed(path), MIX)
    assert not plan.resumable
    assert all(block.resume is None for block in decoded(path, plan)[0])


def test_a_track_that_comes_far_behind_another_in_the_file_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_times(tmp_path / "b.nut", [0, 1, 2, 3], interleaved=False)
    (samples,) = mixed(path)
    assert level(samples, 1000, 0.1, 0.8) == pytest.approx(0.25, abs=0.01)
    monkeypatch.setattr(mixing, "MAX_AHEAD_SECONDS", 1.0)
    plan = planned(probed(path), MIX)
    (samples,) = joined(list(blocks(opened(file_of(path)), plan)))
    assert len(samples) == 4 * RATE
    assert level(samples, 400, 0.1, 0.8) == pytest.approx(0.25, abs=0.01)
    assert level(samples, 1000, 0.1, 0.8) == pytest.approx(0, abs=0.01)


def test_only_the_sound_of_these_tracks_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    noise = "testsrc2=size=640x480:rate=25:duration=4,noise=alls=80:allf=t"
    sounds = [word for tone in (400, 1000) for word in ("-f", "lavfi", "-i", mic(tone))]
    maps = ("-map", "0", "-map", "1", "-map", "2")
    words = ("-c:v", "mpeg2video", "-b:v", "20M", "-c:a", "aac", str(path))
    subprocess.run(
        [media.ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", noise, *sounds, *maps, *words], check=True
    )
    _, one = decoded(path, planned(probed(path), {"track": 0}))
    _, both = decoded(path, planned(probed(path), MIX))
    assert path.stat().st_size > 2_000_000
    assert both.bytes_read < one.bytes_read + 100_000


def test_the_ffmpeg_command_mixes_them_too(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    path = written(tmp_path / "a.mov", mic(400), mic(1000), late={1: 1})
    mp3, seconds = convert(path, tmp_path / "work", MIX, lambda _: None)
    assert seconds == pytest.approx(5, abs=0.1)
    (heard,) = media.samples(mp3, 1)
    (samples,) = mixed(path)
    for tone, start in ((400, 0.1), (400, 2), (1000, 0.1), (1000, 2)):
        assert level(heard, tone, start, 0.8) == pytest.approx(level(samples, tone, start, 0.8), abs=0.01)
    left, right = media.samples(convert(sides(tmp_path / "b.mov"), tmp_path / "work", MIX, lambda _: None)[0], 2)
    assert (level(left, 400, 1), level(right, 400, 1)) == pytest.approx((0.5, 0), abs=0.01)


@pytest.mark.parametrize("other", [{"track": "1"}, {"language": "de"}])
def test_one_track_and_all_of_them_contradict_each_other(other: dict[str, str]) -> None:
    with pytest.raises(Problem, match="not both"):
        parse({"tracks": "mix"} | other)
    with pytest.raises(Problem, match="mix"):
        parse({"tracks": "all"})
    assert parse({"tracks": "mix"}) == MIX


def test_what_is_encrypted_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", mic(400, 1), mic(1000, 1), words=("-c:a", "aac"))
    key = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "00" * 16, "-encryption_kid", "11" * 16)
    protected = written(tmp_path / "b.mp4", mic(400, 1), mic(1000, 1), words=("-c:a", "aac", *key))
    assert mixed(path).size
    with pytest.raises(Failure) as caught:
        mixed(protected)
    assert caught.value.code == "encrypted"
