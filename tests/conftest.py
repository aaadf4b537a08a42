"""What all tests share: one audiolift per test process, and its users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import media
from tests.system import Audiolift, User


@pytest.fixture(scope="session")
def audiolift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audiolift]:
    """audiolift on one machine, with its defaults."""
    running = Audiolift(tmp_path_factory.mktemp("audiolift") / "data")
    yield running
    running.stop()


@pytest.fixture
def user(audiolift: Audiolift) -> User:
    """Somebody who has just registered and signed in."""
    return audiolift.user()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound video."""
    return media.make(tmp_path_factory.mktemp("media") / "mp4-aac.mp4")
