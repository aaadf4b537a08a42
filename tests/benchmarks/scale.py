"""What breaks first with 10, 100 and 1,000 pods of convert, and with a million jobs a day: by what a job costs.

    python -m tests.benchmarks.scale        (a part of make benchmark)

What a job costs is in costs.json, where `python -m tests.benchmarks.stages` and `… .events` write what they measure.
What a server can do is an assumption of LIMITS, each with its source. Two computations follow from these: how much of
each limit is used at the busiest time of a day; and a day of jobs, one by one, which arrive by chance and wait for a
pod. It writes tables into docs/scale.md, and the plot beside it.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.scale_plot import plot

__all__ = ["LIMITS", "Costs", "Day", "Limit", "first_to_break", "known", "main", "pods_needed", "shares", "simulated"]

PAGE = report.PAGE.with_name("scale.md")
COSTS = Path(__file__).with_name("costs.json")
PODS, JOBS_A_DAY = (10, 100, 1000), 1_000_000
DAY_SECONDS = 86_400
# The busiest hour has so many times the jobs of the average one: assumed.
PEAK = 3.0
# A pod has a cold start, is drained, meets a long job: so much of its time it converts, at most: assumed.
BUSY_SHARE = 0.8
# With this, the mean of the wave is a third.
_STEEPNESS = 2.6


@dataclass(frozen=True)
class Costs:
    """What one job costs, as costs.json has it.

    `pod_seconds`: from the event's arrival at convert to the event that it is done. `rows` are those that stay until
    the job is deleted, `row_bytes` what they take, with indexes.
    """

    pod_seconds: float
    statements: int
    commits: int
    database_cpu_ms: float
    files_commands: int
    video_bytes: int
    sound_bytes: int
    mp3_bytes: int
    events: int
    broker_cpu_ms: float
    rows: int
    row_bytes: int


@dataclass(frozen=True)
class Limit:
    """So much of something can be had (`most`). `used`: how much jobs take, at so many a second, with so many pods."""

    name: str
    most: float
    unit: str
    source: str
    change: str
    used: Callable[[Costs, float, int], float]


LIMITS = (
    Limit(
        "events in flight of one Trigger",
        100,
        "events",
        "prefetch of Knative's RabbitMQ dispatcher, as seen in a run of it; one replica for each Trigger",
        "several Triggers for `video.uploaded`, each with a share of the jobs by an attribute of the event",
        lambda costs, rate, _pods: rate * costs.pod_seconds,
    ),
    Limit(
        "connections to MySQL",
        2000,
        "connections",
        "`max_connections` is 151 unless set; assumed to be raised. 4 for each pod (functions/shared/database.py)",
        "a proxy that shares connections between transactions (ProxySQL, a cloud's own)",
        lambda _costs, _rate, pods: 4.0 * pods,
    ),
    Limit(
        "commits to MySQL",
        1500,
        "a second",
        "assumed: a disk of 3,000 operations a second, two for a commit (log and binary log), none shared",
        "a faster disk first; then users in several databases, as no statement of a job touches two users",
        lambda costs, rate, _pods: rate * costs.commits,
    ),
    Limit(
        "processor of MySQL",
        8000,
        "ms a second",
        "assumed: 8 cores; what MariaDB takes for a job is measured",
        "fewer statements a job; reads of lists from a replica; users in several databases",
        lambda costs, rate, _pods: rate * costs.database_cpu_ms,
    ),
    Limit(
        "bytes into GridFS, whole videos",
        600e6,
        "bytes a second",
        "assumed: 1.2 GB/s of one primary's network (10 Gbit/s), as each byte comes in and goes out to a replica",
        "send the sound alone (the page and the command line do); then shards by `files_id`, or an object store",
        lambda costs, rate, _pods: rate * (costs.video_bytes + costs.mp3_bytes),
    ),
    Limit(
        "bytes into GridFS, sound alone",
        600e6,
        "bytes a second",
        "the same",
        "shards by `files_id`, or an object store",
        lambda costs, rate, _pods: rate * (costs.sound_bytes + costs.mp3_bytes),
    ),
    Limit(
        "processor of RabbitMQ",
        4000,
        "ms a second",
        "assumed: 4 cores; what RabbitMQ takes for a job is measured",
        "a Broker for each kind of event, on nodes of its own",
        lambda costs, rate, _pods: rate * costs.broker_cpu_ms,
    ),
)


@dataclass(frozen=True)
class Day:
    """How long jobs waited for a pod, in seconds, and how many were under way at most."""

    median: float
    p99: float
    longest: float
    most_waiting: int


def main() -> None:
    """Compute everything, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables are written (%(default)s)")
    page: Path = parser.parse_args().page
    costs = known()
    report.write("costs", _costs(costs), page)
    report.write("limits", _limits(costs), page)
    report.write("pods", _pods(costs), page)
    drawn = plot({limit.name: partial(_used, costs["10 min"], limit) for limit in LIMITS})
    page.with_name("scale.svg").write_text(drawn, encoding="utf-8")


def known(path: Path = COSTS) -> dict[str, Costs]:
    """What jobs cost, by the length of their sound."""
    found: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return {length: Costs(**each) for length, each in found.items()}  # type: ignore[arg-type]


def rate_at_peak(jobs_a_day: float) -> float:
    """Jobs a second in the busiest hour."""
    return PEAK * jobs_a_day / DAY_SECONDS


def pods_needed(costs: Costs, jobs_a_day: float) -> int:
    """So many pods convert what comes in the busiest hour."""
    return math.ceil(rate_at_peak(jobs_a_day) * costs.pod_seconds / BUSY_SHARE)


def jobs_of(costs: Costs, pods: int) -> float:
    """So many jobs a day are converted by these pods, if they are to be enough in the busiest hour too."""
    return pods * BUSY_SHARE / costs.pod_seconds / PEAK * DAY_SECONDS


def shares(costs: Costs, jobs_a_day: float) -> dict[str, float]:
    """How much of each limit is used in the busiest hour, by name; 1 is all."""
    rate, pods = rate_at_peak(jobs_a_day), pods_needed(costs, jobs_a_day)
    return {limit.name: limit.used(costs, rate, pods) / limit.most for limit in LIMITS}


def _used(costs: Costs, limit: Limit, jobs_a_day: float) -> float:
    return shares(costs, jobs_a_day)[limit.name]


def first_to_break(costs: Costs) -> list[tuple[float, Limit]]:
    """The limits, the first to be reached first, with the jobs a day at which that is."""
    # Connections go by whole pods; at a million jobs, a pod more or less is nothing.
    reached = [(JOBS_A_DAY / shares(costs, JOBS_A_DAY)[limit.name], limit) for limit in LIMITS]
    return sorted(reached, key=lambda pair: pair[0])


def simulated(costs: Costs, jobs_a_day: float, pods: int, seconds: float = DAY_SECONDS, seed: int = 1) -> Day:
    """A day of jobs, one by one: they come by chance, more by day than by night, and each waits for a free pod.

    A job takes what it costs on average; how much differs as lengths of talks do (exponentially: assumed).
    """
    draw = random.Random(seed)
    free = [0.0] * pods
    waits: list[float] = []
    ends: list[float] = []
    most = 0
    for arrival in _arrivals(jobs_a_day, seconds, draw):
        begin = max(arrival, heapq.heappop(free))
        heapq.heappush(free, begin + draw.expovariate(1 / costs.pod_seconds))
        waits.append(begin - arrival)
        # Those that have come, and have not begun.
        heapq.heappush(ends, begin)
        while ends and ends[0] <= arrival:
            heapq.heappop(ends)
        most = max(most, len(ends))
    waits.sort()
    return Day(waits[len(waits) // 2], waits[int(0.99 * len(waits))], waits[-1], most)


def _arrivals(jobs_a_day: float, seconds: float, draw: random.Random) -> Iterator[float]:
    """When jobs come: a Poisson process, thinned to a wave of one day whose top is PEAK times its mean."""
    top, at = rate_at_peak(jobs_a_day), 0.0
    while (at := at + draw.expovariate(top)) < seconds:
        if draw.random() < _wave(at):
            yield at


def _wave(at: float) -> float:
    """How many come at a time of the day, as a share of the busiest moment's. Its mean is 1 / PEAK."""
    return math.pow((1 + math.sin(2 * math.pi * at / DAY_SECONDS)) / 2, _STEEPNESS)


def _costs(costs: Mapping[str, Costs]) -> str:
    names = {
        "seconds of a pod": lambda each: f"{each.pod_seconds:.2f}",
        "statements, commits": lambda each: f"{each.statements}, {each.commits}",
        "processor of MariaDB, ms": lambda each: f"{each.database_cpu_ms:.1f}",
        "commands to GridFS": lambda each: str(each.files_commands),
        "events": lambda each: str(each.events),
        "processor of RabbitMQ, ms": lambda each: f"{each.broker_cpu_ms:.1f}",
        "rows that stay, and their bytes": lambda each: f"{each.rows}, {each.row_bytes:,}",
        "video, its sound, MP3, in MB": lambda each: ", ".join(
            f"{size / 1e6:.1f}" for size in (each.video_bytes, each.sound_bytes, each.mp3_bytes)
        ),
    }
    return report.table(("a job", *costs), [(name, *map(said, costs.values())) for name, said in names.items()])


def _limits(costs: Mapping[str, Costs]) -> str:
    order = [limit for _, limit in first_to_break(costs["10 min"])]
    reached = {length: {limit.name: jobs for jobs, limit in first_to_break(each)} for length, each in costs.items()}
    rows = [
        (
            limit.name,
            f"{limit.most:,.0f} {limit.unit}",
            *(f"{_rounded(reached[length][limit.name]):,}" for length in costs),
            limit.source,
            limit.change,
        )
        for limit in order
    ]
    heads = (
        "what",
        "there is",
        *(f"reached at, jobs of {length} a day" for length in costs),
        "why so much",
        "what moves it",
    )
    return report.table(heads, rows)


def _pods(costs: Mapping[str, Costs]) -> str:
    rows = []
    for length, each in costs.items():
        for pods in (*PODS, pods_needed(each, JOBS_A_DAY)):
            jobs = JOBS_A_DAY if pods not in PODS else jobs_of(each, pods)
            day = simulated(each, min(jobs, 3 * JOBS_A_DAY), pods) if jobs <= 3 * JOBS_A_DAY else None
            scarce = sorted(shares(each, jobs).items(), key=lambda pair: -pair[1])[:2]
            waits = f"{day.median:.1f}, {day.p99:.1f}" if day else "–"
            rows.append(
                (
                    length,
                    f"{pods:,}",
                    f"{_rounded(jobs):,}",
                    waits,
                    "; ".join(f"{name} {share:.0%}" for name, share in scarce),
                )
            )
    heads = (
        "jobs of",
        "pods",
        "jobs a day",
        "wait for a pod, s: median, 99 of 100",
        "the scarcest two, and their use",
    )
    return report.table(heads, rows)


def _rounded(value: float) -> int:
    """To two digits: what is assumed is not known any better."""
    return int(round(value, 1 - math.floor(math.log10(value))))


if __name__ == "__main__":
    main()
