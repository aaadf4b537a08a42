"""What a file states of where its sound ends."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stated"]


@dataclass(frozen=True)
class Stated:
    """Where the sound ends, in bytes, and when, in seconds; 0 for what is not stated."""

    stop: int = 0
    seconds: float = 0.0
