"""How many clips of ten seconds a minute: audiolift whole, its engine alone, and `xargs -P N ffmpeg`, in turns.

With 1, 2 and 4 of each at a time.

    python -m tests.benchmarks.throughput        (a part of make benchmark)

It writes its tables into docs/performance.md. A busy machine slows all of them alike: ratios count.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median

from tests.benchmarks import report
from tests.benchmarks.inputs import Maker
from tests.benchmarks.ours import Ours
from tests.benchmarks.report import say
from tests.media import ffmpeg
from tests.system import OVERLAY, Audiolift, User

__all__ = ["Load", "Machine", "engines", "main", "measured", "plain"]

CLIPS, SECONDS, ROUNDS = 60, 10, 3
# So many conversions at a time; where the time of a clip goes is told of USUAL, as many as the local overlay has.
LANES, USUAL = (1, 2, 4), 2
# What holds both conversions while clips are uploaded: until it is cancelled, if it is long enough.
BLOCKING_SECONDS = 14400
# Conversions that were cancelled leave cold ones behind: so many clips of each lane are not counted.
WARMING = 2
PATIENCE_SECONDS, POLL_SECONDS = 600, 0.1
SERVER, ENGINES = "functions.shared.server", "'s engine"
WHOLE, ENGINE, PLAIN = "audiolift", "its engine alone", "xargs -P ffmpeg"
# The tests' overlay with another number of conversions at a time.
KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{overlay}]
patches:
  - target: {{group: serving.knative.dev, kind: Service, name: convert}}
    patch: |
      - op: replace
        path: /spec/template/metadata/annotations/autoscaling.knative.dev~1max-scale
        value: "{lanes}"
  - target: {{kind: Trigger}}
    patch: |
      - op: replace
        path: /metadata/annotations/rabbitmq.eventing.knative.dev~1parallelism
        value: "{lanes}"
"""


@dataclass(frozen=True)
class Load:
    """Clips a minute; in the whole system also each one's seconds from converting to done, and of CPU by process."""

    per_minute: float
    taken: Sequence[float] = ()
    cpu: Mapping[str, float] = field(default_factory=dict)


def main() -> None:
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the tables are written (%(default)s)")
    page: Path = parser.parse_args().page
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        directory = Path(name)
        say("making the clips")
        make = Maker(directory, 60)
        video = make.video("video.mp4", SECONDS)
        clips = [Path(shutil.copy(video, directory / f"clip-{number}.mp4")) for number in range(CLIPS)]
        blocking = make.audio("blocking.mp4", BLOCKING_SECONDS)
        loads = {lanes: measured(clips, blocking, _made(directory / f"{lanes}"), ROUNDS, lanes) for lanes in LANES}
    report.write("throughput", f"{_rates(loads)}\n({report.conditions()})", page)
    report.write("time-per-clip", _times(loads[USUAL][WHOLE], USUAL), page)


def measured(clips: Sequence[Path], blocking: Path, directory: Path, rounds: int, lanes: int) -> dict[str, list[Load]]:
    """The loads of each way, in turns, with so many at a time."""
    with ExitStack() as stack:
        ours = [stack.enter_context(Ours(_made(directory / f"lane-{number}"))) for number in range(lanes)]
        machine = Machine(_made(directory / "data"), blocking, lanes)
        stack.callback(machine.close)
        ways: dict[str, Callable[[], Load]] = {
            PLAIN: lambda: plain(clips, lanes),
            ENGINE: lambda: engines(ours, clips),
            WHOLE: lambda: machine.convert(clips),
        }
        for lane in ours:
            lane.convert(clips[0])
        loads: dict[str, list[Load]] = {name: [] for name in ways}
        for number in range(1, rounds + 1):
            for name, way in ways.items():
                loads[name].append(way())
                say(f"{lanes} at a time, round {number}: {name} {loads[name][-1].per_minute:.0f} a minute")
        return loads


def plain(clips: Sequence[Path], lanes: int) -> Load:
    """One ffmpeg after the other, so many at a time."""
    words = [ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", "{}", "-q:a", "2", "{}.mp3"]
    names = "\n".join(map(str, clips))
    begun = time.perf_counter()
    subprocess.run(["xargs", "-P", str(lanes), "-I", "{}", *words], input=names, text=True, check=True)
    return Load(60 * len(clips) / (time.perf_counter() - begun))


def engines(lanes: Sequence[Ours], clips: Sequence[Path]) -> Load:
    """The engine in as many warm processes, each with its share of the clips. Only converting counts."""

    def seconds(number: int) -> float:
        return sum(lanes[number].convert(clip).wall for clip in clips[number :: len(lanes)])

    with ThreadPoolExecutor(len(lanes)) as pool:
        return Load(60 * len(clips) / max(pool.map(seconds, range(len(lanes)))))


class Machine:
    """audiolift with all its functions on one machine, `lanes` conversions at a time; `blocking` is a long video."""

    def __init__(self, data: Path, blocking: Path, lanes: int = USUAL) -> None:
        self._rows, self._blocking, self._lanes = data / "audiolift.db", blocking, lanes
        overlay = data / "overlay"
        overlay.mkdir(parents=True)
        described = KUSTOMIZATION.format(overlay=OVERLAY, lanes=lanes)
        (overlay / "kustomization.yaml").write_text(described, encoding="utf-8")
        self._audiolift = Audiolift(data, overlay=overlay)

    def convert(self, clips: Sequence[Path]) -> Load:
        """Upload the clips while other conversions go on, cancel those, and see how fast the clips become MP3."""
        user = self._audiolift.user()
        with self._held_back(user):
            jobs = {user.upload(clip)["id"] for clip in clips}
        warming = WARMING * self._lanes
        warmed = self._await("done", jobs, warming)
        before = self._cpu()
        ended = self._await("done", jobs)
        # Few clips may all have ended before anybody looked.
        spent_on = max(1, len(ended) - len(warmed))
        spent = {name: (seconds - before.get(name, 0.0)) / spent_on for name, seconds in self._cpu().items()}
        begun = self._times("converting", jobs)
        order = sorted(jobs, key=ended.__getitem__)
        counted, window = order[warming:], ended[order[-1]] - ended[order[warming - 1]]
        return Load(60 * len(counted) / window, [ended[job] - begun[job] for job in counted], spent)

    def close(self) -> None:
        """Stop it."""
        self._audiolift.stop()

    @contextlib.contextmanager
    def _held_back(self, user: User) -> Iterator[None]:
        holding = {user.upload(self._blocking)["id"] for _ in range(self._lanes)}
        self._await("converting", holding)
        yield
        for job in holding:
            user.http.post(f"/v1/jobs/{job}/cancel").raise_for_status()

    def _await(self, state: str, jobs: set[str], count: int | None = None) -> dict[str, float]:
        """When each job came into a state, once so many are, or all."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while len(times := self._times(state, jobs)) < (count or len(jobs)):
            if time.monotonic() > ends:
                raise TimeoutError(f"not all clips are {state} after {PATIENCE_SECONDS} s")
            time.sleep(POLL_SECONDS)
        return times

    def _times(self, state: str, jobs: set[str]) -> dict[str, float]:
        """When each job came into a state, in seconds."""
        query = "SELECT job_id, min(at) FROM job_events WHERE state = ? GROUP BY job_id"
        with contextlib.closing(sqlite3.connect(self._rows)) as connection:
            found = connection.execute(query, [state]).fetchall()
        return {job: datetime.fromisoformat(at).timestamp() for job, at in found if job in jobs}

    def _cpu(self) -> dict[str, float]:
        """CPU seconds so far by process: each function, its engine, and the runner, which stands in for the cluster."""
        spent: dict[str, float] = defaultdict(float)
        for process, name in _family(self._audiolift.process.pid, "runner"):
            with contextlib.suppress(OSError):
                spent[name] += _seconds(process, name.endswith(ENGINES))
        return spent


def _family(process: int, name: str) -> Iterator[tuple[int, str]]:
    """A process and all below it, with what they are; a child that serves no function is its parent's engine."""
    yield process, name
    with contextlib.suppress(OSError):
        for children in list(Path(f"/proc/{process}/task").glob("*/children")):
            for child in children.read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                served = words[words.index(SERVER) + 1] if SERVER in words else name.removesuffix(ENGINES) + ENGINES
                yield from _family(int(child), served)


def _seconds(process: int, with_ended: bool) -> float:
    """CPU seconds of a process, and of its children that have ended if wanted (proc(5), "stat", fields 14 to 17)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended else 13])) / os.sysconf("SC_CLK_TCK")


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _rates(loads: Mapping[int, Mapping[str, Sequence[Load]]]) -> str:
    rows = []
    for lanes, ways in loads.items():
        for name, found in ways.items():
            pairs = zip(found, ways[PLAIN], strict=True)
            ratio = "1" if name == PLAIN else report.spread([one.per_minute / other.per_minute for one, other in pairs])
            rows.append((lanes, name, report.spread([each.per_minute for each in found], 0), ratio))
    return report.table(("at a time", "by", "clips a minute", "÷ xargs"), rows)


def _times(loads: Sequence[Load], lanes: int) -> str:
    """Where the time of a clip goes, in ms: in a lane by the clock, and of processors by process."""
    lane = lanes * 60 / median(load.per_minute for load in loads)
    inside = median(seconds for load in loads for seconds in load.taken)
    rows = [("by the clock: a lane's turn", lane), ("of which converting → done", inside)]
    names = {name: median(load.cpu.get(name, 0.0) for load in loads) for load in loads for name in load.cpu}
    rows += [(f"CPU: {name}", seconds) for name, seconds in sorted(names.items(), key=lambda item: -item[1])]
    return report.table(("each clip", "ms"), [(name, f"{seconds * 1000:.0f}") for name, seconds in rows])


if __name__ == "__main__":
    main()
