"""functions/convert/conversion/sound/timeline.py: what a player plays at a time is at that time in the MP3."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.convert.conversion.marks import Stamps
from functions.convert.conversion.sound.gathering import ENOUGH
from functions.convert.conversion.sound.timeline import Clock, Fit, Timeline
from tests.unit.clocks import AAC, chirped, moved, source_time, words
from tests.unit.conversions import decoded, joined, plan_of

SOUNDS = {
    "aac.mp4": AAC,
    "aac.mkv": AAC,
    "aac.ts": AAC,
    "aac.flv": AAC,
    "ac3.ts": ("-c:a", "ac3"),
    "mp2.mpg": ("-c:a", "mp2"),
    "wma.wmv": ("-c:a", "wmav2"),
    "flac.mkv": ("-c:a", "flac"),
    "opus.webm": ("-c:a", "libopus", "-ar", "48000"),
    "vorbis.webm": ("-c:a", "libvorbis"),
    "opus.opus": ("-c:a", "libopus", "-ar", "48000"),
    "mp3.mkv": ("-c:a", "libmp3lame"),
    "mp3.mp4": ("-c:a", "libmp3lame"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the videos are kept, each made once."""
    return tmp_path_factory.mktemp("timeline")


def whole(directory: Path, name: str = "aac.mkv") -> Path:
    """A video of 20 s whose clock is right."""
    path = directory / name
    return path if path.exists() else chirped(path, *SOUNDS[name])


def heard(path: Path, **options: Any) -> Callable[[float], float | None]:
    """When, in the sound of the video, what is heard at a time was; None for silence."""
    plan = plan_of(path, **options)
    sound = joined(decoded(path, plan)[0])[0]
    return lambda at: source_time(sound, at, plan.shape.sample_rate)


def length(path: Path, **options: Any) -> float:
    plan = plan_of(path, **options)
    return float(joined(decoded(path, plan)[0]).shape[1] / plan.shape.sample_rate)


def about(*seconds: float | None) -> list[Any]:
    """A frame of AAC or MP3 is 26 ms, and as much may have been before the first one."""
    return [each if each is None else pytest.approx(each, abs=0.06) for each in seconds]


@pytest.mark.parametrize("name", SOUNDS)
def test_a_hole_is_silence_and_what_follows_is_in_time(directory: Path, name: str) -> None:
    path = moved(whole(directory, name), directory / f"hole-{name}", lambda at: None if 5 <= at < 10 else at)
    at = heard(path)
    assert [at(time) for time in (1, 4.85, 5.2, 7.5, 9.8, 10.2, 15, 19)] == about(
        1, 4.85, None, None, None, 10.2, 15, 19
    )
    assert length(path) == pytest.approx(length(whole(directory, name)), abs=0.11)


@pytest.mark.parametrize("name", ["aac.mkv", "aac.mp4", "ac3.ts"])
def test_the_sound_can_be_strung_together(directory: Path, name: str) -> None:
    path = moved(whole(directory, name), directory / f"strung-{name}", lambda at: None if 5 <= at < 10 else at + 2)
    at = heard(path, timeline="sound")
    assert [at(time) for time in (1, 4.8, 5.2, 10)] == about(1, 4.8, 10.2, 15)
    assert length(path, timeline="sound") == pytest.approx(15.03, abs=0.05)
    assert length(path) == pytest.approx(22.03, abs=0.05)


def test_several_holes_are_silent_each(directory: Path) -> None:
    path = moved(whole(directory), directory / "holes.mkv", lambda at: None if int(at) % 4 == 2 else at)
    at = heard(path)
    times = [0.5 + second for second in range(20)]
    assert [at(time) for time in times] == about(*(None if int(time) % 4 == 2 else time for time in times))


@pytest.mark.parametrize("name", ["aac.mp4", "aac.mkv", "aac.ts", "aac.flv", "wma.wmv", "vorbis.webm"])
def test_sound_that_begins_late_is_late(directory: Path, name: str) -> None:
    path = moved(whole(directory, name), directory / f"late-{name}", lambda at: at + 3)
    at = heard(path)
    assert [at(time) for time in (0.5, 2.9, 3.3, 8, 22)] == about(None, None, 0.3, 5, 19)
    assert length(path) == pytest.approx(length(whole(directory, name)) + 3, abs=0.11)


def test_an_avi_says_when_its_sound_begins_and_nothing_of_holes(directory: Path) -> None:
    path = chirped(directory / "counted.avi", "-c:a", "libmp3lame")
    data = bytearray(path.read_bytes())
    header = data.index(b"auds") + 20
    scale, rate = (int.from_bytes(data[at : at + 4], "little") for at in (header, header + 4))
    # dwStart of the stream's header, in its own units.
    data[header + 8 : header + 12] = round(3 * rate / scale).to_bytes(4, "little")
    path.write_bytes(data)
    at = heard(path)
    assert [at(time) for time in (1, 2.9, 3.3, 10, 20)] == about(None, None, 0.3, 7, 17)


def test_chapters_and_trims_are_on_the_clock(directory: Path) -> None:
    path = moved(whole(directory), directory / "trim.mkv", lambda at: None if 5 <= at < 10 else at)
    at = heard(path, start=9.0, end=12.0)
    assert [at(time) for time in (0.5, 0.9, 1.1, 2.5)] == about(None, None, 10.1, 11.5)
    assert length(path, start=9.0, end=12.0) == 3


def test_a_hole_at_the_end_is_left_to_the_video(directory: Path) -> None:
    path = moved(whole(directory, "aac.mp4"), directory / "end.mp4", lambda at: at if at < 15 else None)
    assert length(path) == pytest.approx(15, abs=0.03)
    assert heard(path)(14.9) == pytest.approx(14.9, abs=0.06)


@pytest.mark.parametrize(
    ("name", "ahead"),
    [
        *((name, ahead) for name in ("aac.mkv", "aac.mp4", "aac.ts") for ahead in (7200, 50_000, 90_000)),
        # Time stamps of MPEG do not go so far.
        *(("aac.mkv", 360_000), ("aac.mp4", 360_000)),
    ],
)
def test_a_clock_that_jumps_ahead_leaves_no_hole(directory: Path, name: str, ahead: int) -> None:
    path = moved(whole(directory, name), directory / f"{ahead}-{name}", lambda at: at if at < 8 else at + ahead)
    at = heard(path)
    assert [at(time) for time in (1, 7.8, 8.2, 19)] == about(1, 7.8, 8.2, 19)
    assert length(path) == pytest.approx(20.03, abs=0.05)


def test_an_hour_is_a_hole_still(directory: Path) -> None:
    path = moved(whole(directory), directory / "hour.mkv", lambda at: at if at < 8 else at + 3590)
    plan = plan_of(path, sample_rate=8000)
    blocks, _ = decoded(path, plan)
    assert sum(block.samples for block in blocks) / 8000 == pytest.approx(3610, abs=0.05)
    assert max(block.samples for block in blocks) <= 2 * ENOUGH + 8000


@pytest.mark.parametrize("at", [95_435, 95_443])
def test_time_stamps_of_mpeg_wrap_around(directory: Path, at: int) -> None:
    path = directory / f"wrap-{at}.ts"
    words("-i", str(whole(directory, "aac.ts")), "-c", "copy", "-output_ts_offset", str(at), str(path))
    found = heard(path)
    assert [found(time) for time in (1, 6, 7, 12, 19)] == about(1, 6, 7, 12, 19)
    assert length(path) == pytest.approx(20.03, abs=0.05)


def test_recordings_in_a_row_restart_the_clock(directory: Path) -> None:
    data = whole(directory, "aac.ts").read_bytes()
    path = directory / "three.ts"
    path.write_bytes(data * 3)
    at = heard(path)
    assert length(path) == pytest.approx(60.1, abs=0.1)
    assert [at(time) for time in (5, 15, 25, 35, 45, 55)] == [
        pytest.approx(time, abs=0.15) for time in (5, 15, 5, 15, 5, 15)
    ]


@pytest.mark.parametrize("back", [1.5, 3.0, 6.0])
def test_what_comes_twice_is_heard_once(directory: Path, back: float) -> None:
    parts = []
    for number, (start, stop) in enumerate([(0.0, 10.0), (10 - back, 20.0)]):
        part = directory / f"part-{number}.ts"
        cut = ("-ss", str(start), "-to", str(stop), "-i", str(whole(directory, "aac.ts")), "-c", "copy")
        words(*cut, "-output_ts_offset", str(start), "-muxdelay", "0", str(part))
        parts.append(part.read_bytes())
    path = directory / f"twice-{back}.ts"
    path.write_bytes(b"".join(parts))
    at = heard(path)
    assert length(path) == pytest.approx(20, abs=0.1)
    assert [at(time) for time in (1, 8, 9.7, 10.3, 12, 19)] == [
        pytest.approx(time, abs=0.1) for time in (1, 8, 9.7, 10.3, 12, 19)
    ]


def test_packets_without_time_stamps_follow_those_before(directory: Path) -> None:
    timeline = Timeline(Fraction(1, 1000), 0.0)
    fits = [timeline.place(pts, 480, 48000) for pts in (3000, None, None, 3030, None, 8050)]
    assert fits == [Fit(144_000, 0), *[Fit(0, 0)] * 4, Fit(240_000, 0)]
    assert timeline.seconds == 8.06


def placed(stamps: list[float], seconds: float = 0.02) -> list[Fit]:
    """What is done with frames of that length and time stamps, in seconds."""
    tick = Fraction(1, 90_000)
    timeline = Timeline(tick, stamps[0])
    return [timeline.place(round(stamp / tick), round(seconds * 50_000), 50_000) for stamp in stamps]


def ticking(start: float, count: int, seconds: float = 0.02) -> list[float]:
    return [start + number * seconds for number in range(count)]


def test_what_jitters_within_the_tolerance_stays_together() -> None:
    chance = random.Random(7)
    stamps = [stamp + chance.uniform(0, 0.095) for stamp in ticking(0, 5000)]
    assert set(placed([0.0, *stamps[1:]])) == {Fit(0, 0)}


@pytest.mark.parametrize("share", [0.0001, 0.001, -0.0001, -0.001])
def test_clocks_that_run_apart_are_kept_together(share: float) -> None:
    stamps = [stamp * (1 + share) for stamp in ticking(0, 180_000)]
    fits = placed(stamps)
    moves = [fit.silence - fit.dropped for fit in fits]
    assert sum(moves) / 50_000 == pytest.approx(3600 * share, abs=0.106)
    far = np.array(stamps) - (np.arange(180_000) * 0.02 + np.cumsum(moves) / 50_000)
    assert np.abs(far).max() <= 0.1051
    # Silence is put in at one frame; what is left out are five frames, and a bit of the sixth.
    assert sum(map(bool, moves)) <= 3600 * abs(share) / 0.1 * (1 if share > 0 else 6)


@pytest.mark.parametrize("share", [0.3, 0.08, -0.08, -0.3, -1.0])
def test_a_clock_that_is_wrong_about_its_rate_drops_nothing(share: float) -> None:
    assert not any(fit.dropped for fit in placed([stamp * (1 + share) for stamp in ticking(5, 5000)]))


def test_frames_that_are_lost_one_by_one_add_up() -> None:
    chance = random.Random(8)
    stamps = [stamp for stamp in ticking(0, 20_000) if stamp == 0 or chance.random() > 0.05]
    moves = [fit.silence for fit in placed(stamps)]
    far = np.array(stamps) - (np.arange(len(stamps)) * 0.02 + np.cumsum(moves) / 50_000)
    assert np.abs(far).max() <= 0.1051


def placed_before_others(stamps: list[int], tick: Fraction) -> list[tuple[Fit, float]]:
    """What is done with frames of 20 ms when what comes after them is known, and where the sound so far ends."""
    timeline, left = Timeline(tick, 0.0), list(stamps)

    def later() -> Iterator[tuple[int, int]]:
        return ((stamp, 0) for stamp in left)

    found = []
    while left:
        found.append((timeline.place(left.pop(0), 1000, 50_000, later), timeline.seconds))
    return found


@pytest.mark.parametrize("ratio", [1.5, 2, 3])
def test_a_clock_that_is_too_slow_for_its_sound_makes_no_holes(ratio: float) -> None:
    step, tick = 0.02 * ratio, Fraction(1, 1000)
    stamps = [round(number * step / tick) for number in range(200)]
    assert {fit for fit, _ in placed_before_others(stamps, tick)[:-1]} == {Fit(0, 0)}


def test_what_is_sent_seldom_in_pauses_has_holes() -> None:
    stamps = [*ticking(0, 40, 0.16), *ticking(6.4, 100)]
    tick = Fraction(1, 1000)
    *_, (_, seconds) = placed_before_others([round(stamp / tick) for stamp in stamps], tick)
    assert seconds == pytest.approx(8.4, abs=0.1)


def test_a_clock_that_comes_back_after_others_is_the_same_one() -> None:
    # Between two parts of a programme are two advertisements, each with a clock of its own.
    main, first, second = ticking(1000, 1000), ticking(10, 500), ticking(5, 500)
    assert set(placed([*main, *first, *second, *ticking(1020, 1000)])) == {Fit(0, 0)}
    # A programme that was broadcast meanwhile.
    assert set(placed([*main, *first, *ticking(1030, 1000)])) == {Fit(0, 0)}
    assert max(fit.silence for fit in placed([*main, *first, *ticking(1045, 1000)])) > 1000 * 50_000
    assert max(fit.silence for fit in placed([*main, *first, *ticking(900, 1000)])) > 800 * 50_000


@pytest.mark.parametrize(
    ("jump", "silence", "dropped"),
    [
        (0.09, 0, 0),
        (0.11, 0.11, 0),
        (3600, 3600, 0),
        (3601, 0, 0),
        (50_000, 0, 0),
        (-0.09, 0, 0),
        (-0.5, 0, 0.5),
        (-10, 0, 10),
        (-11, 0, 0),
        (-29.5, 0, 0),
        (-30, 0, 0),
        # 2^33 ticks, and a hole at the same time.
        (-(2**33) / 90_000, 0, 0),
        (2 - 2**33 / 90_000, 2, 0),
        (2**33 / 90_000, 0, 0),
    ],
)
def test_where_the_lines_are(jump: float, silence: float, dropped: float) -> None:
    fits = placed([*ticking(0, 1500), *ticking(30 + jump, 1500)])
    assert sum(fit.silence for fit in fits) / 50_000 == pytest.approx(silence, abs=0.0001)
    assert sum(fit.dropped for fit in fits) / 50_000 == pytest.approx(dropped, abs=0.0001)
    assert not any(fit.silence or fit.dropped for fit in fits[:1500])


def test_a_clock_that_stands_still_drops_nothing() -> None:
    for step in (0.0, 1 / 90_000):
        for seconds in (0.02, 0.25):
            fits = placed([*ticking(0, 500, seconds), *ticking(500 * seconds, 500, step)], seconds)
            assert set(fits) == {Fit(0, 0)}


def test_a_clock_that_goes_back_again_and_again_is_believed_once() -> None:
    fits = placed([stamp for number in range(50) for stamp in ticking(20 - number * 0.3, 5)])
    assert sum(fit.dropped for fit in fits) == 0
    stamps = [*ticking(0, 1000), *(stamp for number in range(50) for stamp in ticking(20 - number * 0.3, 5))]
    assert sum(fit.dropped for fit in placed(stamps)) / 50_000 < 0.45


@pytest.mark.parametrize("start", [math.nan, 0.0])
def test_a_file_that_does_not_say_where_it_begins_begins_with_its_sound(start: float) -> None:
    timeline = Timeline(Fraction(1, 1000), start)
    fit = timeline.place(100_000, 1000, 50_000)
    assert fit.silence == (0 if math.isnan(start) else 5_000_000)


def test_a_timeline_continues_where_another_one_was() -> None:
    chance = random.Random(9)
    stamps, at = [0.0], 0.0
    for _ in range(4000):
        at += 0.02 + (chance.choice([0.3, 5, -2, -8, 4000, -5000]) if chance.random() < 0.02 else 0)
        stamps.append(at)
    tick = Fraction(1, 90_000)
    whole = Timeline(tick, 0.0)
    states: list[tuple[Clock | None, int]] = []
    fits: list[Fit] = []
    for stamp in stamps:
        fit = whole.place(round(stamp / tick), 1000, 50_000)
        states.append((whole.clock, round(whole.seconds * 50_000) - 1000 + fit.dropped))
        fits.append(fit)
    assert any(fit.silence for fit in fits)
    assert any(fit.dropped for fit in fits)
    for number in range(0, 4000, 37):
        if fits[number].dropped:
            continue
        clock, sample = states[number]
        rest = Timeline(tick, 0.0)
        rest.resume(clock, sample, 50_000)
        found = [rest.place(round(stamp / tick), 1000, 50_000) for stamp in stamps[number:]]
        assert found == [Fit(0, 0), *fits[number + 1 :]]


def later(ticks: list[int], number: int) -> Stamps:
    """What comes after the packet of that number; each is of 20 ticks."""
    return lambda: ((pts, 20) for pts in ticks[number + 1 :])


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("wrong", [0.5, 5, -5, 5000, -0.5, 90_000])
def test_a_few_wrong_time_stamps_are_passed_over(wrong: float, count: int) -> None:
    """Of one packet, or of a cluster of a Matroska, which has one for all of them."""
    stamps = ticking(0, 1000)
    stamps[500 : 500 + count] = [stamp + wrong for stamp in stamps[500 : 500 + count]]
    timeline = Timeline(Fraction(1, 1000), 0.0)
    ticks = [round(stamp * 1000) for stamp in stamps]
    fits = [timeline.place(pts, 1000, 50_000, later(ticks, number)) for number, pts in enumerate(ticks)]
    assert set(fits) == {Fit(0, 0)}
    assert timeline.seconds == 20


def test_a_time_stamp_that_the_next_one_confirms_is_a_hole() -> None:
    ticks = [*range(0, 10_000, 20), *range(15_000, 20_000, 20)]
    timeline = Timeline(Fraction(1, 1000), 0.0)
    fits = [timeline.place(pts, 1000, 50_000, later(ticks, number)) for number, pts in enumerate(ticks)]
    assert [fit.silence for fit in fits if fit.silence] == [250_000]
