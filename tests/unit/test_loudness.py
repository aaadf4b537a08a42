"""functions/convert/conversion/sound/loudness.py: how loud a track is, and where its silent ends are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.media import Chapter
from functions.convert.conversion.plan import Plan
from functions.convert.conversion.sound.loudness import measured
from tests.media import ffmpeg
from tests.unit.bytes_source import file_of
from tests.unit.conversions import Array, decoded, joined, plan_of

RATE = 44100
SPEECH = "0.1*sin(2*PI*440*t)*(0.6+0.4*sin(3*t))|0.08*sin(2*PI*300*t)"


def made(path: Path, expression: str, seconds: float = 10) -> Path:
    words = ["-f", "lavfi", "-i", f"aevalsrc={expression}:s={RATE}:d={seconds}", "-c:a", "pcm_f32le"]
    subprocess.run([ffmpeg(), "-v", "error", *words, str(path)], check=True)
    return path


def measure(path: Path, plan: Plan) -> Plan:
    measuring = measured(opened(file_of(path)), plan)
    while True:
        try:
            next(measuring)
        except StopIteration as end:
            found: Plan = end.value
            return found


def loudness(samples: Array) -> tuple[float, float]:
    """Integrated loudness and true peak, as the ffmpeg command measures them."""
    words = ["-f", "f32le", "-ar", str(RATE), "-ac", str(len(samples)), "-i", "pipe:0", "-af", "ebur128=peak=true"]
    command = [ffmpeg(), "-hide_banner", "-nostats", *words, "-f", "null", "-"]
    said = subprocess.run(command, input=samples.T.tobytes(), check=True, capture_output=True).stderr.decode()
    summary = said.rpartition("Summary:")[2]
    numbers = [re.search(rf"{name}:\s+(-?[\d.]+|-inf)", summary) for name in ("I", "Peak")]
    return tuple(float(number[1]) for number in numbers if number)  # type: ignore[return-value]


@pytest.mark.parametrize("target", [-14, -16, -18, -23])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_has_been_measured_becomes_as_loud_as_wanted(tmp_path: Path, target: int, channels: int) -> None:
    path = made(tmp_path / "speech.wav", SPEECH)
    plan = measure(path, plan_of(path, loudness=target, channels=channels))
    integrated, peak = loudness(joined(decoded(path, plan)[0]))
    assert integrated == pytest.approx(target, abs=0.2)
    assert peak < -1.0


def test_peaks_stay_below_one_decibel(tmp_path: Path) -> None:
    path = made(tmp_path / "clicks.wav", "if(lt(mod(t\\,1)\\,0.01)\\,0.9*sin(2*PI*440*t)\\,0.01*sin(2*PI*440*t))")
    integrated, peak = loudness(joined(decoded(path, measure(path, plan_of(path, loudness=-14)))[0]))
    assert integrated < -14
    assert -1.3 < peak <= -1.0


def test_what_is_very_quiet_becomes_loud_too(tmp_path: Path) -> None:
    path = made(tmp_path / "quiet.wav", "0.001*sin(2*PI*440*t)")
    integrated, _ = loudness(joined(decoded(path, measure(path, plan_of(path, loudness=-23)))[0]))
    assert integrated == pytest.approx(-23, abs=0.3)


def test_nothing_is_made_of_silence(tmp_path: Path) -> None:
    path = made(tmp_path / "silence.wav", "0", 3)
    plan = measure(path, plan_of(path, loudness=-14, trim_silence=True))
    assert plan.gain == 0.0
    assert joined(decoded(path, plan)[0]).shape == (1, 3 * RATE)


def test_nothing_is_made_of_what_is_no_number(tmp_path: Path) -> None:
    path = made(tmp_path / "broken.wav", "sin(t)", 1)
    data = bytearray(path.read_bytes())
    data[-4000:] = np.full(1000, np.nan, np.float32).tobytes()
    path.write_bytes(data)
    plan = measure(path, plan_of(path, loudness=-14, trim_silence=True))
    assert plan.gain is not None
    assert np.isfinite(plan.gain)


@pytest.mark.parametrize(("start", "end"), [(0.0, 8.0), (1.5, 6.25), (0.0001, 7.9), (3.2, 8.0)])
def test_silent_ends_are_cut_and_silence_inside_is_not(tmp_path: Path, start: float, end: float) -> None:
    sound = f"between(t\\,{start}\\,{end})*not(between(t\\,4\\,5))"
    path = made(tmp_path / "ends.wav", f"if({sound}\\,0.1*cos(2*PI*440*t)\\,0.0005*cos(2*PI*440*t))", 8)
    (whole,) = joined(decoded(path)[0])
    heard = np.flatnonzero(np.abs(whole) > 0.001)
    (found,) = joined(decoded(path, measure(path, plan_of(path, trim_silence=True)))[0])
    assert np.array_equal(found, whole[heard[0] : heard[-1] + 1])


def test_silence_is_cut_within_a_trim_and_chapters_move(tmp_path: Path) -> None:
    path = made(tmp_path / "ends.wav", "if(between(t\\,2\\,6)\\,0.1*cos(2*PI*440*t)\\,0)", 8)
    plan = plan_of(path, start=1.0, end=5.0, trim_silence=True)
    plan = measure(path, Plan(**{**vars(plan), "chapters": (Chapter(0.0, 2.0, "a"), Chapter(2.0, 4.0, "b"))}))
    assert plan.start == pytest.approx(2.0, abs=0.001)
    assert plan.end == 5.0
    assert plan.seconds == pytest.approx(3.0, abs=0.001)
    assert [chapter.title for chapter in plan.chapters] == ["a", "b"]
    assert plan.chapters[1].start == pytest.approx(1.0, abs=0.001)
    assert joined(decoded(path, plan)[0]).shape == (1, pytest.approx(3 * RATE, abs=50))


def test_the_silence_that_is_cut_is_not_measured(tmp_path: Path) -> None:
    sound = "if(between(t\\,1.5\\,3)+between(t\\,4\\,5.25)\\,0.1*sin(2*PI*440*t)\\,0.0001*sin(t))"
    path = made(tmp_path / "ends.wav", sound)
    plan = measure(path, plan_of(path, loudness=-23, trim_silence=True))
    integrated, _ = loudness(joined(decoded(path, plan)[0]))
    assert integrated == pytest.approx(-23, abs=0.2)


def test_how_far_it_got_only_grows(tmp_path: Path) -> None:
    path = made(tmp_path / "speech.wav", SPEECH)
    seen = list(measured(opened(file_of(path)), plan_of(path, loudness=-16)))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(10, abs=0.001)
