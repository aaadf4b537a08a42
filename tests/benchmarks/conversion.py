"""What a conversion costs, beside plain ffmpeg and the tutorials' way, in turns; and how much of a video is read.

    python -m tests.benchmarks.conversion        (a part of make benchmark)

It writes its tables and the plot into docs/performance.md. A busy machine slows all of them alike: ratios count.
"""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uv

from tests.benchmarks import report
from tests.benchmarks.inputs import Maker
from tests.benchmarks.measure import Figures, command
from tests.benchmarks.ours import Ours
from tests.benchmarks.report import say
from tests.media import ffmpeg

__all__ = ["Kind", "Ways", "compared", "copied", "main", "plain", "read", "resumed"]

# Name → seconds, and how often each way converts it.
LENGTHS = {"10 s": (10, 9), "10 min": (600, 3), "2 h": (7200, 1)}
OURS, COLD, PLAIN, TUTORIALS = "audiolift", "audiolift, cold", "ffmpeg", "moviepy"
TITLE = "Wall clock of one conversion, ffmpeg = 1"
# It needs an older Pillow than the tests, hence has an environment of its own.
MOVIEPY = "moviepy==2.2.1"
# As the tutorials' workers have it: GridFS gives the whole video, it goes to a file, and the MP3 comes out of a file.
TUTORIAL = """
import os, sys, tempfile
from moviepy import VideoFileClip
with open(sys.argv[1], "rb") as video, tempfile.NamedTemporaryFile() as copy:
    copy.write(video.read())
    sound = VideoFileClip(copy.name).audio
    sound.write_audiofile(copy.name + ".mp3", logger=None)
with open(copy.name + ".mp3", "rb") as made, open(sys.argv[2], "wb") as mp3:
    mp3.write(made.read())
os.remove(copy.name + ".mp3")
"""


@dataclass(frozen=True)
class Kind:
    """A container: a name that tells ffmpeg which, what goes into it (of PICTURES and SOUNDS), and words to ffmpeg."""

    name: str
    picture: str = "h264"
    sound: str = "aac"
    words: tuple[str, ...] = ()


CONTAINERS = {
    "mp4, index last": Kind("last.mp4"),
    "mp4, index first": Kind("first.mp4", words=("-movflags", "+faststart")),
    "mp4, fragmented": Kind("parts.mp4", words=("-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    "mov": Kind("video.mov"),
    "mkv": Kind("video.mkv"),
    "webm (VP8, Opus)": Kind("video.webm", "vp8", "opus"),
    "avi (MP3)": Kind("video.avi", sound="mp3"),
    "ts": Kind("video.ts"),
}
COPIED = {"mkv": "mp3.mkv", "mp4": "mp3.mp4"}

Way = Callable[[Path], Figures]
Runs = Mapping[str, Sequence[Figures]]
MB = 1e6


def main() -> None:
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the tables are written (%(default)s)")
    page: Path = parser.parse_args().page
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, Ours(Path(name)) as ours:
        make, ways = Maker(Path(name)), Ways(ours, Path(name))
        runs, again = {}, {}
        for length, (seconds, count) in LENGTHS.items():
            say(f"{length}: making the video")
            video = make.video(f"{seconds}.mp4", seconds)
            runs[length] = compared(ways.all(video, cold=seconds < 60), video, count)
            if seconds >= 600:
                again[length] = resumed(ours, video, runs[length][OURS])
            video.unlink()
        plot = page.with_name("conversion.svg")
        plot.write_text(_plot(runs), encoding="utf-8")
        report.write("conversion", f"{_comparison(runs)}\n({report.conditions()})\n\n![{TITLE}]({plot.name})", page)
        report.write("resuming", _resuming(again), page)
        report.write("copying", _copying(copied(ours, make, 600)), page)
        report.write("reading", _reading(read(ours, make, 600)), page)


class Ways:
    """The ways from a video to an MP3 in a file."""

    def __init__(self, ours: Ours, directory: Path) -> None:
        self._ours, self._mp3, self._directory = ours, directory / "out.mp3", directory

    def all(self, video: Path, *, cold: bool) -> dict[str, Way]:
        """Those that this video can take; `cold` if wanted."""
        ours: dict[str, Way] = {OURS: self._ours.convert}
        if cold:
            ours[COLD] = functools.partial(self._ours.convert, cold=True)
        fits = self._moviepy and _fits_into_memory(video)
        return {**ours, PLAIN: self.plain, **({TUTORIALS: self.tutorials} if fits else {})}

    def plain(self, video: Path) -> Figures:
        """The one command."""
        return plain(video, self._mp3)

    def tutorials(self, video: Path) -> Figures:
        """moviepy on a copy, by the same ffmpeg."""
        words = [str(self._moviepy), "-c", TUTORIAL, str(video), str(self._mp3)]
        return command(words, {"IMAGEIO_FFMPEG_EXE": ffmpeg(), "TMPDIR": str(self._directory)})

    @functools.cached_property
    def _moviepy(self) -> Path | None:
        """A Python that has it, or None, which is told, where it cannot be fetched."""
        place = self._directory / "moviepy"
        python = place / "bin" / "python"
        make = ["venv", "--quiet", "--python", sys.executable, str(place)]
        install = ["pip", "install", "--quiet", "--python", str(python), MOVIEPY]
        try:
            for words in (make, install):
                subprocess.run([uv.find_uv_bin(), *words], check=True)
        except subprocess.CalledProcessError:
            say("moviepy is left out: it could not be installed")
            return None
        return python


def plain(video: Path, mp3: Path) -> Figures:
    """What `ffmpeg -i video -q:a 2 mp3` costs."""
    words = ["-v", "error", "-nostdin", "-y", "-i", str(video), "-q:a", "2", str(mp3)]
    return command([ffmpeg(), *words])


def _fits_into_memory(video: Path) -> bool:
    """Whether the tutorials' way may hold it, and as much again; if not, that is told."""
    free = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    fits = free is not None and int(free[1]) * 1024 > 2 * video.stat().st_size
    if not fits:
        say(f"moviepy is left out: {video.name} does not fit into the memory")
    return fits


def compared(ways: Mapping[str, Way], video: Path, count: int) -> dict[str, list[Figures]]:
    """The runs of each way, in turns. Before short ones, a first run of each that fills caches is left out."""
    runs: dict[str, list[Figures]] = {name: [] for name in ways}
    for number in range(0 if count > 3 else 1, count + 1):
        for name, way in ways.items():
            figures = way(video)
            say(f"{video.name}, {number or 'first'}: {name} {figures.wall:.2f} s")
            runs[name] += [figures] if number else []
    return runs


def resumed(ours: Ours, video: Path, whole: Sequence[Figures]) -> tuple[float, float]:
    """How much longer it took, by the clock and of processors, when its child was killed at 90 %: as shares."""
    say(f"{video.name}: killed at 90 %")
    killed = ours.convert(video, kill_at=0.9)
    return (
        killed.wall / median(each.wall for each in whole) - 1,
        killed.cpu / median(each.cpu for each in whole) - 1,
    )


def copied(ours: Ours, make: Maker, seconds: float) -> dict[str, tuple[Figures, Figures]]:
    """MP3 in a video, copied and made anew: container → the figures of both."""
    found = {}
    for container, name in COPIED.items():
        say(f"{name}: copying")
        video = make.video(name, seconds, sound="mp3")
        ours.convert(video)
        found[container] = ours.convert(video), ours.convert(video, {"force": True})
        video.unlink()
    return found


def read(ours: Ours, make: Maker, seconds: float) -> dict[str, tuple[int, int, int]]:
    """Container → the video's size, what a conversion reads of it, and about what its sound is: in bytes."""
    found = {}
    for container, kind in CONTAINERS.items():
        say(f"{container}: reading")
        video = make.video(kind.name, seconds, kind.picture, kind.sound, kind.words)
        sound = make.sound(kind.sound).stat().st_size * seconds / make.sound_seconds
        found[container] = video.stat().st_size, ours.convert(video).read_bytes, round(sound)
        video.unlink()
    return found


def _comparison(runs: Mapping[str, Runs]) -> str:
    heads = ("video", "by", "wall, s", "÷ ffmpeg", "CPU, s", "÷ ffmpeg", "peak, MB", "read, MB")
    return report.table(heads, [row for length in runs for row in _rows(length, runs[length])])


def _rows(length: str, runs: Runs) -> Iterator[tuple[str, ...]]:
    for name, figures in runs.items():
        walls, processors = ([getattr(each, what) for each in figures] for what in ("wall", "cpu"))
        peak, bytes_read = (max(getattr(each, what) for each in figures) for what in ("peak_bytes", "read_bytes"))
        yield (
            *(length, name),
            *(report.spread(walls), _ratio(runs, name, "wall"), report.spread(processors), _ratio(runs, name, "cpu")),
            *(f"{peak / MB:.0f}", f"{bytes_read / MB:.1f}"),
        )


def _ratio(runs: Runs, name: str, what: str) -> str:
    """Of each run to that of plain ffmpeg in the same turn."""
    pairs = zip(runs[name], runs[PLAIN], strict=True)
    return "1" if name == PLAIN else report.spread([getattr(one, what) / getattr(other, what) for one, other in pairs])


def _plot(runs: Mapping[str, Runs]) -> str:
    medians = {
        length: {name: median(each.wall for each in figures) for name, figures in ways.items() if name != COLD}
        for length, ways in runs.items()
    }
    groups = {
        length: {
            name: (wall / walls[PLAIN], f"{wall / walls[PLAIN]:.2f} × ({wall:.2f} s)") for name, wall in walls.items()
        }
        for length, walls in medians.items()
    }
    return report.bars(TITLE, groups)


def _resuming(again: Mapping[str, tuple[float, float]]) -> str:
    rows = [(length, f"{wall:+.0%}", f"{cpu:+.0%}") for length, (wall, cpu) in again.items()]
    return report.table(("video", "wall", "CPU"), rows)


def _copying(found: Mapping[str, tuple[Figures, Figures]]) -> str:
    rows = [
        (name, f"{copy.wall:.2f}", f"{made.wall:.2f}", f"{made.wall / copy.wall:.0f}", f"{made.cpu / copy.cpu:.0f}")
        for name, (copy, made) in found.items()
    ]
    return report.table(("10 min of MP3 in", "copied, s", "made anew, s", "× wall", "× CPU"), rows)


def _reading(found: Mapping[str, tuple[int, int, int]]) -> str:
    rows = [
        (name, f"{size / MB:.0f}", f"{sound / size:.1%}", f"{bytes_read / size:.1%}")
        for name, (size, bytes_read, sound) in found.items()
    ]
    return report.table(("container", "size, MB", "of which sound", "of which read"), rows)


if __name__ == "__main__":
    main()
