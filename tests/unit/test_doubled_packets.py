"""tracks/doubled.py: packets that were written twice are heard once."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests import media
from tests.unit.conversions import Array, conversion
from tests.unit.endings import Ended, ended, ffmpeg, tone

SECONDS = 12
SOUND = f"aevalsrc=0.3*sin(2*PI*(200+20*t)*t):s=48000:d={SECONDS}"
PICTURE = f"testsrc2=size=160x120:rate=25:duration={SECONDS}"
KINDS = {
    "aac.mkv": ("mpeg4", "aac"),
    "mp3.mkv": ("mpeg4", "libmp3lame"),
    "opus.mkv": ("mpeg4", "libopus"),
    "ac3.mkv": ("mpeg4", "ac3"),
    "pcm.mkv": ("mpeg4", "pcm_s16le"),
    "flac.mkv": ("mpeg4", "flac"),
    "aac.ts": ("mpeg2video", "aac"),
    "mp2.ts": ("mpeg2video", "mp2"),
}
AUDIO_PID, TS_PACKET = 0x101, 188


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doubled")


def made(directory: Path, name: str) -> Path:
    path = directory / name
    if path.exists():
        return path
    picture, sound = KINDS[name]
    return ffmpeg(path, "-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND, "-c:v", picture, "-c:a", sound)


def doubled(directory: Path, name: str) -> Path:
    """The file with each packet of its sound twice."""
    path = directory / f"doubled-{name}"
    if path.suffix == ".ts":
        path.write_bytes(doubled_pes(made(directory, name).read_bytes()))
        return path
    with av.open(made(directory, name)) as source, av.open(path, "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if not packet.size:
                continue
            for _ in range(2 if packet.stream.type == "audio" else 1):
                again = av.Packet(bytes(packet))
                again.pts, again.dts, again.duration = packet.pts, packet.dts, packet.duration
                again.time_base, again.is_keyframe = packet.time_base, packet.is_keyframe
                again.stream = streams[packet.stream.index]
                # `mux` would make time stamps rise.
                target.mux_one(again)
    return path


def doubled_pes(data: bytes) -> bytes:
    """A transport stream with each PES packet of its sound twice; the counters count on (ISO/IEC 13818-1, 2.4.3.3)."""
    whole, one, counter = bytearray(), list[bytes](), 0
    for at in range(0, len(data), TS_PACKET):
        packet = data[at : at + TS_PACKET]
        if int.from_bytes(packet[1:3], "big") & 0x1FFF != AUDIO_PID:
            whole += packet
            continue
        if packet[1] & 0x40:
            for each in one * 2:
                whole += each[:3] + bytes([each[3] & 0xF0 | counter]) + each[4:]
                counter = (counter + 1) % 16
            one = []
        one.append(packet)
    return bytes(whole)


def heard(found: Ended) -> Array:
    assert found.code == "done"
    return found.samples()


@pytest.mark.parametrize("name", KINDS)
def test_it_is_as_long_as_the_clock_says_and_each_tone_is_at_its_time(directory: Path, name: str) -> None:
    once, twice = ended(made(directory, name)), ended(doubled(directory, name))
    # The last PES packet is left out where that is simplest.
    assert twice.seconds == pytest.approx(SECONDS, abs=0.3 if name.endswith(".ts") else 0.05)
    assert twice.tones(1, 3, 7, 11) == once.tones(1, 3, 7, 11)
    one, other = heard(once), heard(twice)
    count = min(len(one), len(other)) - 4800
    assert np.abs(one[:count] - other[:count]).max() < 1e-4


def test_what_is_copied_has_the_same_frames(directory: Path) -> None:
    once, twice = (conversion(path, {}).mp3 for path in (made(directory, "mp3.mkv"), doubled(directory, "mp3.mkv")))
    assert once == twice


def test_resumed_it_has_the_same_bytes(directory: Path) -> None:
    sound = "aevalsrc=0.3*sin(2*PI*(200+2*t)*t):s=48000:d=60"
    ffmpeg(directory / "long.mkv", "-f", "lavfi", "-i", sound, "-c:a", "aac")
    path = doubled(directory, "long.mkv")
    whole = conversion(path, {})
    assert whole.checkpoints
    for frames, state in whole.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == whole.mp3


@pytest.mark.parametrize("rate", [8000, 48000])
def test_silence_is_never_taken_for_a_packet_that_comes_twice(directory: Path, rate: int) -> None:
    """All its packets have the same bytes, and short ones the same time stamps in milliseconds."""
    path = directory / f"silent-{rate}.mkv"
    sound = f"aevalsrc='if(between(t,1,4),0,0.3*sin(2*PI*440*t))':s={rate}:d=5:n=16"
    ffmpeg(path, "-f", "lavfi", "-i", sound, "-c:a", "pcm_s16le")
    found = ended(path)
    assert found.seconds == pytest.approx(5, abs=0.02)
    samples = media.samples(path, 1, "-ar", "44100")[0]
    assert [tone(samples, second) for second in (0.5, 2.5, 4.5)] == found.tones(0.5, 2.5, 4.5) == [440, 0, 440]
