"""tracks/bare.py: zeros among bare frames are silent for as long as the frames that were there."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.tracks.bare import with_lost_frames
from tests.unit.bytes_source import file_of
from tests.unit.clocks import heard_as
from tests.unit.endings import ended
from tests.unit.troubles import SECONDS, audio, in_segments_with_tags

KINDS = {
    "a.aac": ("-c:a", "aac", "-aac_pns", "0", "-b:a", "128k"),
    "a.ac3": ("-c:a", "ac3", "-b:a", "192k"),
    "a.eac3": ("-c:a", "eac3", "-b:a", "192k"),
    "a.mp2": ("-c:a", "mp2", "-b:a", "192k"),
    "a.dts": ("-c:a", "dca", "-strict", "-2"),
    "a.thd": ("-c:a", "truehd", "-strict", "-2"),
    "a.loas": ("-c:a", "aac", "-aac_pns", "0", "-f", "latm"),
}
# Which parts of a file are zeros, and when it is silent by that.
HOLES: dict[str, tuple[list[tuple[float, float]], dict[float, float | None]]] = {
    "one": ([(0.4, 0.6)], {1: 1, 3: None, 4: 4, 5: 5}),
    "two": ([(0.2, 0.4), (0.6, 0.8)], {1: 1, 1.8: None, 3: 3, 4.2: None, 5.3: 5.3}),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bare")


def with_zeros(data: bytes, start: float, stop: float) -> bytes:
    """The file, a part of which is zeros: from one share of its length to another."""
    first, last = round(start * len(data)), round(stop * len(data))
    return data[:first] + bytes(last - first) + data[last:]


@pytest.mark.parametrize("holes", HOLES)
@pytest.mark.parametrize("name", KINDS)
def test_what_was_in_zeros_is_silent(directory: Path, name: str, holes: str) -> None:
    data = audio(directory, name, *KINDS[name])
    parts, heard = HOLES[holes]
    for part in parts:
        data = with_zeros(data, *part)
    found = ended(data)
    assert (found.code, found.codes) == ("done", ["undecodable"])
    # Frames that are not all of one length are counted by the average of those before.
    assert found.seconds == pytest.approx(SECONDS, abs=0.2)
    (values,) = (warning.values for warning in found.warnings)
    assert int(values["broken"]) / int(values["frames"]) == pytest.approx(
        sum(stop - start for start, stop in parts), abs=0.03
    )
    heard_as(found.samples(), heard, 0.2)


@pytest.mark.parametrize("name", KINDS)
def test_zeros_at_the_end_are_none(directory: Path, name: str) -> None:
    data = audio(directory, name, *KINDS[name])
    found = ended(data + bytes(100_000))
    assert (found.code, found.codes) == ("done", ["end-unknown"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)


def test_a_tag_of_zeros_is_no_sound(directory: Path) -> None:
    data = in_segments_with_tags(directory)
    at = data.index(b"ID3", 10)
    # 8192 bytes, in seven bits a byte (ID3v2.4 structure, 3.1).
    found = ended(data[:at] + b"ID3\x04\0\0\0\0\x40\0" + bytes(8192) + data[at:])
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)


def test_a_whole_file_is_as_it_is(directory: Path) -> None:
    audio(directory, "a.aac", *KINDS["a.aac"])
    file = file_of(directory / "a.aac")
    container = opened(file)
    packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
    times, read = [packet.pts for packet in packets], file.bytes_read
    assert list(with_lost_frames(file, packets)) == packets
    assert [packet.pts for packet in packets] == times
    assert file.bytes_read == read
