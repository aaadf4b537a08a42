"""Conversions for tests: what is in a file, its samples, its MP3, and the same resumed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.media import Media
from functions.convert.conversion.pipeline import converted
from functions.convert.conversion.plan import Plan, planned
from functions.convert.conversion.sound.decode import Block, ResumePoint, blocks
from functions.convert.conversion.source import RangeFile
from functions.shared.job_warnings import JobWarning
from tests.unit.bytes_source import Bytes, file_of

__all__ = ["Array", "Conversion", "conversion", "decoded", "each_limit", "joined", "plan_of", "probed"]

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


@dataclass
class Conversion:
    """What one conversion sent. At each checkpoint: all frames so far, and the state."""

    frames: bytes = b""
    files: list[bytes] = field(default_factory=list)
    warnings: list[JobWarning] = field(default_factory=list)
    peaks: tuple[float, bytes] | None = None
    checkpoints: list[tuple[bytes, dict[str, Any]]] = field(default_factory=list)

    @property
    def mp3(self) -> bytes:
        """The only file."""
        (mp3,) = self.files
        return mp3

    def take(self, header: dict[str, Any], payload: bytes) -> None:
        match header["kind"]:
            case "audio":
                self.frames += payload
            case "checkpoint":
                self.checkpoints.append((self.frames, json.loads(payload)))
            case "peaks":
                self.peaks = header["seconds"], payload
            case "warning":
                self.warnings.append(JobWarning(header["code"], header["values"]))
            case "file":
                self.files.append(payload[: header["head"]] + self.frames + payload[header["head"] :])
                self.frames = b""


def conversion(
    path: Path, options: dict[str, Any], frames: bytes = b"", state: dict[str, Any] | None = None
) -> Conversion:
    """Convert a file, or resume that: with `frames` before the checkpoint that has this `state`."""
    made = Conversion(frames)
    job = {"options": options, "threads": 1, "max_seconds": 100_000, "state": state}
    for header, payload in converted(Bytes(path.read_bytes()), job):
        made.take(header, payload)
    return made
