"""A RangeSource over bytes in memory, which remembers what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from functions.convert.conversion.source import RangeFile

__all__ = ["Bytes", "file_of"]


class Bytes:
    """What it holds, and the (start, length) of every request."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.requests: list[list[tuple[int, int]]] = []

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        assert all(0 <= start < start + length <= self.size for start, length in ranges)
        self.requests.append(list(ranges))
        return b"".join(self.data[start : start + length] for start, length in ranges)


def file_of(path: Path) -> RangeFile:
    """A file on disk as the conversion reads it."""
    return RangeFile(Bytes(path.read_bytes()))
