"""An MP3 that was saved from an internet radio with the titles in between, and what of it is sound.

By SHOUTcast's protocol (ICY), a title comes each so many bytes of sound: a byte that says how many times 16 bytes it
has, mostly none, and these. Where the stream is saved as it comes, they cut frames in two.
"""

from __future__ import annotations

from functions.convert.conversion.source import RangeFile

__all__ = ["sound_between_titles"]

_MARK = b"Stream"
# Where the first title is looked for; the intervals that servers use, in bytes; how many titles prove one.
_LOOK = 128 * 1024
_INTERVALS = (8192, 16000, 16384, 32768, 8000, 4096, 24576, 32000, 2048, 1024, 65536)
_ENOUGH = 3
# So many pieces of sound are remembered: two days at 320 kbit/s.
_MAX_PIECES = 1_000_000


def sound_between_titles(file: RangeFile) -> list[tuple[int, int]] | None:
    """The (start, stop) of the sound between the titles of a file; None where there are none."""
    head = file.peek(0, _LOOK)
    first = head.find(b"StreamTitle='") - 1
    if first < 0:
        return None
    second = head.find(b"StreamTitle='", first + 2) - 1
    apart = second - first - 1 - 16 * head[first]
    for interval in (*_INTERVALS, *([apart] if apart > _INTERVALS[-2] else [])):
        pieces = _pieces(file, first, interval)
        if len(pieces) > _ENOUGH:
            return pieces
    return None


def _pieces(file: RangeFile, first: int, interval: int) -> list[tuple[int, int]]:
    """The sound, if there is a title, or none, at each interval from the one at `first` on; else nothing."""
    # Those before the first one that is not empty were empty.
    first %= interval + 1
    pieces: list[tuple[int, int]] = []
    start, stop = 0, first
    while stop < file.size and len(pieces) < _MAX_PIECES:
        length = _length(file, stop)
        if length is None:
            return []
        pieces.append((start, stop))
        start, stop = stop + 1 + length, stop + 1 + length + interval
    return [piece for piece in (*pieces, (start, file.size)) if piece[0] < piece[1]]


def _length(file: RangeFile, at: int) -> int | None:
    """How many bytes the title at a position has; None where there is something else."""
    head = file.peek(at, 1 + len(_MARK))
    return head[0] * 16 if head[:1] == b"\0" or head[1:] == _MARK[: len(head) - 1] else None
