"""tracks/chunks.py: what an AVI has in its index and not in the file is silent, for as long as its index says."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from functions.convert.conversion.containers.probe import opened
from functions.convert.conversion.source import RangeFile
from functions.convert.conversion.tracks.chunks import with_lost_chunks
from tests.unit.bytes_source import Bytes
from tests.unit.clocks import heard_as, source_time
from tests.unit.endings import ended
from tests.unit.troubles import SECONDS, video

CBR = ("-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0")
KINDS = {
    "mp3.avi": CBR,
    "ac3.avi": ("-c:a", "ac3"),
    "pcm.avi": ("-c:a", "pcm_s16le"),
    "aac.avi": ("-c:a", "aac", "-aac_pns", "0"),
    "adpcm.avi": ("-c:a", "adpcm_ms"),
}
# From where to where, as shares of the file, and what is heard.
HOLES = {
    "middle": ((0.4, 0.6), {1: 1, 2.8: None, 5: 5}),
    "end": ((0.7, 1.0), {1: 1, 3: 3, 5.7: None}),
}
# dwScale, dwRate, dwStart and dwLength, and dwSampleSize, behind the beginning of a stream's header (AVISTREAMHEADER).
SCALE, LENGTH, SAMPLE_SIZE = 20, 32, 44


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chunks")


def with_zeros(data: bytes, start: float, stop: float) -> bytes:
    """The file, of whose chunks a part is zeros: from one share of them to another."""
    first, last = data.index(b"movi") + 4, data.rindex(b"idx1")
    begin, end = (first + round(share * (last - first)) for share in (start, stop))
    return data[:begin] + bytes(end - begin) + data[end:]


def chunks_of(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """What is ahead of the list of chunks, and these: their kind and content."""
    at = data.index(b"movi") + 4
    end, found = at - 4 + int.from_bytes(data[at - 8 : at - 4], "little"), []
    while at < end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return data[: data.index(b"movi") - 8], found


def avi(head: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """An AVI of these chunks, with their index."""
    body, index = b"movi", b""
    for kind, content in chunks:
        index += kind + struct.pack("<III", 0x10, len(body), len(content))
        body += kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    parts = (b"LIST", body), (b"idx1", index)
    data = head[8:] + b"".join(name + struct.pack("<I", len(part)) + part for name, part in parts)
    return b"RIFF" + struct.pack("<I", len(data)) + data


def stated(head: bytes, scale: tuple[int, int], length: int, sample: int, align: int) -> bytes:
    """The head with another scale of the sound, length, size of a sample, and of a block."""
    made, at = bytearray(head), head.index(b"auds")
    struct.pack_into("<II", made, at + SCALE, *scale)
    struct.pack_into("<I", made, at + LENGTH, length)
    struct.pack_into("<I", made, at + SAMPLE_SIZE, sample)
    struct.pack_into("<H", made, head.index(b"strf", at) + 8 + 12, align)
    return bytes(made)


def counted_in_bytes(directory: Path) -> bytes:
    """MP3 of a constant bitrate as VirtualDub writes it: half a second in a chunk, and time is in bytes."""
    head, chunks = chunks_of(video(directory, "mp3.avi", *CBR))
    sound = b"".join(content for kind, content in chunks if kind == b"01wb")
    pictures = [chunk for chunk in chunks if chunk[0] != b"01wb"]
    pieces = [(b"01wb", sound[at : at + 8000]) for at in range(0, len(sound), 8000)]
    each = len(pictures) // len(pieces)
    made = [part for number, piece in enumerate(pieces) for part in (piece, *pictures[number * each :][:each])]
    return avi(stated(head, (1, 16000), len(sound), 1, 1), made)


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("name", [*KINDS, "bytes"])
def test_what_was_in_zeros_is_silent(directory: Path, name: str, hole: str) -> None:
    data = counted_in_bytes(directory) if name == "bytes" else video(directory, name, *KINDS[name])
    part, heard = HOLES[hole]
    found = ended(with_zeros(data, *part))
    assert (found.code, found.codes) == ("done", ["undecodable"])
    assert found.seconds == pytest.approx(SECONDS, abs=0.12)
    heard_as(found.samples(), heard, 0.12)


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_is_as_it_is(directory: Path, name: str) -> None:
    file = RangeFile(Bytes(video(directory, name, *KINDS[name])))
    container = opened(file)
    packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
    times = [packet.pts for packet in packets]
    assert list(with_lost_chunks(file, container.streams.audio[0], packets)) == packets
    assert [packet.pts for packet in packets] == times


@pytest.mark.parametrize("name", KINDS)
def test_where_the_index_is_wrong_about_places_it_tells_nothing(directory: Path, name: str) -> None:
    # FFmpeg takes the first chunk that it finds for the first one of the index.
    data = video(directory, name, *KINDS[name])
    found = ended(with_zeros(data, 0, 0.1))
    assert (found.code, found.codes) == ("done", [])
    assert SECONDS - 1 < found.seconds < SECONDS + 0.1


@pytest.mark.parametrize(("align", "seconds"), [(0, SECONDS), (1152, SECONDS * 0.75)])
def test_empty_chunks_take_time_where_chunks_are_counted(directory: Path, align: int, seconds: float) -> None:
    # Where blocks are counted, they have none: FFmpeg, VLC and DirectShow agree in that.
    head, chunks = chunks_of(video(directory, "mp3.avi", *CBR))
    sound = [number for number, (kind, _) in enumerate(chunks) if kind == b"01wb"]
    for number in sound[: len(sound) // 4]:
        chunks[number] = (b"01wb", b"")
    found = ended(avi(stated(head, (32, 1225), len(sound), 0, align), chunks))
    assert found.seconds == pytest.approx(seconds, abs=0.1)
    assert source_time(found.samples(), seconds - 1) == pytest.approx(SECONDS - 1, abs=0.1)


@pytest.mark.parametrize("sample", [0, 1])
def test_blocks_of_a_wrong_size_are_no_time(directory: Path, sample: int) -> None:
    head, chunks = chunks_of(video(directory, "mp3.avi", *CBR))
    count = sum(kind == b"01wb" for kind, _ in chunks)
    found = ended(avi(stated(head, (32, 1225), count, sample, 1), chunks))
    assert (found.code, found.codes) == ("done", [])
    assert found.seconds == pytest.approx(SECONDS, abs=0.1)
