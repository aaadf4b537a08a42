"""Segments that several processes encode make the very MP3 that one process makes: tests/benchmarks/spread.py."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest

from functions.convert.conversion import pipeline
from functions.convert.conversion.sound.decode import ResumePoint
from tests import media
from tests.benchmarks import spread
from tests.unit.bytes_source import Bytes

# Segments are shortest, in bytes and work, at a low sample rate: 55 s.
SECONDS, QUALITY = 400, 9


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight segments of a tone that rises, with noise."""
    path = tmp_path_factory.mktemp("media") / "talk.mp4"
    sound = f"aevalsrc=0.3*sin(2*PI*(200+2*t)*t)+0.1*(random(0)-0.5):s=8000:d={SECONDS}"
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", sound, "-c:a", "aac", "-b:a", "24k"]
    subprocess.run([*command, str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with spread.pool(3) as running:
        yield running


@pytest.fixture(scope="module")
def whole(video: Path) -> bytes:
    """The MP3 of the function itself."""
    job = {"options": {"quality": QUALITY}, "threads": 2, "max_seconds": 1000, "state": None}
    messages = list(pipeline.converted(Bytes(video.read_bytes()), job))
    frames = b"".join(payload for header, payload in messages if header["kind"] == "audio")
    end, ends = messages[-1]
    return ends[: end["head"]] + frames + ends[end["head"] :]


@pytest.mark.parametrize("way", spread.WAYS)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_shares_of_several_processes_make_the_same_mp3(
    video: Path, processes: Executor, whole: bytes, way: str, count: int
) -> None:
    mp3, works = spread.spread(video, QUALITY, processes, count, way)
    shares = [work for work in works if work.parts]
    assert len(shares) == count
    assert [part.index for work in shares for part in work.parts] == list(range(8))
    assert mp3 == whole


def test_one_process_makes_the_same_mp3(video: Path, whole: bytes) -> None:
    assert spread.alone(video, QUALITY)[0] == whole


def test_a_share_that_begins_one_sample_late_is_noticed(video: Path, whole: bytes) -> None:
    """The identity is no accident: it needs each place to be right to the sample."""
    found, _ = spread.places(video, QUALITY)
    first, second = spread.shares(found, 2)
    assert second.resume
    late = second._replace(resume=ResumePoint(second.resume.mark, second.resume.sample + 1))
    works = [spread.encode_share(video, QUALITY, share, "") for share in (first, late)]
    assert spread.joined(video, QUALITY, works)[0] != whole


def test_there_are_no_more_shares_than_segments() -> None:
    assert spread.shares([None], 3) == [spread.Share(0, None, None)]
    assert [(share.first, share.stop) for share in spread.shares([None] * 7, 3)] == [(0, 2), (2, 4), (4, None)]
