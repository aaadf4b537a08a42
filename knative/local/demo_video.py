"""Makes the video that `make demo` converts when it is given none: drifting colours and a slow chord progression."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

__all__ = ["SECONDS", "CannotMake", "make"]

SECONDS = 40
COLOURS = "c0=0x1b2a49:c1=0xe07a5f:c2=0x3d5a80:c3=0xf2cc8f"
PICTURE = f"gradients=size=480x270:rate=20:duration={SECONDS}:speed=0.02:nb_colors=4:{COLOURS}"
# C, A minor, F, G, two seconds each: register 0 is the time in the chord, 1 its number, 2 its root in Hz, 3 its third.
CHORD = (
    "st(0, mod(t, 2)); st(1, floor(mod(t, 8) / 2));"
    "st(2, 261.63*eq(ld(1), 0) + 220*eq(ld(1), 1) + 174.61*eq(ld(1), 2) + 196*eq(ld(1), 3));"
    "st(3, if(eq(ld(1), 1), 1.1892, 1.2599));"
    "0.22 * (1 - exp(-90*ld(0))) * exp(-0.9*ld(0)) * (sin(2*PI*ld(2)*ld(0)) + 0.8*sin(2*PI*ld(2)*ld(3)*ld(0))"
    " + 0.7*sin(2*PI*ld(2)*1.4983*ld(0)) + 0.3*sin(4*PI*ld(2)*ld(0)))"
)


class CannotMake(Exception):
    """ffmpeg could not make the video; the message says why."""


def make(path: Path) -> None:
    """Write the video; it appears whole or not at all. Raises: CannotMake."""
    draft = path.with_name(f".{path.name}.part")
    try:
        done = subprocess.run([*_command(), str(draft)], capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise CannotMake(f"{path} could not be made: {done.stderr.strip() or 'ffmpeg was stopped'}")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _command() -> list[str]:
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    sources = [
        "-f",
        "lavfi",
        "-i",
        PICTURE,
        "-f",
        "lavfi",
        "-i",
        f"aevalsrc='{CHORD}':duration={SECONDS}:sample_rate=44100",
    ]
    coding = ["-c:v", "mpeg4", "-q:v", "6", "-c:a", "aac", "-b:a", "128k", "-metadata", "title=A video for audiolift"]
    return [ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *sources, *coding, "-f", "mp4"]
