"""What the engine makes of a file, for tests: the MP3 or the reason, the warnings, what sounds when."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from functions.convert.conversion import pipeline
from functions.shared.job_warnings import JobWarning
from functions.shared.reasons import Failure
from tests import media
from tests.unit.bytes_source import Bytes

__all__ = ["RATE", "Ended", "box", "ended", "ffmpeg", "inside", "joined_boxes", "tone"]

RATE = 44100


@dataclass(frozen=True)
class Ended:
    """How a conversion ended: `code` is "done" or a reason; `restarted`: what was copied first was encoded instead."""

    code: str
    hint: str = ""
    seconds: float = 0.0
    mp3: bytes = b""
    restarted: bool = False
    warnings: tuple[JobWarning, ...] = ()
    bytes_read: int = 0

    @property
    def codes(self) -> list[str]:
        """The codes of the warnings."""
        return [warning.code for warning in self.warnings]

    def samples(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """What is heard, in mono at RATE."""
        words = [
            *("-v", "error", "-f", "mp3", "-i", "pipe:0"),
            *("-ac", "1", "-ar", str(RATE), "-f", "f32le", "pipe:1"),
        ]
        decoded = subprocess.run([media.ffmpeg(), *words], input=self.mp3, check=True, capture_output=True).stdout
        return np.frombuffer(decoded, np.float32)

    def tones(self, *seconds: float) -> list[int]:
        """The loudest frequency around each time, to the next 10 Hz; 0 where it is silent."""
        heard = self.samples()
        return [tone(heard, second) for second in seconds]


def tone(heard: np.ndarray[Any, np.dtype[np.float32]], second: float) -> int:
    part = heard[int((second - 0.2) * RATE) : int((second + 0.2) * RATE)]
    assert len(part) > 0.3 * RATE, "there is no sound at that time"
    if np.abs(part).max() < 0.003:
        return 0
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    return round(float(np.argmax(spectrum)) * RATE / len(part) / 10) * 10


def ended(video: bytes | Path, options: Mapping[str, Any] | None = None, state: Any = None) -> Ended:
    """Convert it in this process."""
    source = Bytes(video if isinstance(video, bytes) else video.read_bytes())
    job = {"options": dict(options or {}), "threads": 1, "max_seconds": 3600, "state": state}
    frames, restarted = b"", False
    try:
        work = pipeline._Work(source, job)
        work.choose()
        work.prepare()
        for header, payload in work.copied_or_encoded() if work.plan.copy else work.encoded():
            if header["kind"] == "restart":
                frames, restarted = b"", True
            elif header["kind"] == "audio":
                frames += payload
            elif header["kind"] == "file":
                mp3 = payload[: header["head"]] + frames + payload[header["head"] :]
                read = sum(length for request in source.requests for _, length in request)
                return Ended("done", "", header["seconds"], mp3, restarted, tuple(work._found), read)
    except Failure as failure:
        return Ended(failure.code, failure.hint, restarted=restarted)
    raise AssertionError("no MP3 came")


def ffmpeg(path: Path, *words: str) -> Path:
    """What the command makes, at `path`."""
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-y", *words, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an MP4."""
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def inside(data: bytes, kinds: Sequence[bytes]) -> int:
    """Where the content of the first box with such a path begins."""
    start, stop = 0, len(data)
    for kind in kinds:
        while data[start + 4 : start + 8] != kind:
            start += int.from_bytes(data[start : start + 4], "big")
            assert start < stop, kind
        start, stop = start + 8, start + int.from_bytes(data[start : start + 4], "big")
    return start


def joined_boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes at the top: kind, and the whole box."""
    found, start = [], 0
    while start < len(data):
        size = int.from_bytes(data[start : start + 4], "big")
        found.append((data[start + 4 : start + 8], data[start : start + size]))
        start += size
    return found
