"""What the page sends of a video: its module, run by node over files on disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.provision import need

__all__ = ["PAGE", "sound_only"]

PAGE = Path(__file__).parent.parent / "functions" / "gateway" / "page"
SCRIPT = Path(__file__).with_name("sound_only.mjs")


def sound_only(*videos: Path) -> list[Path | None]:
    """For each video, the file that is sent instead of it, beside it; None where it is sent whole."""
    with tempfile.TemporaryDirectory() as folder:
        # Browsers are told that these are modules; node takes it from here.
        module = shutil.copytree(PAGE / "sound", Path(folder) / "sound") / "extract.js"
        (Path(folder) / "package.json").write_text('{"type": "module"}')
        pairs = [str(path) for video in videos for path in (video, _beside(video))]
        command = [need("node"), str(SCRIPT), str(module), *pairs]
        sizes = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    made = [None if size is None else _beside(video) for video, size in zip(videos, sizes, strict=True)]
    assert [path and path.stat().st_size for path in made] == sizes
    return made


def _beside(video: Path) -> Path:
    return video.with_name(f"sound-of-{video.name}")
