"""What it takes to have one MP3 encoded by several processes instead of one: docs/scale.md says what for.

    python -m tests.benchmarks.spread talk.mp4 [--processes 3] [--rounds 5]

Each process opens the video itself and encodes its share of the segments on one thread, as a pod would; the frames are
joined in this one. Two ways to find the place where a share begins: one process decodes everything first and notes the
places ("places first"), or each decodes all that comes before its share ("decode again").

CPU seconds are what counts; wall clock says little where there are more processes than idle cores. Starting Python and
importing PyAV is left out: an engine that is warm has done so.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

from av.container import InputContainer

from functions.convert.conversion.containers.probe import opened, probe
from functions.convert.conversion.mpeg import encode, segments
from functions.convert.conversion.mpeg.encode import Encoded
from functions.convert.conversion.mpeg.mp3 import Mp3
from functions.convert.conversion.mpeg.segments import Segment
from functions.convert.conversion.plan import Plan, planned
from functions.convert.conversion.sound import decode
from functions.convert.conversion.sound.decode import ResumePoint
from functions.convert.conversion.source import RangeFile

__all__ = ["Share", "Work", "alone", "encode_share", "joined", "places", "pool", "shares", "spread"]

WAYS = ("places first", "decode again")


class Share(NamedTuple):
    """Segments `first` to before `stop` (None: to the last), and where decoding goes on for them (None: the start)."""

    first: int
    stop: int | None
    resume: ResumePoint | None


class Work(NamedTuple):
    """What a process made, and the seconds that it took: of the clock, and of its own CPU."""

    name: str
    parts: list[Encoded]
    wall: float
    cpu: float


class _File:
    """A video on disk as a RangeSource."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._file).st_size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        return b"".join(os.pread(self._file, length, start) for start, length in ranges)

    def __del__(self) -> None:
        os.close(self._file)


def alone(video: Path, quality: int) -> tuple[bytes, Work]:
    """The MP3 by one process and one thread."""
    work = encode_share(video, quality, Share(0, None, None), "alone")
    return joined(video, quality, [work])[0], work


def spread(video: Path, quality: int, processes: Executor, count: int, way: str) -> tuple[bytes, list[Work]]:
    """The MP3 by `count` shares in a pool of processes, in one of the WAYS; and what each process had to do."""
    first: list[Work] = []
    if way == "places first":
        found, looking = processes.submit(places, video, quality).result()
        first.append(looking)
        wanted = shares(found, count)
    else:
        wanted = [share._replace(resume=None) for share in shares(_guessed(video, quality), count)]
    running = [
        processes.submit(encode_share, video, quality, share, f"share {number}")
        for number, share in enumerate(wanted, 1)
    ]
    works = [each.result() for each in running]
    mp3, joining = joined(video, quality, works)
    return mp3, [*first, *works, joining]


def places(video: Path, quality: int) -> tuple[list[ResumePoint | None], Work]:
    """For each segment, where decoding goes on for it: by decoding everything once, and encoding nothing."""
    clock = _Clock()
    found = [part.resume for part in _segments(video, quality, Share(0, None, None)) if not part.last]
    return [None, *found], clock.work("find places", [])


def shares(places: Sequence[ResumePoint | None], count: int) -> list[Share]:
    """As many segments for each, as far as that goes; there are as many segments as places."""
    firsts = sorted({len(places) * number // count for number in range(count)})
    stops = [*firsts[1:], None]
    return [Share(first, stop, places[first]) for first, stop in zip(firsts, stops, strict=True)]


def encode_share(video: Path, quality: int, share: Share, name: str) -> Work:
    """Decode and encode one share, on one thread."""
    clock = _Clock()
    _, plan = _opened(video, quality)
    parts = list(encode.encoded(_segments(video, quality, share), plan.shape, threads=1))
    return clock.work(name, parts)


def joined(video: Path, quality: int, works: Sequence[Work]) -> tuple[bytes, Work]:
    """The whole file of the segments of all shares, in order."""
    clock = _Clock()
    mp3 = Mp3(_opened(video, quality)[1])
    frames = b"".join(mp3.add(part) for work in works for part in work.parts)
    head, tail = mp3.ends(None)
    return head + frames + tail, clock.work("join", [])


def pool(count: int) -> ProcessPoolExecutor:
    """Processes that share nothing with this one."""
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


class _Clock:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def work(self, name: str, parts: list[Encoded]) -> Work:
        return Work(name, parts, time.perf_counter() - self._wall, time.process_time() - self._cpu)


def _opened(video: Path, quality: int) -> tuple[InputContainer, Plan]:
    container = opened(RangeFile(_File(video)))
    return container, replace(planned(probe(container), {"quality": quality}), copy=False)


def _segments(video: Path, quality: int, share: Share) -> Iterator[Segment]:
    container, plan = _opened(video, quality)
    blocks = decode.blocks(container, plan, share.resume)
    parts = segments.segments(blocks, plan.shape, share.first, share.resume.sample if share.resume else 0)
    return islice(parts, None if share.stop is None else share.stop - share.first)


def _guessed(video: Path, quality: int) -> list[None]:
    """One for each segment that there will be, by what the file says of its length."""
    _, plan = _opened(video, quality)
    samples = segments.SEGMENT * segments.frame_samples(plan.shape)
    return [None] * max(1, int((plan.seconds or 0.0) * plan.shape.sample_rate) // samples)


def main() -> None:
    """Measure in turns, and print a table for each way as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--processes", type=int, default=3, help="how many share the work (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is done (%(default)s)")
    parser.add_argument("--quality", type=int, default=2, help="VBR quality, 0 to 9 (%(default)s)")
    chosen = parser.parse_args()
    with pool(chosen.processes) as processes:
        # The first round imports, and fills caches.
        rounds = [_round(chosen, processes) for _ in range(chosen.rounds + 1)][1:]
    for way in WAYS:
        print(f"\n{way}\n\n{table([(alone, by_way[way]) for alone, by_way in rounds])}")


def _round(chosen: argparse.Namespace, processes: Executor) -> tuple[Work, dict[str, list[Work]]]:
    whole, one = processes.submit(alone, chosen.video, chosen.quality).result()
    by_way = {}
    for way in WAYS:
        mp3, by_way[way] = spread(chosen.video, chosen.quality, processes, chosen.processes, way)
        assert mp3 == whole
    return one._replace(parts=[]), {way: [work._replace(parts=[]) for work in works] for way, works in by_way.items()}


def table(rounds: Sequence[tuple[Work, list[Work]]]) -> str:
    """The medians of the rounds; percentages are of the CPU time of one process alone in the same round."""
    rows = ["| process | CPU, s | wall, s | CPU, % |", "|---|--:|--:|--:|"]
    total = [Work("all of them", [], 0.0, sum(work.cpu for work in works)) for _, works in rounds]
    columns = [[one for one, _ in rounds], *zip(*(works for _, works in rounds), strict=True), total]
    for works in columns:
        share = median(work.cpu / one.cpu for work, (one, _) in zip(works, rounds, strict=True))
        wall = f"{median(work.wall for work in works):.2f}" if works is not total else ""
        rows.append(f"| {works[0].name} | {median(work.cpu for work in works):.2f} | {wall} | {share:.1%} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
