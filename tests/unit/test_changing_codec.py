"""tracks/changing.py: under one PID of a transport stream, the codec of the sound changes."""

from __future__ import annotations

from itertools import pairwise, permutations
from pathlib import Path
from typing import cast

import av
import pytest
from av.audio.stream import AudioStream
from av.packet import Packet

from functions.convert.conversion.tracks.changing import changed
from tests.unit.conversions import conversion
from tests.unit.endings import ended, ffmpeg

SECONDS = 6
CODECS = ("mp2", "ac3", "eac3", "aac", "libmp3lame")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("changing")


def made(directory: Path, codec: str, hertz: int, *words: str, seconds: int = SECONDS, start: int = 0) -> bytes:
    path = directory / f"{codec}-{hertz}-{seconds}-{'-'.join(words)}.ts"
    if not path.exists():
        sound = ("-f", "lavfi", "-i", f"sine={hertz}:sample_rate=48000:duration={seconds}")
        picture = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={seconds}")
        coded = ("-ac", "2", "-c:v", "mpeg2video", "-c:a", codec, *words, "-output_ts_offset", str(start))
        ffmpeg(path, *sound, *picture, *coded)
    return path.read_bytes()


@pytest.mark.parametrize(("one", "other"), list(permutations(CODECS, 2)))
def test_both_are_heard_and_nothing_is_called_damaged(directory: Path, one: str, other: str) -> None:
    found = ended(made(directory, one, 440) + made(directory, other, 880, start=SECONDS))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(2 * SECONDS, abs=0.1)
    assert found.tones(1, 5.5, 6.5, 11) == [440, 440, 880, 880]


def test_it_may_change_back_and_change_rate_and_channels_too(directory: Path) -> None:
    other = made(directory, "ac3", 880, "-ar", "44100", "-ac", "1", start=SECONDS)
    third = directory / "third.ts"
    third.write_bytes(made(directory, "mp2", 660, start=2 * SECONDS))
    found = ended(made(directory, "mp2", 440) + other + third.read_bytes())
    assert found.seconds == pytest.approx(3 * SECONDS, abs=0.1)
    assert found.tones(1, 5.5, 7, 11, 13, 17) == [440, 440, 880, 880, 660, 660]


@pytest.mark.parametrize(("one", "other"), [("mp2", "aac"), ("aac", "ac3"), ("ac3", "mp2")])
def test_resumed_it_has_the_same_bytes(directory: Path, one: str, other: str) -> None:
    path = directory / f"{one}-{other}.ts"
    path.write_bytes(made(directory, one, 440, seconds=25) + made(directory, other, 880, seconds=40, start=25))
    whole = conversion(path, {"quality": 6})
    assert len(whole.checkpoints) >= 2
    for frames, state in whole.checkpoints:
        assert conversion(path, {"quality": 6}, frames, state).mp3 == whole.mp3


def test_one_packet_that_looks_like_another_codec_changes_nothing(directory: Path) -> None:
    path = directory / "mp2.ts"
    path.write_bytes(made(directory, "mp2", 440))
    with av.open(path) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
    strange = cast("Packet[AudioStream]", av.Packet(b"\x0b\x77" + bytes(packets[5])[2:]))
    assert changed(strange, packets[6], "mp3float") is None
    assert changed(strange, strange, "mp3float") == "eac3"
    assert not any(changed(*both, "mp3float") for both in pairwise(packets))
