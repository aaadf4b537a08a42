"""Whether the memory of each process stays flat over many jobs.

    python -m tests.benchmarks.memory [--jobs 10000] [--seconds 840] [NAME ...]

Each function is alone in its process, as deployed (the settings of the C library too), over SQLite and a directory in
memory, and does what it does for so many jobs (drills.py), four at a time, or fewer where it takes fewer. `whole` is
the local runner, and all that it starts, with the same sound again and again, which is converted once. Looked at is the
memory (VmRSS, proc(5)) after each twentieth of the jobs: what it grows by after a fifth of them, while caches fill,
must be little. convert's warm process, whose children convert, is `convert, warm`. The table goes into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.benchmarks import report
from tests.benchmarks.drills import DRILLS, NO_END, Job, ground, make_sound
from tests.benchmarks.intake import MEMORY
from tests.benchmarks.report import say
from tests.e2e.alone import serving
from tests.e2e.inside import children, function_processes
from tests.system import NO_LIMITS, ROOT, Audiolift

__all__ = ["Samples", "grown", "main", "measured", "rows"]

CLIENTS, SHARES = 4, 20
WHOLE = "whole"
# After a fifth of the jobs, all that is kept once is there.
SETTLED = SHARES // 5
MOST_BYTES = 4_000_000

# By process: its memory in bytes, after each share of the jobs.
Samples = dict[str, list[int]]


def main() -> int:
    """The command line; the exit status is 1 when a process grows."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.memory", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", default=[*DRILLS, WHOLE], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=840, help="of each, at most (%(default)s)")
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the table is written (%(default)s)")
    chosen = parser.parse_args()
    grows = 0
    for name in chosen.names:
        found = measured(name, chosen.jobs, chosen.seconds)
        grows += any(grown(sizes) > MOST_BYTES for sizes in found.values())
        _write(rows(found, chosen.jobs), chosen.page)
    return int(grows > 0)


def measured(name: str, jobs: int, seconds: float) -> Samples:
    """What the processes of a function, or of the whole, hold, until all jobs are done or so many seconds are over."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY if MEMORY.is_dir() else None) as directory:
        world = _whole(Path(directory)) if name == WHOLE else _alone(name, Path(directory))
        with world as (clients, one, sizes):
            found = _samples(one, sizes, jobs, clients, time.monotonic() + seconds)
    # Of the whole, some come and go.
    return {name: sizes for name, sizes in found.items() if len(sizes) == max(map(len, found.values()))}


def grown(sizes: Sequence[int]) -> int:
    """By how many bytes, from when a fifth of the jobs were done."""
    return sizes[-1] - sizes[min(SETTLED, len(sizes)) - 1]


def _samples(one: Job, sizes: Callable[[], Mapping[str, int]], jobs: int, clients: int, until: float) -> Samples:
    found: defaultdict[str, list[int]] = defaultdict(list)
    each = max(1, jobs // SHARES)
    with ThreadPoolExecutor(clients) as pool:
        for start in range(0, each * SHARES, each):
            list(pool.map(one, range(start, start + each)))
            for name, size in sizes().items():
                found[name].append(size)
                say(f"{start + each} jobs, {name}: {size / 1e6:.1f} MB")
            if time.monotonic() > until:
                break
    return found


World = tuple[int, Job, Callable[[], Mapping[str, int]]]


@contextmanager
def _alone(name: str, directory: Path) -> Iterator[World]:
    """How many clients a function alone has, what one job is, and what its processes hold."""
    concurrency = _concurrency(name)
    with ground(directory, f"sqlite:///{directory}/audiolift.db") as given:
        environment = {**given.environment, "CONCURRENCY": str(concurrency)}
        with serving(name, environment) as (process, client):
            yield min(CLIENTS, concurrency), DRILLS[name](given, client), lambda: _sizes(name, process.pid)


@contextmanager
def _whole(directory: Path) -> Iterator[World]:
    """The same of the local runner, with people whose sounds are converted once."""
    sound = directory / "sound.m4a"
    sound.write_bytes(make_sound(directory))
    running = Audiolift(directory / "data", {**NO_END, "RATE_LIMITS": NO_LIMITS})
    try:
        people = [running.user() for _ in range(CLIENTS)]
        for user in people:
            user.convert(sound, deduplicate="true")

        def one(number: int) -> None:
            job = people[number % CLIENTS].convert(sound, filename=f"{number}.mp4", deduplicate="true")
            assert job["state"] == "done", job

        yield CLIENTS, one, lambda: _sizes_of_all(running)
    finally:
        running.stop()


def _sizes(name: str, process: int) -> dict[str, int]:
    """The memory of a process, and of the warm one below that of convert, in bytes."""
    warm = [_rss(child) for child in children(process)]
    return {name: _rss(process), **({f"{name}, warm": sum(warm)} if warm else {})}


def _sizes_of_all(running: Audiolift) -> dict[str, int]:
    found: defaultdict[str, int] = defaultdict(int, {"local runner": _rss(running.process.pid)})
    for name in DRILLS:
        for pid in function_processes(running, name):
            for of_process, size in _sizes(name, pid).items():
                found[f"{of_process}, in the {WHOLE}"] += size
    return found


def _rss(pid: int) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024


def _concurrency(name: str) -> int:
    """How many requests a process takes at a time, as deployed."""
    service = yaml.safe_load((ROOT / "knative" / "base" / "services" / f"{name}.yaml").read_text())
    return int(service["spec"]["template"]["spec"]["containerConcurrency"])


def rows(found: Samples, jobs: int) -> list[tuple[str, ...]]:
    """The lines of the table."""
    each = max(1, jobs // SHARES)
    return [_row(name, sizes, each) for name, sizes in found.items()]


def _row(name: str, sizes: Sequence[int], each: int) -> tuple[str, ...]:
    first, middle = min(SETTLED, len(sizes)), (min(SETTLED, len(sizes)) + len(sizes)) // 2
    told = [f"{sizes[count - 1] / 1e6:.1f}" for count in (1, first, middle, len(sizes))]
    since = max(1, each * (len(sizes) - first))
    return (name, f"{each * len(sizes):,}", *told, f"{grown(sizes) / since / 1000:.2f}")


def _write(new: Sequence[Sequence[str]], page: Path) -> None:
    """Put the lines into the table, in place of those of the same processes."""
    lines = {cells[0]: cells for cells in _kept(report.read("memory", page))} | {cells[0]: cells for cells in new}
    heads = (
        "MB of",
        "jobs",
        "after a 20th",
        "after a fifth",
        "three fifths",
        "all",
        "growth since the fifth, kB a job",
    )
    report.write("memory", f"{report.table(heads, lines.values())}\n({report.conditions()})", page)


def _kept(text: str) -> Iterator[list[str]]:
    for line in text.splitlines()[2:]:
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


if __name__ == "__main__":
    sys.exit(main())
