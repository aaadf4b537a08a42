"""From a video to an MP3, as a user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import media
from tests.system import User


@pytest.mark.parametrize("name", [name for name in media.KINDS if name != "silent-movie.mp4"])
def test_every_container_and_codec_becomes_an_mp3(user: User, tmp_path: Path, name: str) -> None:
    job = user.convert(media.make(tmp_path / name))

    assert job["state"] == "done", job["error"]
    assert job["duration_seconds"] == pytest.approx(media.SECONDS, abs=0.2)
    assert media.tone(user.audio(job)) == pytest.approx(440, abs=2)
