"""The lengths of samples in the index of an MP4 or MOV, where a muxer wrote none (ISO/IEC 14496-12, 8.6.1.2).

Each is 0 or 1 tick then, a part of a millisecond. All of the sound lies at the beginning of the clock, and an edit list
leaves out most of it. Samples of most codecs are of one length: so they are the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from av.audio.stream import AudioStream

from functions.convert.conversion.containers.boxes import Box
from functions.convert.conversion.containers.edits import child, track_of
from functions.convert.conversion.source import RangeFile

__all__ = ["missing_lengths"]

# FFmpeg's name of a codec → how many samples of sound are in one of the index, where FFmpeg does not say it.
_SAMPLES = {
    **dict.fromkeys(("mp1", "mp2", "mp3"), 1152),
    **dict.fromkeys(("ac3", "eac3"), 1536),
    **{"aac": 1024, "opus": 960, "alac": 4096, "amr_nb": 160, "amr_wb": 320, "adpcm_ima_qt": 64},
}
# Ticks that are longer may be as long as a sample.
_SHORT = Fraction(1, 1000)
# No table that is absurd has more entries: of samples of one length, there is one.
_ENTRY, _MAX_ENTRIES = 8, 4096


def missing_lengths(file: RangeFile, stream: AudioStream) -> list[tuple[int, bytes]]:
    """Places in the file, and the bytes, of lengths for the samples of a track; nothing where they have lengths."""
    context, tick = stream.codec_context, stream.time_base
    if context is None or not tick or tick >= _SHORT or not context.sample_rate or not _are_together(stream):
        return []
    samples = context.frame_size or _SAMPLES.get(context.codec.canonical_name, 0)
    table = _table(file, stream) if samples else None
    length = round(samples / context.sample_rate / tick).to_bytes(4, "big")
    return [(place, length) for place in _places(file, table)] if table else []


def _are_together(stream: AudioStream) -> bool:
    """Whether the index has no more ticks than samples; or FFmpeg made none of lengths that make no sense."""
    entries, count = stream.index_entries, stream.frames
    return count > 1 and (not len(entries) or entries[-1].timestamp - entries[0].timestamp <= count)


def _table(file: RangeFile, stream: AudioStream) -> Box | None:
    """The table of lengths of a track; None where each sample of sound is one of the index, of a byte.

    That is QuickTime's first kind of sound, whose lengths of 1 are right (QuickTime File Format, stsz).
    """
    found = track_of(file, stream)
    box = found and found[1]
    for kind in (b"mdia", b"minf", b"stbl"):
        box = box and child(file, box, kind)
    sizes = child(file, box, b"stsz") if box else None
    is_counted = sizes is not None and file.peek(sizes.content + 4, 4) == b"\0\0\0\1"
    return child(file, box, b"stts") if box and not is_counted else None


def _places(file: RangeFile, table: Box) -> Iterator[int]:
    """Where lengths are of 0 or 1; none where most samples have others."""
    count = int.from_bytes(file.peek(table.content + 4, 4), "big")
    start = table.content + 8
    size = min(count, _MAX_ENTRIES) * _ENTRY
    data = file.peek(start, min(size, table.stop - start))
    rows = [(at, int.from_bytes(data[at : at + 4], "big")) for at in range(0, len(data) - _ENTRY + 1, _ENTRY)]
    short = {at: many for at, many in rows if int.from_bytes(data[at + 4 : at + _ENTRY], "big") <= 1}
    if 2 * sum(short.values()) > sum(many for _, many in rows):
        yield from (start + at + 4 for at in short)
