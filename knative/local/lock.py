"""The data directory: made when it is missing, and held by one runner at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knative.local.errors import StartError

__all__ = ["data_directory"]


@contextmanager
def data_directory(path: Path) -> Iterator[Path]:
    """The directory's absolute path, held while in the context; the kernel lets go of it when the runner dies.

    Raises: StartError when it cannot be written to, or another runner holds it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / "runner.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(f"the data directory {path} cannot be used: {error.strerror}. Choose one by --data") from error
    try:
        _hold(lock, path)
        yield path.resolve()
    finally:
        os.close(lock)


def _hold(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(f"another audiolift already uses {path}. Stop it, or choose another by --data") from None
