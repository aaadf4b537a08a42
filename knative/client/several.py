"""Many videos: some at a time, each with its own end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from .client import Audiolift
from .converting import Outcome, Wish, convert
from .errors import AudioliftError, SignInNeeded, Unusable
from .records import Records
from .showing import Bars

__all__ = ["Wanted", "convert_all"]


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    videos: tuple[Path, ...]
    options: Mapping[str, str]
    out: Path | None = None
    whole: bool = False
    overwrite: bool = False
    parallel: int = 2

    def target(self, video: Path) -> Path:
        """Where the MP3 of a video goes, or the zip with those of its chapters."""
        suffix = ".zip" if self.options.get("chapters") == "split" else ".mp3"
        return (self.out or video.parent) / f"{video.stem}{suffix}"


def convert_all(client: Audiolift, wanted: Wanted, quiet: bool) -> Iterator[Outcome]:
    """How each ended, as it ends. `quiet` shows no progress. Raises: Unusable, SignInNeeded."""
    wishes = _wishes(wanted)
    records = Records()
    pool = ThreadPoolExecutor(wanted.parallel)
    with Bars(quiet) as bars:
        running = {pool.submit(convert, client, wish, records, bars.of(wish.video)): wish for wish in wishes}
        try:
            for future in as_completed(running):
                yield _ended(future, running[future])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _wishes(wanted: Wanted) -> list[Wish]:
    if wanted.out:
        wanted.out.mkdir(parents=True, exist_ok=True)
    targets: dict[Path, Path] = {}
    for video in wanted.videos:
        target = wanted.target(video)
        if target in targets:
            raise Unusable(f"{video} and {targets[target]} would both become {target}. Convert one of them alone.")
        targets[target] = video
    return [Wish(video, target, wanted.options, wanted.whole, wanted.overwrite) for target, video in targets.items()]


def _ended(future: Future[Outcome], wish: Wish) -> Outcome:
    try:
        return future.result()
    except SignInNeeded:
        raise
    except (AudioliftError, OSError) as error:
        return Outcome(str(wish.video), None, None, str(error))
