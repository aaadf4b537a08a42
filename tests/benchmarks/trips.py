"""How many round trips a job takes to MariaDB, GridFS and RabbitMQ, and what else it costs there.

    python -m tests.benchmarks.trips        (a part of make benchmark)

They are as many on a busy machine. It writes its table into docs/performance.md, and costs.json for scale.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from tests.benchmarks import report
from tests.benchmarks.inputs import Maker
from tests.benchmarks.report import say
from tests.benchmarks.scale import COSTS, Costs
from tests.benchmarks.service import Service, serving
from tests.benchmarks.watched import Trip
from tests.servers import MariaDB, Missing, Mongo, RabbitMQ
from tests.servers.server import Server

__all__ = ["Counted", "Stack", "main", "stacked"]

# Name → seconds of the video, and how many jobs are counted: processors' times are told in ticks of 10 ms.
LENGTHS = {"10 s": (10, 10), "10 min": (600, 3)}
# For what comes after the last event: a row that says that it was sent, files that are deleted.
SETTLE_SECONDS = 1.0
# For so long it is looked what the servers take of processors when there is no job: that is left out.
IDLE_SECONDS = 5.0
SERVERS = ("DATABASE_URL", "BLOBS_URL", "RABBITMQ_URL")
# The functions that a job leads through, in this order.
FUNCTIONS = ("upload", "convert", "notify")
# What a row takes beside its values: assumed to be as much again, for indexes and the pages' room.
ROOM = 2


@dataclass
class Counted:
    """Of some jobs: their round trips, and the seconds for which convert had each.

    `before` and `after` as `_state`; `idle` is how much figures of it grow in a second without jobs.
    """

    jobs: int
    trips: Counter[Trip] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)

    def of_job(self, *beginnings: str, by: str = "") -> float:
        """How many of what begins so a job has, in one function or in all."""
        found = (n for trip, n in self.trips.items() if trip.what.startswith(beginnings) and by in ("", trip.by))
        return sum(found) / self.jobs

    def more(self, name: str) -> float:
        """How much a job adds to this figure of the state."""
        more = self.after[name] - self.before[name]
        return (more - self.idle.get(name, 0.0) * (self.after["clock"] - self.before["clock"])) / self.jobs


def main() -> None:
    """Count everything, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the table is written (%(default)s)")
    parser.add_argument("--costs", type=Path, default=COSTS, help="where the costs are written (%(default)s)")
    given = parser.parse_args()
    counted: dict[str, Counted] = {}
    costs: dict[str, Costs] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name, stacked(Path(name)) as stack:
            make = Maker(Path(name), 60)
            for length, (seconds, jobs) in LENGTHS.items():
                say(f"{length}: making the video, counting {jobs} jobs")
                video = make.video(f"{seconds}.mp4", seconds)
                counted[length] = stack.counted(video, jobs)
                sound = make.sound("aac").stat().st_size * seconds // make.sound_seconds
                costs[length] = _at_least(costs, _costs(counted[length], video.stat().st_size, sound))
                video.unlink()
    except Missing as missing:
        return say(f"round trips are left out: {missing}")
    said = json.dumps({length: asdict(each) for length, each in costs.items()}, indent=2)
    given.costs.write_text(f"{said}\n", encoding="utf-8")
    return report.write("trips", f"{_trips(counted)}\n({report.conditions()})", given.page)


@contextmanager
def stacked(directory: Path) -> Iterator[Stack]:
    """audiolift over servers of its own. Raises: Missing where these are not installed."""
    with ExitStack() as stack:
        made = {
            "DATABASE_URL": MariaDB(directory / "mariadb"),
            "BLOBS_URL": Mongo(directory / "mongo"),
            "RABBITMQ_URL": RabbitMQ(directory / "rabbitmq"),
        }
        urls = {name: stack.enter_context(server).url for name, server in made.items()}
        yield Stack(stack.enter_context(serving(directory, urls)), made)


class Stack:
    """An audiolift, and the servers below it."""

    def __init__(self, service: Service, servers: Mapping[str, Server]) -> None:
        self._service, self._servers = service, servers
        self._database = sa.create_engine(servers["DATABASE_URL"].url)

    def counted(self, video: Path, jobs: int) -> Counted:
        """Convert a video so many times, one after the other."""
        # What is done once, such as indexes, is done by the first.
        self._service.convert(video)
        time.sleep(SETTLE_SECONDS)
        idle = self._idle()
        found = Counted(jobs, before=self._state(), idle=idle)
        for _ in range(jobs):
            _, steps = self._service.convert(video)
            time.sleep(SETTLE_SECONDS)
            found.trips.update(self._service.watch.trips(*FUNCTIONS))
            found.trips.update(Trip(step.by, "event") for step in steps if step.what == "publish")
            found.seconds += [step.seconds for step in steps if (step.by, step.what) == ("convert", "deliver")]
        found.after = self._state()
        return found

    def _idle(self) -> dict[str, float]:
        before = {name: _cpu_seconds(self._servers[name]) for name in SERVERS}
        time.sleep(IDLE_SECONDS)
        return {name: (_cpu_seconds(self._servers[name]) - had) / IDLE_SECONDS for name, had in before.items()}

    def _state(self) -> dict[str, float]:
        """The time; CPU seconds of the servers, rows and bytes of their values in all tables, bytes of all MP3s."""
        state = {name: _cpu_seconds(server) for name, server in self._servers.items()}
        rows: list[Any] = []
        with self._database.connect() as connection:
            for table in sa.inspect(self._database).get_table_names():
                rows += connection.exec_driver_sql(f"SELECT * FROM `{table}`").all()
            mp3s = connection.exec_driver_sql("SELECT SUM(audio_bytes) FROM jobs").scalar()
        size = sum(len(value if isinstance(value, bytes) else str(value)) for row in rows for value in row)
        return {
            **state,
            "clock": time.monotonic(),
            "rows": len(rows),
            "row_bytes": ROOM * size,
            "mp3s": float(mp3s or 0),
        }


def _cpu_seconds(server: Server) -> float:
    """What all processes of a server have had of processors (proc(5), stat: fields 5 and 14 to 17)."""
    assert server._process
    found = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += sum(map(int, fields[11:15])) / 100 if int(fields[2]) == server._process.pid else 0
    return found


def _at_least(shorter: Mapping[str, Costs], costs: Costs) -> Costs:
    """No job takes less of a server than a shorter one: where a busy machine says so, what is idle was not."""
    names = ("database_cpu_ms", "broker_cpu_ms")
    most = {name: max(getattr(each, name) for each in (*shorter.values(), costs)) for name in names}
    return replace(costs, **most)


def _costs(counted: Counted, video_bytes: int, sound_bytes: int) -> Costs:
    return Costs(
        pod_seconds=round(median(counted.seconds), 3),
        statements=round(counted.of_job("SELECT", "INSERT", "UPDATE", "DELETE")),
        commits=round(counted.of_job("COMMIT")),
        database_cpu_ms=round(1000 * counted.more("DATABASE_URL"), 1),
        files_commands=round(counted.of_job("GridFS")),
        video_bytes=video_bytes,
        sound_bytes=sound_bytes,
        mp3_bytes=round(counted.more("mp3s")),
        events=round(counted.of_job("event")),
        broker_cpu_ms=round(1000 * counted.more("RABBITMQ_URL"), 1),
        rows=round(counted.more("rows")),
        row_bytes=round(counted.more("row_bytes")),
    )


KINDS = {
    "statements": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "commits": ("COMMIT",),
    "rollbacks after reading": ("ROLLBACK",),
    "pings": ("PING",),
    "GridFS commands": ("GridFS",),
    "events": ("event",),
}


def _trips(counted: Mapping[str, Counted]) -> str:
    rows = []
    for length, each in counted.items():
        for name in (*FUNCTIONS, ""):
            found = (each.of_job(*beginnings, by=name) for beginnings in KINDS.values())
            rows.append((length, name or "all", *(f"{number:.0f}" for number in found)))
        for trip, number in sorted(each.trips.items(), key=lambda pair: (FUNCTIONS.index(pair[0].by), -pair[1])):
            print(f"{length}: {trip.by}: {number / each.jobs:5.1f} {trip.what}", file=sys.stderr)
    return report.table(("job of", "function", *KINDS), rows)


if __name__ == "__main__":
    main()
