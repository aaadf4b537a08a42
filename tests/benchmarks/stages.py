"""Where the time of a job goes, from the last byte of its video to the event that says that its MP3 is there.

    python -m tests.benchmarks.stages        (a part of make benchmark)

All of audiolift on one machine, warm and from nothing, in turns with plain ffmpeg, whose wall clock all is compared
with. It writes its table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.benchmarks import report
from tests.benchmarks.conversion import plain
from tests.benchmarks.inputs import Maker
from tests.benchmarks.report import say
from tests.benchmarks.service import serving
from tests.benchmarks.watched import Step

__all__ = ["STAGES", "Measured", "main", "measured", "stages"]

# Name → seconds of the video, and how often it is converted warm, and from nothing.
LENGTHS = {"10 s": (10, 31, 3), "10 min": (600, 3, 2)}
STAGES = (
    "video flushed",
    "job queued",
    "outbox",
    "event",
    "claim",
    "fetch",
    "convert",
    "store",
    "job done",
    "done event",
)


@dataclass(frozen=True)
class Measured:
    """The seconds of each stage of a job, and of plain ffmpeg in the same turn."""

    stages: Mapping[str, float]
    ffmpeg: float

    @property
    def seconds(self) -> float:
        """From the last byte to the event."""
        return sum(self.stages.values())

    @property
    def ratio(self) -> float:
        """Of all stages to plain ffmpeg."""
        return self.seconds / self.ffmpeg


def main() -> None:
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the tables are written (%(default)s)")
    page: Path = parser.parse_args().page
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        directory, make = Path(name), Maker(Path(name))
        found = {}
        for length, (seconds, warm, cold) in LENGTHS.items():
            say(f"{length}: making the video")
            video = make.video(f"{seconds}.mp4", seconds)
            found[f"{length}, warm"] = measured(video, directory, warm)
            found[f"{length}, cold"] = measured(video, directory, cold, cold=True)
            video.unlink()
    report.write("stages", f"{_times(found)}\n({report.conditions()})", page)


def measured(video: Path, directory: Path, count: int, *, cold: bool = False) -> list[Measured]:
    """Convert a video so many times, in turns with ffmpeg; `cold`: each time by an audiolift that has just started."""
    found: list[Measured] = []
    with ExitStack() as stack:
        service = None
        for number in range(0 if not cold else 1, count + 1):
            if service is None or cold:
                stack.close()
                service = stack.enter_context(serving(directory))
            took = stages(*service.convert(video))
            each = Measured(took, plain(video, directory / "out.mp3").wall)
            turn = f"{'cold' if cold else 'warm'}, {number or 'first'}"
            say(f"{video.name}, {turn}: {each.seconds:.3f} s, {each.ratio:.2f} × ffmpeg")
            # The first one fills caches.
            found += [each] if number else []
    return found


def stages(sent: float, steps: Sequence[Step]) -> dict[str, float]:
    """The seconds of each of STAGES. The engine reads what it needs of the video while it converts: `fetch` is that."""
    of = {(step.by, step.what): step for step in reversed(steps)}
    queue, asks, arrives = of["upload", "queue"], of["upload", "publish"], of["convert", "deliver"]
    engine, fetch, store = (of["convert", what] for what in ("convert", "fetch", "store"))
    done, tells = of["convert", "finish"], of["convert", "publish"]
    moments = [sent, queue.at, queue.end, asks.at, arrives.at, engine.at]
    before = dict(zip(STAGES, (after - earlier for earlier, after in pairwise(moments)), strict=False))
    convert = engine.seconds - fetch.seconds - store.seconds
    inside = {"fetch": fetch.seconds, "convert": convert, "store": store.seconds}
    return {**before, **inside, "job done": done.end - engine.end, "done event": tells.end - done.end}


def _times(found: Mapping[str, Sequence[Measured]]) -> str:
    rows: list[tuple[str, ...]] = [
        (stage, *(f"{1000 * median(each.stages[stage] for each in every):.1f}" for every in found.values()))
        for stage in STAGES
    ]
    rows.append(("all, ms", *(f"{1000 * median(each.seconds for each in every):.0f}" for every in found.values())))
    rows.append(
        ("plain ffmpeg, ms", *(f"{1000 * median(each.ffmpeg for each in every):.0f}" for every in found.values()))
    )
    rows.append(("all ÷ plain ffmpeg", *(report.spread([each.ratio for each in every]) for every in found.values())))
    return report.table(("ms", *found), rows)


if __name__ == "__main__":
    main()
