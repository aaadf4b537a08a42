"""conversion/sound/decode.py: where the clock has holes or jumps, resuming gives the same samples, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.convert.conversion.pipeline import converted
from tests.unit.bytes_source import Bytes
from tests.unit.clocks import AAC, RATE, chirped, moved
from tests.unit.conversions import decoded, joined

JOB = {"options": {}, "threads": 1, "max_seconds": 100_000}


def holed(at: float) -> float | None:
    return None if 5 <= at < 10 else at + 3


def jumping(at: float) -> float:
    return at if at < 8 else at + 50_000


# Before, in and after an advertisement with a clock of its own.
PARTS: list[Callable[[float], float | None]] = [
    lambda at: at if at < 7 else None,
    lambda at: at - 6.5 if 7 <= at < 13 else None,
    lambda at: at if at >= 13 else None,
]


NAMES = ["holes.mkv", "holes.mp4", "holes.ts", "jumps.ts", "restarts.ts", "returns.ts", "slow.mkv", "bad.ts", "bad.mkv"]


@pytest.fixture(scope="module", params=NAMES)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video with something wrong about its clock."""
    directory = tmp_path_factory.mktemp("resumed")
    path = directory / str(request.param)
    whole = chirped(directory / f"whole{path.suffix}", *(("-c:a", "flac") if path.suffix == ".mkv" else AAC))
    match path.stem:
        case "holes":
            return moved(whole, path, holed)
        case "jumps":
            return moved(whole, path, jumping)
        case "restarts":
            path.write_bytes(whole.read_bytes() * 2)
        case "returns":
            parts = [moved(whole, directory / f"{number}.ts", when) for number, when in enumerate(PARTS)]
            path.write_bytes(b"".join(part.read_bytes() for part in parts))
        case "slow":
            return moved(whole, path, lambda at: 2 * at)
        case "bad":
            path.write_bytes(damaged(moved(whole, path, holed).read_bytes()))
    return path


def damaged(data: bytes) -> bytes:
    """With many bytes changed in the middle."""
    changed = bytearray(data)
    for at in range(len(data) // 3, len(data) // 2, 1499):
        changed[at] ^= 0xFF
    return bytes(changed)


def test_samples_are_the_same_from_each_point(video: Path) -> None:
    whole, _ = decoded(video)
    if video.stem in ("returns", "slow"):
        assert sum(block.samples for block in whole) == pytest.approx(20 * RATE, abs=0.3 * RATE)
    starts = np.cumsum([0, *(block.samples for block in whole)])
    points = [number for number, block in enumerate(whole) if block.resume]
    assert len(points) > 24
    for number in points[:: len(points) // 12]:
        point = whole[number].resume
        assert point
        assert point.sample == starts[number]
        rest, _ = decoded(video, at=point)
        again, once = joined(rest), joined(whole[number:])
        assert again.shape == once.shape
        assert np.abs(again - once).max() < 1e-4
        assert rest[0].resume
        assert rest[0].resume.clock == point.clock
        assert rest[0].resume.broken == point.broken


def test_a_conversion_resumed_at_each_checkpoint_makes_the_same_mp3(tmp_path: Path) -> None:
    whole = chirped(tmp_path / "whole.mkv", "-c:a", "flac", seconds=60)
    video = moved(whole, tmp_path / "video.mkv", lambda at: None if 25 <= at < 30 else at + 3)
    video.write_bytes(damaged(video.read_bytes()))
    once, states = made(video, None)
    assert len(states) >= 2
    for frames, state in states:
        again, _ = made(video, state)
        assert frames + again == once


def test_a_checkpoint_of_a_release_without_a_clock_is_resumed_without(tmp_path: Path) -> None:
    video = moved(chirped(tmp_path / "whole.mkv", "-c:a", "flac", seconds=60), tmp_path / "late.mkv", lambda at: at + 3)
    strung, old_states = made(video, None, timeline="sound")
    frames, state = old_states[0]
    for name in ("clock", "byte", "broken"):
        del state[name]
    again, _ = made(video, state)
    assert frames + again == strung


def made(video: Path, state: Any, **options: Any) -> tuple[bytes, list[tuple[bytes, dict[str, Any]]]]:
    """All frames of the MP3; and each checkpoint, with the frames before it."""
    frames, states = b"", list[tuple[bytes, dict[str, Any]]]()
    for header, payload in converted(Bytes(video.read_bytes()), {**JOB, "options": options, "state": state}):
        if header["kind"] == "audio":
            frames += payload
        if header["kind"] == "checkpoint":
            states.append((frames, json.loads(payload)))
    return frames, states
