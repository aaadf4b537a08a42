"""A blob that is made of others, one after the other, without a copy of them: how one is read."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import accumulate, groupby
from operator import itemgetter

from functions.shared.blobs.interface import Piece, Reader

__all__ = ["JoinedReader", "Pieces"]

# A reader of a piece holds a file, or some chunks.
MAX_OPEN = 4


class Pieces:
    """Where the bytes of a joined blob are. `size` is in bytes."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = [piece for piece in pieces if piece.size_bytes]
        self._starts = list(accumulate((piece.size_bytes for piece in self._pieces), initial=0))
        self.size = self._starts[-1]

    @property
    def names(self) -> list[str]:
        """The names of the blobs."""
        return [piece.name for piece in self._pieces]

    def spans(self, start: int, stop: int) -> Iterator[tuple[str, int, int]]:
        """The ranges of pieces (name, start, stop) that are the bytes from start up to, not including, stop."""
        stop = min(stop, self.size)
        at = bisect_right(self._starts, start) - 1
        while start < stop:
            first, end = self._starts[at], min(stop, self._starts[at + 1])
            yield self._pieces[at].name, start - first, end - first
            start, at = end, at + 1


class JoinedReader:
    """Reads a joined blob here and there; `reading` opens a piece by its name."""

    def __init__(self, pieces: Pieces, reading: Callable[[str], AbstractContextManager[Reader]]) -> None:
        self._pieces, self._reading = pieces, reading
        self._open: OrderedDict[str, tuple[Reader, ExitStack]] = OrderedDict()
        self.size = pieces.size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """As Reader.fetch."""
        spans = [span for start, length in ranges for span in self._pieces.spans(start, start + length)]
        return b"".join(
            [
                self._reader(name).fetch([(start, stop - start) for _, start, stop in here])
                for name, here in groupby(spans, itemgetter(0))
            ]
        )

    def close(self) -> None:
        """Close the pieces that are open."""
        while self._open:
            self._open.popitem()[1][1].close()

    def _reader(self, name: str) -> Reader:
        if name not in self._open:
            while len(self._open) >= MAX_OPEN:
                self._open.popitem(last=False)[1][1].close()
            with ExitStack() as opening:
                reader = opening.enter_context(self._reading(name))
                self._open[name] = reader, opening.pop_all()
        self._open.move_to_end(name)
        return self._open[name][0]
