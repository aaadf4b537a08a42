"""Segments' frames to one stream without a gap, by choosing the frame to change over at and mending the bit reservoir.

A frame's main data begins `main_data_begin` bytes before its own slot, in what the frames before left free: the bit
reservoir (ISO/IEC 11172-3 §2.4.3.4.1). All slots in a row are one stream of main data, in which frames have their
parts in order. Where segment B takes over from A, the first bytes of B's data were in slots of B that are dropped;
they are written into the end of A's slots, if A left that much free. Otherwise a frame of A gets a higher bitrate, so
that its slot becomes longer. All of B's frames stay as they are.

Both sides have the frames around the boundary, made of the same samples. Since a frame's sound overlaps with that of
the next one, both must have used the same window in the frame before the change (§2.4.3.4.10.3); then the overlapping
halves cancel their aliases as ever, and only the noise of quantisation changes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.frames import (
    header,
    side_info,
    slot,
    split,
    with_main_data_begin,
    with_slot,
    without_last_channel,
)
from functions.convert.conversion.mpeg.segments import OVERLAP, boundary
from functions.convert.errors import JoinError

__all__ = ["Joiner"]


# A main_data_begin that no slot's gain moves out of reach.
_NO_FRAME = -10_000


class Joiner:
    """Takes segments in order. A few frames are held back, in which the next one's data may yet have to be written."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        """`state` is what `state()` gave, to resume from."""
        self._first = int(state["first"]) if state else 0
        self._held = split(base64.b64decode(state["held"])) if state else []

    def state(self) -> dict[str, Any]:
        """What is needed to resume after the segments so far, fit for JSON and below 64 KB."""
        return {"first": self._first, "held": base64.b64encode(b"".join(self._held)).decode("ascii")}

    def add(self, part: Encoded) -> bytes:
        """Join a segment's frames to those before. Gives frames that are final. Raises: JoinError."""
        if self._held:
            seam = _seam(self._held, self._first, part)
            chain = _changed_over([*self._held[: seam.frame - self._first - 1], seam.last], part, seam)
        else:
            self._first, chain = part.start, list(part.frames)
        keep = _held_from(chain, boundary(part.after) - OVERLAP - self._first)
        self._first, self._held = self._first + keep, chain[keep:]
        return b"".join(chain[:keep])

    def finish(self) -> bytes:
        """The frames held back, after the last segment."""
        held, self._held = self._held, []
        return b"".join(held)


class _Seam(NamedTuple):
    """A frame number to change over at, and the bytes of A's slots that are free and that B's data needs."""

    frame: int
    fits_window: bool
    free: int
    needed: int
    last: bytes  # A's last frame

    @property
    def cost(self) -> tuple[bool, bool, int]:
        return not self.fits_window, self.needed > self.free, abs(self.free - self.needed)


def _seam(held: Sequence[bytes], first: int, part: Encoded) -> _Seam:
    """The best place to change over; a bitrate is raised only if there is no other, so that a constant one stays so.

    Where all frames have the highest bitrate and the reservoir is empty, there may be none at all (one seam in 20 of
    the worst there is, such as loud clicks without a pause at 320 kbit/s). Then A's last frame goes without the last
    thing that it has, 13 or 26 ms of its second or side channel.
    """
    found = _seams(held, first, part) or _seams(held, first, part, without_last_channel)
    if not found:
        raise JoinError
    return min(found, key=lambda seam: seam.cost)


def _seams(
    held: Sequence[bytes], first: int, part: Encoded, changed: Callable[[bytes], bytes] = lambda frame: frame
) -> list[_Seam]:
    """The places where it can be done, if the last frame before is `changed`."""
    middle = boundary(part.index)
    found = []
    for frame in range(middle - OVERLAP, middle + OVERLAP + 1):
        before, theirs = [*held[: frame - first - 1], changed(held[frame - first - 1])], frame - part.start
        same = _window(before[-1]) == _window(part.frames[theirs - 1])
        seam = _Seam(frame, same, _free(before), side_info(part.frames[theirs]).main_data_begin, before[-1])
        if seam.needed <= seam.free or _raised(before, seam.needed - seam.free) is not None:
            found.append(seam)
    return found


def _window(frame: bytes) -> list[tuple[int, bool]]:
    """The window of each channel's last granule, which overlaps with the frame after it."""
    return [(granule.block_type, granule.mixed) for granule in side_info(frame).granules[-1]]


def _free(chain: Sequence[bytes]) -> int:
    """How many bytes at the end of all slots come after all main data."""
    used = end = 0
    for frame in chain:
        side = side_info(frame)
        used = max(used, end - side.main_data_begin + side.main_data_length)
        end += len(slot(frame))
    return end - used


def _changed_over(before: list[bytes], part: Encoded, seam: _Seam) -> list[bytes]:
    """The frames before the seam, with the data in their slots that the frames after it need, and those."""
    at = seam.frame - part.start
    dropped = b"".join(map(slot, part.frames[:at]))
    bitrates = _raised(before, max(0, seam.needed - seam.free))
    if bitrates is None or seam.needed > len(dropped):
        raise JoinError
    needed = dropped[len(dropped) - seam.needed :]
    return [*_poured(before, bitrates, needed), *part.frames[at:]]


def _raised(chain: Sequence[bytes], missing: int) -> dict[int, int] | None:
    """Which frames need which bitrate for `missing` more bytes of slot, or None; the last frames first.

    Each byte that a slot gains moves the data of all later frames one byte further from their headers, of which `begin`
    is the furthest.
    """
    bitrates: dict[int, int] = {}
    begin = _NO_FRAME
    for index in range(len(chain) - 1, -1, -1):
        if missing <= 0:
            break
        head = header(chain[index][:4])
        gains = [(head.size_at(kbps) - head.size, kbps) for kbps in head.bitrates if kbps > head.bitrate]
        allowed = [gain for gain in gains if begin + gain[0] <= head.reach]
        gain, kbps = min((gain for gain in allowed if gain[0] >= missing), default=max(allowed, default=(0, 0)))
        if gain:
            bitrates[index] = kbps
        missing -= gain
        begin = max(begin + gain, side_info(chain[index]).main_data_begin)
    return bitrates if missing <= 0 else None


def _poured(chain: Sequence[bytes], bitrates: dict[int, int], needed: bytes) -> list[bytes]:
    """The frames with these bitrates, all of their main data, and at its end what is needed after them."""
    data = b"".join(map(slot, chain))
    heads = [header(frame[:4]) for frame in chain]
    sizes = [head.size_at(bitrates.get(index, head.bitrate)) - head.overhead for index, head in enumerate(heads)]
    gained = sum(sizes) - len(data)
    data += bytes(gained)
    data = data[: len(data) - len(needed)] + needed
    poured, at, shift = [], 0, 0
    for index, (frame, size) in enumerate(zip(chain, sizes, strict=True)):
        begin = side_info(frame).main_data_begin + shift
        poured.append(with_main_data_begin(with_slot(frame, data[at : at + size], bitrates.get(index)), begin))
        at += size
        shift += size - len(slot(frame))
    return poured


def _held_from(chain: Sequence[bytes], seam: int) -> int:
    """The first frame that a change over at frame `seam` or later can write into."""
    reach = 0
    index = min(seam, len(chain))
    while index > 0 and reach < header(chain[0][:4]).reach:
        index -= 1
        reach += len(slot(chain[index]))
    return index
