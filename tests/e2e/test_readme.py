"""README's promises: its curl session works as pasted, and it stays short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import mutagen.mp3
import pytest

from docs import sessions
from tests import media
from tests.patience import PATIENCE
from tests.system import Audiolift

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH that has what README asks for, what belongs to every Linux, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    for name in ("bash", "curl", "grep", "ls"):
        found = shutil.which(name)
        assert found, f"{name} is missing"
        (folder / name).symlink_to(found)
    return folder


def test_the_curl_session_makes_an_mp3(audiolift: Audiolift, video: Path, tools: Path, tmp_path: Path) -> None:
    shutil.copy(video, tmp_path / "demo.mp4")
    address = f"API=http://localhost:{urlsplit(audiolift.url).port}"
    command = sessions.command(sessions.session(README, "Talk to it", [address]))

    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": str(tools)}, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert '"state":"done"\n"progress":1.0\n' in done.stdout
    assert "lifted.mp3" in done.stdout
    assert mutagen.mp3.MP3(tmp_path / "lifted.mp3").info.length == pytest.approx(media.SECONDS, abs=0.2)
    assert media.tone((tmp_path / "lifted.mp3").read_bytes()) == pytest.approx(440, abs=2)


def test_it_is_short() -> None:
    assert 200 <= len(README.read_text(encoding="utf-8").split()) <= 600
