"""Python in ffmpeg's place: what a program that was taken over could try."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

__all__ = ["INPUTS", "python"]

# What Python reads of itself when it starts, and imports from.
INPUTS = [Path(sysconfig.get_path("stdlib")), Path("/usr/lib"), Path("/lib")]


def python(code: str) -> list[str]:
    """The command that runs `code`, without a virtual environment."""
    return [os.path.realpath(sys.executable), "-I", "-S", "-c", code]
