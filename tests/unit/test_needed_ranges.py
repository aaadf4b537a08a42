"""functions/convert/conversion: what of an MP4 holds sound, by its boxes and its index, and whether it is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from functions.convert.conversion.containers.boxes import boxes
from functions.convert.conversion.containers.cut_off import is_cut_off
from functions.convert.conversion.containers.needed_ranges import needed_ranges
from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.source import RangeFile
from tests.media import chirp, samples
from tests.unit.bytes_source import Bytes, file_of
from tests.unit.conversions import decoded, joined

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video with its index at the end."""
    return chirp(tmp_path_factory.mktemp("holes") / "end.mp4", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "aac", seconds=5)


def box(kind: bytes, content: bytes, *, large: bool = False) -> bytes:
    if large:
        return (1).to_bytes(4, "big") + kind + (len(content) + 16).to_bytes(8, "big") + content
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def parts(data: bytes) -> dict[bytes, bytes]:
    file = RangeFile(Bytes(data))
    return {each.kind: data[each.content : each.stop] for each in boxes(file, 0, file.size)}


def kept(path: Path) -> list[tuple[int, int]] | None:
    file = file_of(path)
    return needed_ranges(file, opened(file).streams.audio[0])


def test_boxes_are_found_by_their_headers_alone(mp4: Path) -> None:
    source = Bytes(mp4.read_bytes())
    found = list(boxes(RangeFile(source), 0, source.size))
    assert [each.kind for each in found] == [b"ftyp", b"free", b"mdat", b"moov"]
    assert [each.start for each in found[1:]] == [each.stop for each in found[:-1]]
    assert found[-1].stop == source.size


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"abc", []),
        (box(b"ftyp", b"") + b"\0\0\0\7mdat", [(b"ftyp", 0, 8, 8)]),
        (box(b"mdat", b"12345678", large=True), [(b"mdat", 0, 16, 24)]),
        (b"\0\0\0\0mdat1234", [(b"mdat", 0, 8, 12)]),
        (b"\0\0\1\0mdat1234", [(b"mdat", 0, 8, 256)]),
        (b"\0\0\0\1mdat\0\0\0\0\0\0\0\x0f", []),
    ],
    ids=["nothing", "no header", "too small", "64 bits", "up to the end", "past the end", "too small, 64 bits"],
)
def test_headers_of_every_kind(data: bytes, found: list[tuple[bytes, int, int, int]]) -> None:
    seen = boxes(RangeFile(Bytes(data)), 0, len(data))
    assert [(each.kind, each.start, each.content, each.stop) for each in seen] == found


def with_large_mdat(data: bytes) -> bytes:
    # The box `free` before it makes room for the longer header: everything stays where it is.
    return data.replace(box(b"free", b""), b"", 1).replace(
        data[data.find(b"mdat") - 4 : data.find(b"mdat") + 4],
        box(b"mdat", parts(data)[b"mdat"], large=True)[:16],
        1,
    )


def with_two_mdats(data: bytes) -> bytes:
    moov = data.find(b"moov") - 4
    return data[:moov] + box(b"mdat", bytes(10_000)) + data[moov:]


@pytest.mark.parametrize("change", [lambda data: data, with_large_mdat, with_two_mdats])
def test_only_the_sound_and_the_index_are_kept(mp4: Path, tmp_path: Path, change: Change) -> None:
    path = tmp_path / "changed.mp4"
    path.write_bytes(change(mp4.read_bytes()))
    wanted = kept(path)
    assert wanted
    data, whole = np.zeros(path.stat().st_size, bool), path.read_bytes()
    for start, stop in wanted:
        data[start:stop] = True
    index = whole.find(b"moov")
    assert data[index : index + len(parts(whole)[b"moov"])].all()
    assert data.mean() < 0.5
    found, _ = decoded(path)
    assert np.abs(joined(found) - samples(mp4, 2)).max() < 1e-4


@pytest.mark.parametrize(
    "flags",
    ["+frag_keyframe+empty_moov", "+frag_keyframe", "+dash+frag_every_frame", "+dash+frag_keyframe+global_sidx"],
)
def test_files_in_fragments_are_left_whole(mp4: Path, tmp_path: Path, flags: str) -> None:
    path = chirp(tmp_path / "fragments.mp4", "-c:v", "mpeg4", "-c:a", "aac", "-movflags", flags, seconds=2)
    assert kept(path) is None
    found, _ = decoded(path)
    assert joined(found).shape == samples(path, 2).shape


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.ts", "a.wav"])
def test_other_files_are_left_whole(tmp_path: Path, name: str) -> None:
    path = chirp(tmp_path / name, *(["-vn"] if name == "a.wav" else ["-c:v", "mpeg4"]), seconds=1)
    assert kept(path) is None
    assert not is_cut_off(file_of(path))


def test_an_end_that_is_missing_is_noticed_and_rubbish_behind_the_end_is_not(mp4: Path) -> None:
    whole = mp4.read_bytes()
    for data, cut in ((whole, False), (whole[:-1], True), (whole[:2000], True), (whole + b"x" * 99, False)):
        assert is_cut_off(RangeFile(Bytes(data))) == cut
