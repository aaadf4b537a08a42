"""Files in trouble are converted as their owners would expect, and never worse than by plain ffmpeg.

Where plain ffmpeg makes something else of a file, TROUBLES says why: there we differ on purpose.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import media
from tests.unit.clocks import RATE, source_time
from tests.unit.endings import ended
from tests.unit.troubles import TROUBLES


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("troubled")


@pytest.mark.parametrize("name", TROUBLES)
def test_each_moment_is_where_it_belongs(directory: Path, name: str) -> None:
    trouble = TROUBLES[name]
    found = ended(trouble.made(directory))
    assert (found.code, tuple(found.codes)) == ("done", trouble.warnings)
    assert found.seconds == pytest.approx(trouble.seconds, abs=0.15)
    heard = found.samples()
    for at, time in trouble.heard.items():
        assert source_time(heard, at) == (time if time is None else pytest.approx(time, abs=0.12)), at


@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if not trouble.differs])
def test_plain_ffmpeg_makes_the_same(directory: Path, name: str) -> None:
    trouble = TROUBLES[name]
    video = directory / "troubled"
    video.write_bytes(trouble.made(directory))
    words = (media.ffmpeg(), "-v", "error", "-nostdin", "-i", str(video), "-map", "0:a:0", "-ac", "1", "-ar", str(RATE))
    subprocess.run([*words, "-y", str(directory / "plain.wav")], check=False)
    (heard,) = media.samples(directory / "plain.wav", 1)
    assert len(heard) / RATE == pytest.approx(trouble.seconds, abs=0.2)
    for at, time in trouble.heard.items():
        assert source_time(heard, at) == pytest.approx(time, abs=0.12), at
