"""functions/convert/conversion/sound/decode.py: what cannot be decoded is silent, is counted, and shortens nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.pipeline import _Work
from functions.convert.conversion.sound.decode import blocks
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.clocks import AAC, chirped, moved, source_time
from tests.unit.conversions import decoded, joined, plan_of

KINDS = {
    "aac.mp4": AAC,
    "aac.mkv": AAC,
    "alac.m4a": ("-c:a", "alac"),
    "ac3.mkv": ("-c:a", "ac3"),
    "eac3.mp4": ("-c:a", "eac3"),
}
KINDS |= {
    "opus.webm": ("-c:a", "libopus", "-ar", "48000"),
    "flac.mkv": ("-c:a", "flac"),
    "mp3.mkv": ("-c:a", "libmp3lame"),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the videos are kept, each made once."""
    return tmp_path_factory.mktemp("damaged")


def whole(directory: Path, name: str) -> Path:
    path = directory / name
    return path if path.exists() else chirped(path, *KINDS[name])


def spoiled(source: Path, target: Path, numbers: set[int]) -> Path:
    """A copy in which the packets of sound with these numbers are rubbish of the same size."""
    target.write_bytes(source.read_bytes())
    data, chance = bytearray(source.read_bytes()), random.Random(3)
    with av.open(str(source)) as container:
        for number, packet in enumerate(container.demux(container.streams.audio[0])):
            if number in numbers:
                at = data.index(bytes(packet))
                data[at : at + packet.size] = chance.choice([b"\xff", b"\0"]) * packet.size
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("numbers", [{300}, {100, 101, 102, 103, 104, 105}, set(range(20, 130, 7))], ids=len)
def test_what_follows_is_in_time(directory: Path, name: str, numbers: set[int]) -> None:
    good = whole(directory, name)
    bad = spoiled(good, directory / f"bad-{len(numbers)}-{name}", numbers)
    before, after = (joined(decoded(path)[0]) for path in (good, bad))
    # What is rubbish for others is a frame of another length for Opus, and makes FFmpeg look for headers in MP3.
    tolerance = 0.1 * 44100 if name in ("opus.webm", "mp3.mkv") else 10
    assert after.shape[1] == pytest.approx(before.shape[1], abs=tolerance)
    # Decoders of Dolby Digital put noise where none can be heard.
    if name not in ("opus.webm", "mp3.mkv"):
        assert np.abs(after[:, -4 * 44100 :] - before[:, -4 * 44100 :]).max() < 0.005


@pytest.mark.parametrize("name", ["flac.mkv", "ac3.mkv"])
def test_they_are_silent_and_counted(directory: Path, name: str) -> None:
    good = whole(directory, name)
    bad = spoiled(good, directory / f"silent-{name}", {50, 51, 52, 53})
    found: list[JobWarning] = []
    sound = joined(list(blocks(opened(file_of(bad)), plan_of(bad), warnings=found)))[0]
    packets = sum(1 for packet in av.open(str(good)).demux(audio=0) if packet.size)
    assert found == [JobWarning("undecodable", {"broken": 4, "frames": packets})]
    assert found[0].text == f"4 of {packets} frames could not be decoded; there is silence instead."
    expected = joined(decoded(good)[0])[0]
    (silent,) = np.nonzero((sound == 0) & (np.abs(expected) > 0.001))
    size = len(expected) // packets
    assert len(silent) > 3 * size
    assert 49 * size <= silent.min() <= silent.max() <= 56 * size


def test_a_file_that_is_whole_has_no_warning(directory: Path) -> None:
    path = whole(directory, "flac.mkv")
    found: list[JobWarning] = []
    assert list(blocks(opened(file_of(path)), plan_of(path), warnings=found))
    assert found == []


@pytest.mark.parametrize("options", [{}, {"loudness": -16}, {"chapters": "split"}, {"timeline": "sound"}])
def test_a_conversion_is_done_with_a_warning(directory: Path, options: dict[str, Any]) -> None:
    holed = moved(whole(directory, "aac.mp4"), directory / "holed.mp4", lambda at: None if 5 <= at < 15 else at)
    bad = spoiled(holed, directory / "bad.mp4", {100})
    work = _Work(Bytes(bad.read_bytes()), {"options": options, "threads": 1, "max_seconds": 1000, "state": None})
    work.choose()
    work.prepare()
    (file,) = [
        header for header, _ in (work.split() if "chapters" in options else work.encoded()) if header["kind"] == "file"
    ]
    assert file["seconds"] == pytest.approx(10 if options.get("timeline") else 20, abs=0.1)
    assert [(warning.code, warning.values["broken"]) for warning in work._found] == [("undecodable", 1)]


@pytest.mark.parametrize("name", ["aac.mp4", "aac.mkv", "opus.webm", "flac.mkv"])
def test_two_hundred_flipped_bytes_shorten_nothing(directory: Path, name: str) -> None:
    good, chance = whole(directory, name), random.Random(11)
    data = bytearray(good.read_bytes())
    with av.open(str(good)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size > 8]
    for _ in range(200):
        packet = chance.choice(packets)
        at = data.find(packet)
        if at >= 0:
            data[at + chance.randrange(packet_size := len(packet))] ^= 1 << chance.randrange(8)
            assert packet_size
    bad = directory / f"flipped-{name}"
    bad.write_bytes(data)
    assert joined(decoded(bad)[0]).shape[1] == pytest.approx(joined(decoded(good)[0]).shape[1], abs=1500)


def test_nothing_but_broken_frames_is_no_silence(directory: Path) -> None:
    bad = spoiled(whole(directory, "alac.m4a"), directory / "none.m4a", set(range(1000)))
    with pytest.raises(Failure) as caught:
        decoded(bad)
    assert caught.value.code == "damaged"


def test_broken_frames_at_the_start_do_not_move_the_rest(directory: Path) -> None:
    bad = spoiled(whole(directory, "alac.m4a"), directory / "start.m4a", set(range(30)))
    sound = joined(decoded(bad)[0])[0]
    assert [source_time(sound, at) for at in (1, 5, 15)] == [
        None,
        pytest.approx(5, abs=0.05),
        pytest.approx(15, abs=0.05),
    ]
