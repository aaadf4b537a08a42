"""What the end-to-end tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import media
from tests.system import Audiolift, User

LIMIT = 1_000_000


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """audiolift with small limits, on a machine without ffmpeg: that of imageio-ffmpeg does the work."""
    limits = {"MAX_UPLOAD_BYTES": str(LIMIT), "MAX_DURATION_SECONDS": "3", "PATH": "/nowhere"}
    running = Audiolift(tmp_path_factory.mktemp("narrow") / "data", limits)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of zero bytes: its job fails at once."""
    path = tmp_path_factory.mktemp("media") / "empty.mp4"
    path.touch()
    return path


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of silence: small to upload, and many seconds of work to convert."""
    path = tmp_path_factory.mktemp("media") / "long.flac"
    command = [media.ffmpeg(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", "anullsrc=d=7200", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def owner(audiolift: Audiolift) -> User:
    """Whose jobs several tests look at, and none changes."""
    return audiolift.user()


@pytest.fixture(scope="session")
def done(owner: User, video: Path) -> dict[str, Any]:
    """A job of `owner` that is done."""
    job = owner.convert(video, filename="Übung „eins“ 100%.mp4")
    assert job["state"] == "done", job["error"]
    return job
