"""The convert function's process as the benchmarks use it: for each line with an order, a conversion and a line back.

`Ours` is the benchmark's side; the other one (`python -m tests.benchmarks.ours`) runs functions/convert/engine.py on
a directory of blobs, with its rows in SQLite.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from functions.convert import engine
from functions.convert.conversion.source import RangeSource
from functions.convert.errors import Crash
from functions.convert.sandbox import nursery
from functions.convert.sandbox.worker import Ended, Worker
from functions.shared import blobs
from functions.shared.jobs import claims
from tests.benchmarks.measure import Figures
from tests.unit import rows

__all__ = ["Ours"]

ROOT = Path(__file__).parents[2]


class Ours:
    """A process that converts, kept until it is closed. `directory` gets its rows and its blobs."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"
        stores = {"DATABASE_URL": f"sqlite:///{directory}/rows.db", "BLOBS_URL": f"file:{self._blobs}"}
        environment = {**os.environ, **stores}
        migrate = [sys.executable, "-m", "functions.shared.migrate"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True, capture_output=True)
        command = [sys.executable, "-m", "tests.benchmarks.ours"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> Ours:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def convert(
        self, video: Path, options: dict[str, Any] | None = None, *, cold: bool = False, kill_at: float = 2.0
    ) -> Figures:
        """Convert a video from among the blobs to an MP3 among them. The bytes read are those of the video.

        `cold`: with no warm process to fork from. `kill_at`: the share done at which the child is killed, once, and
        the next delivery goes on; the figures are of both.
        """
        order = {"video": str(video), "options": options or {}, "cold": cold, "kill_at": kill_at}
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that converts has died; what it printed says why")
        return Figures(**json.loads(answer))


def main() -> None:
    """Obey until the orders end."""
    for line in sys.stdin:
        order = json.loads(line)
        claim = _claimed(Path(order["video"]), order["options"])
        if order["cold"]:
            nursery.close()
        figures = _measured(claim, _Watch(order["cold"], order["kill_at"]))
        for blob in list(blobs.store().all()):
            blobs.store().delete(blob.name)
        print(json.dumps(asdict(figures)), flush=True)


def _claimed(video: Path, options: dict[str, Any]) -> claims.Claim:
    """The claim of a new job, whose video is that file under another name: nothing is copied."""
    job = rows.job("queued", filename=video.name, options=options)
    with blobs.store().writing(f"video/{job}"):
        pass
    with blobs.store().local_file(f"video/{job}") as place:
        place.unlink()
        os.link(video, place)
    return _again(job)


def _again(job: str) -> claims.Claim:
    claim = claims.claim(job)
    assert claim, "nobody else converts here"
    return claim


def _measured(claim: claims.Claim, watch: _Watch) -> Figures:
    # The peak begins anew (proc(5), "clear_refs").
    Path("/proc/self/clear_refs").write_text("5")
    begun, cpu = time.perf_counter(), _own_cpu()
    with mock.patch.object(Worker, "run", lambda *words: watch.run(*words)):
        while not _finished(claim):
            claim = _again(claim.job_id)
    wall, cpu = time.perf_counter() - begun, _own_cpu() - cpu
    return Figures(wall, cpu + watch.cpu, _own_peak() + watch.peak, watch.read)


def _finished(claim: claims.Claim) -> bool:
    try:
        engine.convert(claim)
    except Crash:
        claims.release(claim, counts=True)
        return False
    return True


@dataclass
class _Counted:
    """Counts the bytes that are fetched."""

    source: RangeSource
    count: Callable[[int], None]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.source.size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        data = self.source.fetch(ranges)
        self.count(len(data))
        return data


class _Watch:
    """What the children of one conversion cost, and the process that they are forked from."""

    def __init__(self, cold: bool, kill_at: float) -> None:
        self.cpu, self.peak, self.read = 0.0, 0, 0
        self._cold, self._kill_at = cold, kill_at
        self._run = Worker.run

    def run(
        self, worker: Worker, job: Any, source: RangeSource, on_message: Any, tick: Callable[[], None], deadline: float
    ) -> Ended:
        """In place of Worker.run."""
        zygote = worker._process.pid
        killed = False

        def hear(header: dict[str, Any], payload: bytes) -> None:
            nonlocal killed
            # A child that was quicker than the signal has said more: that is lost too.
            if killed:
                return
            on_message(header, payload)
            if header["kind"] == "progress" and header["share"] >= self._kill_at:
                self._kill_at, killed = 2.0, True
                os.kill(_child_of(zygote), signal.SIGKILL)

        before = 0.0 if self._cold else _cpu_of(zygote)
        ended = self._run(worker, job, _Counted(source, self._count), hear, tick, deadline)
        self.cpu += ended.cpu_seconds + _cpu_of(zygote) - before
        self.peak = max(self.peak, ended.peak_bytes)
        # The second time it is warm.
        self._cold = False
        return replace(ended, status=-signal.SIGKILL) if killed else ended

    def _count(self, size: int) -> None:
        self.read += size


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _own_peak() -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def _cpu_of(process: int) -> float:
    """Of a process with one thread, and without its children: in seconds (Documentation/scheduler/sched-stats)."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def _child_of(process: int) -> int:
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])


if __name__ == "__main__":
    main()
