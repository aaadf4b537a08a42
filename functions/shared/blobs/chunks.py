"""The chunks of files in GridFS: how they are written and read, and what MongoDB's errors mean."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from functions.shared.problems import StoreFull, Unavailable

__all__ = ["CHUNK_BYTES", "WINDOW", "WRITTEN", "ChunkReader", "ChunkWriter", "answering"]

CHUNK_BYTES = 255 * 1024
# Chunks that are written in one go (they are in memory three times, with what they came in and how they are sent), or
# read in one query.
WRITTEN, WINDOW = 4, 16
# Chunks that a reader keeps: what is read twice is seldom far apart.
CACHED = 2 * WINDOW
# All writers of a process may hold so much, and so the chunks of a file that is begun beside many others are smaller.
# Each file says how large its chunks are.
HELD_BYTES = 64 * 1024 * 1024
SMALL_CHUNK_BYTES = 63 * 1024
# OutOfDiskSpace (src/mongo/base/error_codes.yml); quota exceeded, as it was before WiredTiger.
FULL_CODES = {14031, 12501}
# ENOSPC and EDQUOT as strerror has them, and Atlas's error 8000.
FULL_WORDS = re.compile("No space left on device|Disk quota exceeded|over your space quota")

_writers = 0
_counting = threading.Lock()


class ChunkWriter:
    """Cuts what is written into the chunks of one file, and inserts some of them at a time. Use it as a context.

    `renew` is called again and again; it raises when the file cannot be written to its end.
    """

    def __init__(self, chunks: Any, file_id: ObjectId, renew: Callable[[], None] = lambda: None) -> None:
        self._chunks, self._renew = chunks, renew
        self.chunk_bytes = CHUNK_BYTES if (_writers + 1) * CHUNK_BYTES <= HELD_BYTES else SMALL_CHUNK_BYTES
        self._file_id = file_id
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._written = 0
        self.size_bytes = 0

    def __enter__(self) -> ChunkWriter:
        global _writers
        with _counting:
            _writers += 1
        return self

    def __exit__(self, *_error: object) -> None:
        global _writers
        with _counting:
            _writers -= 1

    def write(self, data: bytes) -> None:
        """As Writer.write."""
        self._renew()
        self._digest.update(data)
        self._pending += data
        self.size_bytes += len(data)
        window = self._window()
        while len(self._pending) >= window:
            self._insert(window)

    def sha256(self) -> str:
        """As Writer.sha256."""
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Write what is left, the last chunk not full."""
        if self._pending:
            self._insert(len(self._pending))

    def _window(self) -> int:
        """How many bytes are written in one go: whole chunks."""
        return self.chunk_bytes * min(WRITTEN, max(1, HELD_BYTES // (_writers * self.chunk_bytes)))

    def _insert(self, count: int) -> None:
        step = self.chunk_bytes
        with memoryview(self._pending) as pending:
            pieces = [pending[at : min(at + step, count)].tobytes() for at in range(0, count, step)]
        documents = [{"files_id": self._file_id, "n": self._written + n, "data": each} for n, each in enumerate(pieces)]
        with answering():
            self._chunks.insert_many(documents)
        del self._pending[:count]
        self._written += len(documents)


class ChunkReader:
    """Reads chunks; from the second neighbour on, a whole window ahead."""

    def __init__(self, window: Callable[[int, int], list[tuple[int, bytes]]], size: int, chunk_bytes: int) -> None:
        self._window, self._chunk_bytes = window, chunk_bytes
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1
        self.size = size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """As Reader.fetch."""
        return b"".join([piece for start, length in ranges for piece in self._pieces(start, start + length)])

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            n, offset = divmod(start, self._chunk_bytes)
            piece = self._chunk(n, -(-stop // self._chunk_bytes))[offset : offset + stop - start]
            start += len(piece)
            yield piece

    def _chunk(self, n: int, end: int) -> bytes:
        if n not in self._cache:
            ahead = n + WINDOW if n == self._next else min(end, n + WINDOW)
            for number, data in self._window(n, min(ahead, -(-self.size // self._chunk_bytes))):
                self._cache[number] = data
                self._next = number + 1
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(n)
        return self._cache[n]


@contextmanager
def answering() -> Iterator[None]:
    """Errors of MongoDB's driver become Unavailable, or StoreFull."""
    try:
        yield
    except PyMongoError as error:
        kind = StoreFull if _is_full(error) else Unavailable
        raise kind(f"MongoDB does not answer: {error}") from error


def _is_full(error: PyMongoError) -> bool:
    """Whether the server has no room: it says so by a code, or in words with what the system or the host told it."""
    details = getattr(error, "details", None) or {}
    codes = {getattr(error, "code", None), *(each.get("code") for each in details.get("writeErrors", ()))}
    return bool(codes & FULL_CODES) or bool(FULL_WORDS.search(str(error)))
