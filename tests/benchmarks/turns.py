"""One user has many clips waiting when another comes with one: how many are converted before it, and how long it takes.

    python -m tests.benchmarks.turns [--clips 2000]

All of audiolift on one machine, two conversions at a time, which convert from the first upload on. The clip of the
other user comes when so many of the first one's have been uploaded. It prints its figures.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests import media
from tests.benchmarks.report import say, table
from tests.system import Audiolift

__all__ = ["Turn", "main", "measured", "rows"]

UPLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class Turn:
    """Jobs that waited when the clip came, jobs done between its upload and its end, and its seconds in between.

    `alone` are the seconds that it takes when nothing waits.
    """

    waited: int
    before: int
    seconds: float
    alone: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=2000, help="how many the first user has (%(default)s)")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        print(rows(measured(Path(name), parser.parse_args().clips)))


def measured(directory: Path, clips: int) -> Turn:
    """Upload so many clips of one user, then one of another, and wait for that one."""
    clip = media.make(directory / "mp4-aac.mp4")
    audiolift = Audiolift(directory / "data")
    try:
        many, one = audiolift.user(), audiolift.user()
        one.convert(clip)
        begun = time.monotonic()
        one.convert(clip)
        alone = time.monotonic() - begun
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as uploads:
            list(uploads.map(lambda _: many.upload(clip), range(clips)))
        waited, done = _count(directory, "queued"), _count(directory, "done")
        say(f"{clips} uploaded in {time.monotonic() - begun - alone:.0f} s, {waited} of them wait")
        begun = time.monotonic()
        assert one.convert(clip)["state"] == "done"
        return Turn(waited, _count(directory, "done") - done - 1, time.monotonic() - begun, alone)
    finally:
        audiolift.stop()


def rows(turn: Turn) -> str:
    """The table."""
    heads = ("wait when it comes", "done before it", "from its upload to its end, s", "alone, s")
    return table(heads, [(turn.waited, turn.before, f"{turn.seconds:.1f}", f"{turn.alone:.1f}")])


def _count(directory: Path, state: str) -> int:
    with closing(sqlite3.connect(directory / "data" / "audiolift.db", timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM jobs WHERE state = ?", [state]).fetchone()[0])


if __name__ == "__main__":
    main()
