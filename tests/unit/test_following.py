"""Sound that begins late in the file, and sound that goes on elsewhere in it: probe.py and following.py."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.convert.conversion import pipeline
from functions.convert.conversion.containers.probe import opened, probe
from functions.shared.reasons import Failure
from tests import media
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import Array, decoded, joined, plan_of, probed

RATE = 48000
# So much of it that FFmpeg's probing window (5 MB, 5 s) ends before the sound begins.
NOISE = "testsrc2=size=720x576:rate=25:duration={seconds},noise=alls=60:allf=t"
HEAVY = ("-c:v", "mpeg2video", "-b:v", "9M", "-maxrate", "9M", "-bufsize", "2M")


def ffmpeg(*words: str) -> None:
    subprocess.run([media.ffmpeg(), "-v", "error", "-y", *words], check=True, capture_output=True)


def heard(path: Path, **options: Any) -> tuple[Array, int]:
    """The first channel, and its rate."""
    plan = plan_of(path, **options)
    return joined(decoded(path, plan)[0])[0], plan.shape.sample_rate


def tone(samples: Array, rate: int, start: float, seconds: float = 0.5) -> float:
    part = samples[round(start * rate) : round((start + seconds) * rate)]
    return float(np.argmax(np.abs(np.fft.rfft(part))) * rate / len(part)) if np.abs(part).max() > 0.01 else 0.0


@pytest.mark.parametrize(
    ("name", "codec", "kind", "seconds"),
    [
        ("at-the-end.vob", "mp2", "vob", 10),
        ("in-the-middle.vob", "mp2", "vob", 18),
        ("at-the-end.ts", "mp2", "mpegts", 10),
        ("in-the-middle.ts", "aac", "mpegts", 18),
    ],
)
def test_sound_that_begins_after_the_probing_window_is_found(
    tmp_path: Path, name: str, codec: str, kind: str, seconds: int
) -> None:
    path = tmp_path / name
    sound = ("-itsoffset", "7", "-f", "lavfi", "-i", "sine=440:d=3")
    picture = ("-f", "lavfi", "-i", NOISE.format(seconds=seconds))
    ffmpeg(*picture, *sound, "-map", "0", "-map", "1", *HEAVY, "-c:a", codec, "-f", kind, str(path))
    assert path.stat().st_size > 8_000_000
    (track,) = probed(path).tracks
    assert (track.codec, track.sample_rate, track.channels) == (codec, 44100, 1)
    samples, rate = heard(path)
    assert rate == 44100
    assert len(samples) / rate == pytest.approx(10, abs=0.1)
    assert [tone(samples, rate, at) for at in (1, 6, 8)] == [0, 0, pytest.approx(440, abs=2)]


@pytest.mark.parametrize("kind", ["vob", "mpegts"])
def test_where_it_begins_at_once_no_more_is_read_than_before(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    sounds = ("-f", "lavfi", "-i", "sine=440:d=10")
    ffmpeg("-f", "lavfi", "-i", NOISE.format(seconds=10), *sounds, *HEAVY, "-c:a", "mp2", "-f", kind, str(path))
    file = file_of(path)
    probe(opened(file))
    assert file.bytes_read < 7_000_000 < path.stat().st_size
    _, read = decoded(path)
    assert read.bytes_read < path.stat().st_size + 7_000_000


def test_a_transport_stream_that_names_no_sound_is_not_searched(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    ffmpeg("-f", "lavfi", "-i", NOISE.format(seconds=10), *HEAVY, str(path))
    file = file_of(path)
    with pytest.raises(Failure, match="no audio track"):
        probe(opened(file))
    assert file.bytes_read < 7_000_000 < path.stat().st_size


class Recorder:
    """A receiver that writes five seconds after five seconds, each time as it then is sent."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "recorded.ts"
        self.path.touch()
        self._seconds = 0

    def record(self, tone: int, pid: int, *words: str, codec: str = "mp2") -> Recorder:
        part = self.path.with_name("part.ts")
        picture = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=5")
        sound = ("-f", "lavfi", "-i", f"sine={tone}:d=5:sample_rate={RATE}", "-map", "0", "-map", "1")
        sent = ("-mpegts_start_pid", str(pid), "-output_ts_offset", str(self._seconds), "-f", "mpegts")
        ffmpeg(*picture, *sound, "-c:v", "mpeg2video", "-c:a", codec, *words, *sent, str(part))
        self.path.write_bytes(self.path.read_bytes() + part.read_bytes())
        self._seconds += 5
        return self


def tones(path: Path, seconds: int) -> list[float]:
    """The tone in each five seconds of the sound, which is as long as it ought to be."""
    samples, rate = heard(path)
    assert len(samples) / rate == pytest.approx(seconds, abs=0.15)
    return [round(tone(samples, rate, start + 2, 1)) for start in range(0, seconds, 5)]


MOVES: dict[str, dict[str, Any]] = {
    "pid": {},
    "table": {"words": ("-tables_version", "1")},
    "program": {"words": ("-mpegts_service_id", "7", "-mpegts_pmt_start_pid", "0x1200")},
    "codec": {"words": ("-tables_version", "1"), "codec": "ac3"},
}


@pytest.mark.parametrize("move", MOVES)
def test_sound_that_moves_to_another_pid_is_followed(tmp_path: Path, move: str) -> None:
    more = MOVES[move]
    recorder = Recorder(tmp_path).record(440, 0x100)
    recorder.record(880, 0x200, *more.get("words", ()), codec=more.get("codec", "mp2"))
    assert tones(recorder.path, 10) == [440, 880]


def test_sound_that_moves_twice_and_comes_back_is_followed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path).record(440, 0x100).record(880, 0x200).record(660, 0x100)
    assert tones(recorder.path, 15) == [440, 880, 660]
    recorder.record(1000, 0x300, codec="ac3")
    assert tones(recorder.path, 20) == [440, 880, 660, 1000]


def two_streams(path: Path, second: tuple[str, ...], *words: str) -> Path:
    """Five seconds of 440 Hz in the first stream, and another stream."""
    picture = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=10")
    first = ("-f", "lavfi", "-i", f"sine=440:d=5:sample_rate={RATE}")
    maps = ("-map", "0", "-map", "1", "-map", "2")
    kind = "vob" if path.suffix == ".vob" else "mpegts"
    ffmpeg(*picture, *first, *second, *maps, "-c:v", "mpeg2video", "-c:a", "mp2", *words, "-f", kind, str(path))
    return path


@pytest.mark.parametrize("ending", ["ts", "vob"])
def test_sound_that_moves_to_a_stream_that_was_silent_so_far_is_followed(tmp_path: Path, ending: str) -> None:
    later = ("-itsoffset", "5", "-f", "lavfi", "-i", f"sine=880:d=5:sample_rate={RATE}")
    assert tones(two_streams(tmp_path / f"a.{ending}", later), 10) == [440, 880]


def test_another_version_that_was_there_beside_it_does_not_follow(tmp_path: Path) -> None:
    beside = ("-f", "lavfi", "-i", f"sine=880:d=10:sample_rate={RATE}")
    assert tones(two_streams(tmp_path / "a.ts", beside), 5) == [440]
    later = ("-itsoffset", "5", "-f", "lavfi", "-i", f"sine=880:d=5:sample_rate={RATE}")
    languages = ("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng")
    assert tones(two_streams(tmp_path / "b.ts", later, *languages), 5) == [440]


def linked(path: Path, *links: tuple[int, int, int], codec: str) -> Path:
    """A chain of (tone, rate, channels), five seconds each."""
    data = b""
    for at, (tone, rate, channels) in enumerate(links):
        part = path.with_name(f"part{at}.ogg")
        sine = ("-f", "lavfi", "-i", f"sine={tone}:d=5:sample_rate={rate}")
        ffmpeg(*sine, "-ac", str(channels), "-c:a", codec, "-serial_offset", str(at + 1), str(part))
        data += part.read_bytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("codec", ["libvorbis", "flac"])
def test_a_chain_goes_on_in_another_format(tmp_path: Path, codec: str) -> None:
    path = linked(tmp_path / "a.ogg", (440, 44100, 2), (880, 48000, 1), (660, 22050, 2), codec=codec)
    assert tones(path, 15) == [440, 880, 660]


def test_a_chain_of_one_format_goes_on_as_before(tmp_path: Path) -> None:
    path = linked(tmp_path / "a.ogg", (440, 44100, 2), (880, 44100, 2), codec="libvorbis")
    assert tones(path, 10) == [440, 880]


def long_one(path: Path) -> Path:
    """A minute, and another one that is elsewhere."""
    data = b""
    for at, (tone, rate) in enumerate(((440, RATE), (880, RATE if path.suffix == ".ts" else 32000))):
        part = path.with_name(f"part{at}{path.suffix}")
        moved = ("-mpegts_start_pid", str(0x100 * (at + 1)), "-output_ts_offset", str(60 * at))
        words = (
            ("-c:a", "libmp3lame", *moved) if path.suffix == ".ts" else ("-c:a", "flac", "-serial_offset", str(at + 1))
        )
        ffmpeg("-f", "lavfi", "-i", f"sine={tone}:d=60:sample_rate={rate}", *words, str(part))
        data += part.read_bytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("ending", ["ts", "ogg"])
def test_resumed_after_the_move_it_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    path = long_one(tmp_path / f"a.{ending}")
    whole = list(messages(path, None))
    frames = audio(whole)
    marks = [at for at, (header, _) in enumerate(whole) if header["kind"] == "checkpoint"]
    assert len(marks) >= 4
    for at in (marks[0], marks[-1]):
        rest = list(messages(path, json.loads(whole[at][1])))
        assert audio(whole[:at]) + audio(rest) == frames
        assert rest[-1] == whole[-1]


def messages(path: Path, state: dict[str, Any] | None) -> Any:
    job = {"options": {"force": True}, "threads": 1, "max_seconds": 36_000, "state": state}
    return pipeline.converted(Bytes(path.read_bytes()), job)


def audio(told: list[tuple[dict[str, Any], bytes]]) -> bytes:
    return b"".join(payload for header, payload in told if header["kind"] == "audio")


def test_what_it_moves_to_must_be_a_codec_that_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path).record(440, 0x100).record(880, 0x200, codec="ac3")
    monkeypatch.setattr("functions.convert.conversion.containers.probe._CODECS", frozenset({"mp2float", "mp2"}))
    assert tones(recorder.path, 5) == [440]
