"""tracks/doubled.py, containers/ts_twice.py: packets that were written twice are heard once."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from functions.convert.conversion.containers.tails import TS_PACKETS
from functions.convert.conversion.containers.ts_twice import Doubled, _doubled, _may_repeat
from functions.convert.conversion.source import RangeFile
from tests import media
from tests.unit.bytes_source import Bytes
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
    "mp3.ts": ("mpeg2video", "libmp3lame"),
    "ac3.ts": ("mpeg2video", "ac3"),
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


def ts_packets(data: bytes) -> list[bytes]:
    return [data[at : at + TS_PACKET] for at in range(0, len(data), TS_PACKET)]


def stream_of(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def each_twice(packets: list[bytes]) -> list[bytes]:
    return [packet for packet in packets for _ in range(2)]


def each_thrice(packets: list[bytes]) -> list[bytes]:
    return [packet for packet in packets for _ in range(3)]


def sound_twice(packets: list[bytes]) -> list[bytes]:
    return [packet for packet in packets for _ in range(2 if stream_of(packet) == AUDIO_PID else 1)]


def in_runs(packets: list[bytes]) -> list[bytes]:
    return [packet for at, packet in enumerate(packets) for _ in range(1 + at // 300 % 2)]


def datagrams_twice(packets: list[bytes]) -> list[bytes]:
    """Seven packets in each, as streams are sent by UDP."""
    return [packet for at in range(0, len(packets), 7) for packet in packets[at : at + 7] * 2]


def with_another_clock(packets: list[bytes]) -> list[bytes]:
    """The second one has the time at which it was sent (ISO/IEC 13818-1, 2.4.3.3)."""
    twice = each_twice(packets)
    for at in range(1, len(twice), 2):
        packet = twice[at]
        if packet[3] & 0x20 and packet[4] and packet[5] & 0x10:
            twice[at] = packet[:9] + bytes([packet[9] ^ 1]) + packet[10:]
    return twice


TWICE = [each_twice, each_thrice, sound_twice, in_runs, datagrams_twice, with_another_clock]
WAYS = {
    "188": lambda number, packet: packet,
    # With the time of arrival before each packet, and with a checksum behind it.
    "192": lambda number, packet: number.to_bytes(4, "big") + packet,
    "204": lambda number, packet: packet + bytes(16),
}


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("name", ["aac.ts", "mp2.ts", "mp3.ts", "ac3.ts"])
def test_packets_that_were_sent_twice_change_nothing(
    directory: Path, name: str, twice: Callable[[list[bytes]], list[bytes]]
) -> None:
    data = made(directory, name).read_bytes()
    once, found = ended(data), ended(b"".join(twice(ts_packets(data))))
    assert (found.code, found.codes, found.restarted) == ("done", [], False)
    assert found.mp3 == once.mp3


@pytest.mark.parametrize("way", WAYS)
def test_so_it_is_with_longer_packets(directory: Path, way: str) -> None:
    data = made(directory, "aac.ts").read_bytes()
    packets = enumerate(each_twice(ts_packets(data)))
    found = ended(b"".join(WAYS[way](number, packet) for number, packet in packets))
    assert found.mp3 == ended(data).mp3


@pytest.mark.parametrize("counted", [True, False])
def test_a_stream_whose_counters_stand_still_is_heard_as_before(directory: Path, counted: bool) -> None:
    """Nothing in it is the same twice but what is silent."""
    sound = "aevalsrc='if(between(t,4,8),0,0.3*sin(2*PI*440*t))':s=48000:d=12"
    path = ffmpeg(directory / "still.ts", "-f", "lavfi", "-i", sound, "-c:a", "mp2", "-muxrate", "2M")
    packets = ts_packets(path.read_bytes())
    if not counted:
        packets = [packet[:3] + bytes([packet[3] & 0xF0]) + packet[4:] for packet in packets]
    found = ended(b"".join(packets))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(12, abs=0.05)
    assert found.tones(2, 6, 10) == [440, 0, 440]


@pytest.mark.parametrize("name", ["aac.ts", "mp2.ts"])
def test_resumed_with_packets_that_were_sent_twice_it_has_the_same_bytes(directory: Path, name: str) -> None:
    sound = "aevalsrc=0.3*sin(2*PI*(200+2*t)*t):s=48000:d=60"
    whole_path = ffmpeg(directory / f"long-{name}", "-f", "lavfi", "-i", sound, "-c:a", KINDS[name][1])
    path = directory / f"long-twice-{name}"
    path.write_bytes(b"".join(datagrams_twice(ts_packets(whole_path.read_bytes()))))
    whole = conversion(path, {})
    assert whole.checkpoints
    assert whole.mp3 == conversion(whole_path, {}).mp3
    for frames, state in whole.checkpoints:
        assert conversion(path, {}, frames, state).mp3 == whole.mp3


@pytest.mark.parametrize("seed", range(8))
def test_what_is_put_in_place_does_not_depend_on_how_it_is_read(directory: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytes(100) + b"".join(in_runs(ts_packets(made(directory, "aac.ts").read_bytes()[:400_000])))
    source = Bytes(data)

    def opened() -> RangeFile:
        file = RangeFile(source)
        file.watch = Doubled(file, 100, TS_PACKET).mended
        return file

    whole = b"".join(iter(partial(opened().read, 65536), b""))
    assert len(whole) == len(data)
    assert whole != data
    file = opened()
    for _ in range(200):
        start, size = chance.randrange(len(data)), chance.choice([1, 3, 100, 188, 1000, 70_000])
        file.seek(start)
        read = file.read(size)
        assert read == whole[start : start + len(read)]


@pytest.mark.parametrize("size", [188, 192, 204])
def test_the_look_at_all_packets_at_once_misses_none_that_comes_again(size: int) -> None:
    chance = random.Random(size)
    found, seen = 0, 0
    for _ in range(2000):
        streams = chance.choices([b"\x00\x00", b"\x01\x00", b"\x1f\xff", b"\x01\xff"], k=6)
        block = empty([stream + bytes([0x10 + chance.randrange(16)]) for stream in streams], size)
        comes_again = any(_doubled(block, size))
        assert _may_repeat(block, size) or not comes_again
        found, seen = found + comes_again, seen + _may_repeat(block, size)
    assert 100 < found <= seen < 1500
    assert not _may_repeat(empty([b"\x1f\xff\x10"] * 6, size), size)


def empty(heads: list[bytes], size: int) -> bytes:
    ahead = bytes(TS_PACKETS[size])
    return b"".join(ahead + b"\x47" + head + bytes(size - len(ahead) - 4) for head in heads)
