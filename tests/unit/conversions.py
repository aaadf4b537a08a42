"""The conversion's first steps, for tests: what is in a file, and its samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.convert.conversion.decode import Block, ResumePoint, blocks
from functions.convert.conversion.media import Media
from functions.convert.conversion.plan import Plan, planned
from functions.convert.conversion.probe import opened, probe
from functions.convert.conversion.source import RangeFile
from tests.unit.bytes_source import file_of

__all__ = ["Array", "decoded", "each_limit", "joined", "plan_of", "probed"]

each_limit = pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("MAX_DURATION_SECONDS", "1", "too-long"),
        ("MAX_AUDIO_BYTES", "8000", "too-large"),
        ("CONVERT_TIMEOUT_SECONDS", "0", "timed-out"),
    ],
)
Array = np.ndarray[Any, np.dtype[np.float32]]


def probed(path: Path) -> Media:
    """What is in a file."""
    return probe(opened(file_of(path)))


def plan_of(path: Path, **options: Any) -> Plan:
    """What these options make of it; MP3 is not copied."""
    return replace(planned(probed(path), options), copy=False)


def decoded(path: Path, plan: Plan | None = None, at: ResumePoint | None = None) -> tuple[list[Block], RangeFile]:
    """The blocks of a file, and the file that they were read from."""
    file = file_of(path)
    return list(blocks(opened(file), plan or plan_of(path), at)), file


def joined(blocks: list[Block]) -> Array:
    """Their samples, one row per channel."""
    channels = zip(*(block.planes for block in blocks), strict=True)
    return np.stack([np.frombuffer(b"".join(planes), np.float32) for planes in channels])
