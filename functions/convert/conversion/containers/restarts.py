"""An MP4 in fragments whose clock begins again without another head: streams that broke off, and were saved in a row.

FFmpeg sorts fragments by their times: it loses some of those that come second, and a timeline takes others for a part
that was written twice. So they are another recording, which has the head of the first.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from itertools import takewhile

from functions.convert.conversion.containers.boxes import Box, boxes
from functions.convert.conversion.source import RangeFile

__all__ = ["Restarts", "rest_from"]

# So much of a fragment has the time of its first track (ISO/IEC 14496-12, 8.8.5 to 8.8.7 and 8.8.12): its number, the
# head of a track and what comes of its data, and the time. From where on two fragments with other numbers are alike.
_HEAD, _BEHIND_NUMBER = 96, 24
_TRACK, _TRACK_HEAD = 24, 32
# Of the data of two fragments, so many bytes are compared.
_LOOK = 4096


class Restarts:
    """Is given the fragments of a file in order, and says where the clock begins again."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file
        # The first fragment of each track and when it begins; and when later ones begin.
        self._first: dict[bytes, tuple[Box, int]] = {}
        self._later: defaultdict[bytes, list[int]] = defaultdict(list)

    def is_one(self, moof: Box) -> bool:
        """Whether a fragment is at the beginning of the clock again, and is not the first one once more."""
        found = _clock(self._file.glance(moof.start, _HEAD))
        if found is None:
            return False
        track, time = found
        first, begin = self._first.setdefault(track, (moof, time))
        later = self._later[track]
        # Two fragments may have changed places.
        is_early = bool(later) and time < later[0] and (time <= begin or len(later) > 1)
        if time > begin:
            insort(later, time)
        return is_early and self._differs(first, moof) and _is_bare(self._file)

    def _differs(self, first: Box, moof: Box) -> bool:
        size = moof.stop - moof.start
        parts = ((_BEHIND_NUMBER, size - _BEHIND_NUMBER), (size, _LOOK))
        one, other = ([self._file.peek(box.start + at, size) for at, size in parts] for box in (first, moof))
        return first.stop - first.start != size or one != other


def _clock(head: bytes) -> tuple[bytes, int] | None:
    """The number of the first track of a fragment, and the time at which that begins; None where it does not say."""
    at = _TRACK_HEAD + int.from_bytes(head[_TRACK_HEAD : _TRACK_HEAD + 4], "big")
    names = [head[start + 4 : start + 8] for start in (_TRACK, _TRACK_HEAD, at)]
    if names != [b"traf", b"tfhd", b"tfdt"]:
        return None
    time = head[at + 12 : at + (20 if head[at + 8 : at + 9] == b"\1" else 16)]
    return head[_TRACK_HEAD + 12 : _TRACK_HEAD + 16], int.from_bytes(time, "big")


def _is_bare(file: RangeFile) -> bool:
    """Whether nothing but a head lies before the first fragment, and that does not state how long all is."""
    ahead = list(takewhile(lambda box: box.kind != b"moof", boxes(file, 0, file.size)))
    extensions = [box for movie in ahead if movie.kind == b"moov" for box in boxes(file, movie.content, movie.stop)]
    stated = [box for each in extensions if each.kind == b"mvex" for box in boxes(file, each.content, each.stop)]
    return {box.kind for box in ahead}.isdisjoint({b"mdat", b"sidx"}) and b"mehd" not in {box.kind for box in stated}


def rest_from(file: RangeFile, start: int) -> RangeFile:
    """What lies from another recording on, as a file of its own: behind the head of the first, where it has none.

    What lies between them is passed over, so that each byte keeps its place: fragments may count from the beginning.
    """
    rest = file.rest(start)
    if rest.peek(4, 4) != b"moof":
        return rest
    whole = file.rest(0)
    stop = next(box.stop for box in boxes(whole, 0, start) if box.kind == b"moov")
    size = start - stop
    whole.patch(stop, (1).to_bytes(4, "big") + b"free" + size.to_bytes(8, "big"))
    return whole
