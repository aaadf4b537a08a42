"""Whether this process has been told to stop: long streams end then, and their clients reconnect elsewhere."""

from __future__ import annotations

__all__ = ["begin", "begun"]

_begun = False


def begin() -> None:
    """The process has got its SIGTERM."""
    global _begun
    _begun = True


def begun() -> bool:
    """Whether the process is about to stop."""
    return _begun
