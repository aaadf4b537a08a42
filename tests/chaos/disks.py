"""A small disk of its own for a directory, which can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Disk"]

_ROOM = "size=1g"


class Disk:
    """A tmpfs at `directory`, for as long as the context lasts. That takes root, and the right to mount.

    `is_there` says whether it could be had; without it the directory is one like any other.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self._directory, self.is_there = name, directory, False

    def __enter__(self) -> Self:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.is_there = os.geteuid() == 0 and _mount("-t", "tmpfs", "-o", f"{_ROOM},mode=700", "tmpfs", self._directory)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.is_there:
            # Lazily: whoever was killed may still have a file there.
            subprocess.run(["umount", "--lazy", self._directory], check=True)

    @contextmanager
    def full(self) -> Iterator[None]:
        """During the block there is no room for anything more (ENOSPC)."""
        if not self.is_there:
            yield
            return
        self._fill()
        try:
            yield
        finally:
            assert _mount("-o", f"remount,{_ROOM}", self._directory)

    def _fill(self) -> None:
        """What is being written meanwhile may need a little more than was counted: then it is counted again."""
        for spare in (0, 1, 4, 16):
            found = os.statvfs(self._directory)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize + spare * 65_536
            if _mount("-o", f"remount,size={used}", self._directory):
                return


def _mount(*arguments: str | Path) -> bool:
    return subprocess.run(["mount", *arguments], check=False, stderr=subprocess.DEVNULL).returncode == 0
