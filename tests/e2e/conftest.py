"""What the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system import Audiolift, User

LIMIT = 2_000_000


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """audiolift with small limits, on a machine without ffmpeg: that of imageio-ffmpeg does the work."""
    limits = {"MAX_UPLOAD_BYTES": str(LIMIT), "MAX_DURATION_SECONDS": "3600", "PATH": "/nowhere"}
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
def owner(audiolift: Audiolift) -> User:
    """Whose jobs several tests look at, and none changes."""
    return audiolift.user()


@pytest.fixture(scope="session")
def done(owner: User, video: Path) -> dict[str, Any]:
    """A job of `owner` that is done."""
    job = owner.convert(video, filename="Übung „eins“ 100%.mp4")
    assert job["state"] == "done", job["error"]
    return job


@pytest.fixture(autouse=True)
def log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Shows what audiolift said during a test, should that fail."""
    running = [request.getfixturevalue(name) for name in ("audiolift", "narrow") if name in request.fixturenames]
    seen = [len(each.output) for each in running]
    yield
    for each, start in zip(running, seen, strict=True):
        print("\n".join(each.output[start:]))


@pytest.fixture
def failed(user: User, empty: Path) -> dict[str, Any]:
    """A job of `user` that failed."""
    return user.convert(empty)
