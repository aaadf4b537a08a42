"""functions/convert/sandbox: what a conversion that was taken over can do, and how each way to end is told."""

from __future__ import annotations

import errno
import gc
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from functions.convert.errors import NoWorker
from functions.convert.sandbox import worker as worker_module
from functions.convert.sandbox.nursery import Nursery
from functions.convert.sandbox.worker import Ended, Worker
from functions.shared.problems import Unavailable
from tests.patience import PATIENCE
from tests.unit import sandbox_entries as entries
from tests.unit.processes import start

SIZE = 40_000_000

by_the_filter = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter for this machine")


class Bytes:
    """A Source whose byte at n is n modulo 251."""

    size = SIZE
    _whole = bytes(range(251)) * (SIZE // 251 + 1)

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        return b"".join(self._whole[start : start + length] for start, length in ranges)


class Job:
    """One run in the sandbox, and what was heard of it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.heard: list[tuple[dict[str, Any], bytes]] = []
        self.ticks: list[float] = []

    def run(self, act: str, seconds: float = 60, source: Any = None, **job: Any) -> Ended:
        whole = {"act": act, **job}
        return self.worker.run(whole, source or Bytes(), self.hear, self.tick, time.monotonic() + seconds)

    def hear(self, header: dict[str, Any], payload: bytes) -> None:
        self.heard.append((header, payload))

    def tick(self) -> None:
        self.ticks.append(time.monotonic())


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery("tests.unit.sandbox_entries:run")
    yield made
    made.close()


@pytest.fixture
def job(nursery: Nursery) -> Iterator[Job]:
    with nursery.worker() as worker:
        yield Job(worker)


def test_a_child_reads_ranges_and_sends_what_it_makes_of_them(job: Job) -> None:
    requests = [[(0, 10)], [(5, 3), (SIZE - 1, 1), (1000, 0), (0, 2_000_000)], [(SIZE, 0)]]
    assert job.run("read", requests=requests).well
    assert [payload for _, payload in job.heard] == [Bytes().fetch(ranges) for ranges in requests]


def test_any_thread_may_read_and_send(job: Job) -> None:
    assert job.run("many_threads").well
    assert len(job.heard) == 400
    for header, payload in job.heard:
        assert payload == Bytes().fetch([(header["start"], 1000), (header["start"] + 5000, 1)])


def test_a_worker_that_was_warmed_gets_the_next_job() -> None:
    fresh = Nursery("tests.unit.sandbox_entries:run")
    fresh.warm()
    fresh.warm()
    (warmed,) = fresh._idle
    with fresh.worker() as worker:
        assert worker is warmed
        assert Job(worker).run("read", requests=[]).well
    fresh.close()
    assert not warmed.alive


def test_a_worker_is_kept_for_the_next_job(nursery: Nursery) -> None:
    with nursery.worker() as first:
        assert Job(first).run("read", requests=[]).well
    with nursery.worker() as second, nursery.worker() as third:
        assert second is first
        assert third is not first


def test_one_job_leaves_nothing_to_the_next(job: Job) -> None:
    assert job.run("die", how="abort").status == -signal.SIGABRT
    assert job.run("read", requests=[[(1, 1)]]).well
    assert job.heard == [({"kind": "audio"}, b"\x01")]


def test_a_child_gets_no_secret(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@db")
    fresh = Nursery("tests.unit.sandbox_entries:run")
    with fresh.worker() as worker:
        job = Job(worker)
        assert job.run("tell").well
    fresh.close()
    # Python itself sets LC_CTYPE.
    assert job.heard[0][0]["environment"].keys() <= {"LC_CTYPE", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}


def test_a_child_has_no_descriptor_but_its_two_sockets(job: Job) -> None:
    """Seen from the outside, while it runs."""
    with open(__file__, "rb") as ours, socket.create_server(("127.0.0.1", 0)) as server:
        os.set_inheritable(ours.fileno(), True)
        os.set_inheritable(server.fileno(), True)
        seen: dict[str, str] = {}

        def hear(header: dict[str, Any], _: bytes) -> None:
            folder = Path(f"/proc/{header['pid']}/fd")
            seen.update({path.name: os.readlink(path) for path in folder.iterdir()})
            raise Stop

        with pytest.raises(Stop):
            job.worker.run({"act": "wait"}, Bytes(), hear, job.tick, time.monotonic() + 60)
    assert {number: target.partition(":")[0] for number, target in seen.items()} == {
        "0": "/dev/null",
        "1": "/dev/null",
        "2": "/dev/null",
        "3": "socket",
        "4": "socket",
    }


@by_the_filter
@pytest.mark.parametrize("what", entries.ATTEMPTS)
def test_a_child_can_do_nothing_but_compute(job: Job, tmp_path: Path, what: str) -> None:
    path = tmp_path / "target"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(path))
        local.listen()
        port = server.getsockname()[1]
        assert job.run("attempt", what=what, path=str(path), port=port, server=os.getpid()).well
    assert job.heard == [({"kind": "refused", "errno": errno.EPERM}, b"")]
    assert list(tmp_path.iterdir()) == [path]


@by_the_filter
@pytest.mark.parametrize("what", ["read a file", "connect by UNIX socket", "fork", "signal its parent"])
def test_what_is_refused_inside_would_work_outside(tmp_path: Path, what: str) -> None:
    """Else the test above proves nothing."""
    path = str(tmp_path / "target")
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        local.listen()
        (tmp_path / "file").write_text("x")
        target = path if "connect" in what else str(tmp_path / "file")
        code = f"from tests.unit.sandbox_entries import ATTEMPTS; ATTEMPTS[{what!r}]({{'path': {target!r}}})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@by_the_filter
def test_what_was_not_imported_before_cannot_be_imported(job: Job) -> None:
    ended = job.run("unimported")
    assert not ended.well
    assert "ModuleNotFoundError" in ended.words


def test_who_wants_too_much_memory_is_told_apart(job: Job) -> None:
    ended = job.run("memory")
    assert ended.out_of_memory
    assert not ended.well
    assert job.run("read", requests=[]).well


@pytest.mark.parametrize(("how", "killer"), [("abort", signal.SIGABRT), ("segfault", signal.SIGSEGV)])
def test_a_crash_is_told_by_its_signal(job: Job, how: str, killer: int) -> None:
    ended = job.run("die", how=how)
    assert ended.status == -killer
    assert not ended.out_of_memory


def test_who_uses_up_the_processor_is_told_apart(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads can use up more than a clock shows, so there is a limit besides the deadline."""
    limits = worker_module._limits(time.monotonic() + 60)
    monkeypatch.setattr(worker_module, "_limits", lambda deadline: {**limits, "RLIMIT_CPU": 1})
    assert limits["RLIMIT_CPU"] >= 60
    assert job.run("burn").out_of_cpu


def test_who_does_not_end_is_killed_at_the_deadline(job: Job) -> None:
    ended = job.run("spin", seconds=1.2)
    assert ended.timed_out
    assert not ended.well
    assert_gone(job.heard[0][0]["pid"])
    assert len(job.ticks) >= 2


@pytest.mark.parametrize("act", ["deaf", "wait"])
def test_who_does_not_listen_is_killed_at_the_deadline(job: Job, act: str) -> None:
    assert job.run(act, seconds=1).timed_out


def test_who_closes_its_sockets_and_goes_on_is_killed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "GRACE_SECONDS", 0.3)
    ended = job.run("silent")
    assert "silence" in ended.words
    assert not job.worker.alive


class Stop(Exception):
    """Somebody has seen enough."""


def test_what_the_tick_raises_ends_everything(job: Job) -> None:
    def tick() -> None:
        if job.heard:
            raise Stop

    with pytest.raises(Stop):
        job.worker.run({"act": "spin"}, Bytes(), job.hear, tick, time.monotonic() + 60)
    assert_gone(job.heard[0][0]["pid"])
    assert_gone(job.heard[0][0]["group"])


def test_endless_output_ends_where_the_parent_says(job: Job) -> None:
    got = 0

    def hear(_: dict[str, Any], payload: bytes) -> None:
        nonlocal got
        got += len(payload)
        if got > 20_000_000:
            raise Stop

    tracemalloc.start()
    with pytest.raises(Stop):
        job.worker.run({"act": "flood"}, Bytes(), hear, job.tick, time.monotonic() + 60)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    assert not job.worker.alive


def test_a_store_that_is_down_is_not_blamed_on_the_file(job: Job) -> None:
    class Down(Bytes):
        def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
            raise Unavailable("no answer")

    with pytest.raises(Unavailable):
        job.run("read", source=Down(), requests=[[(0, 1)]])
    assert not job.worker.alive


def test_a_source_that_gives_too_little_is_noticed(job: Job) -> None:
    class Short(Bytes):
        def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
            return b""

    with pytest.raises(ValueError, match="0 bytes"):
        job.run("read", source=Short(), requests=[[(0, 1)]])


@pytest.mark.parametrize("requests", [[[(SIZE, 1)]], [[(SIZE - 1, 2)]], [[(2**64 - 1, 1)]], [[(0, SIZE), (0, SIZE)]]])
def test_ranges_outside_of_the_file_or_too_large_are_refused(job: Job, requests: list[Any]) -> None:
    ended = job.run("read", requests=requests)
    assert "a request for" in ended.words
    assert ended.status == -signal.SIGKILL
    assert job.heard == []


@pytest.mark.parametrize(
    ("descriptor", "sent"),
    [
        (3, "00000000"),
        (3, "ffffffff"),
        (3, "00000001" + "00" * 15 + "01" + "00000001" + "00" * 15 + "01"),
        (4, "ffffffff"),
        (4, "00000003" + b"abc".hex() + "00000000"),
        (4, "00000002" + b"[]".hex() + "00000000"),
        (4, "00000002" + b"{}".hex() + "00000000"),
        (4, "00000002" + b"{}".hex() + "ffffffff"),
        (4, "0000c350" + (b"[" * 50000).hex() + "00000000"),
    ],
)
def test_who_sends_rubbish_is_killed(job: Job, descriptor: int, sent: str) -> None:
    ended = job.run("rubbish", descriptor=descriptor, bytes=sent)
    assert not ended.well
    assert ended.words.startswith("killed: The child sent what it must not send: a ")
    assert not job.worker.alive


def test_a_failure_is_a_message(job: Job) -> None:
    assert job.run("fail").well
    assert job.heard == [({"kind": "failed", "code": "no-audio", "hint": ""}, b"")]


def test_a_bug_is_told_with_where_it_is(job: Job) -> None:
    ended = job.run("stumble")
    assert ended.status == 1
    assert "KeyError: 'a bug'" in ended.words
    assert "stumble" in ended.words


def test_what_a_child_used_is_told(job: Job) -> None:
    ended = job.run("read", requests=[[(0, 1000)]])
    assert 0 < ended.cpu_seconds < 5
    assert 1_000_000 < ended.peak_bytes < 500_000_000


@pytest.mark.parametrize("entry", ["tests.unit.sandbox_entries:no_such", "tests.no_such_module:run", "nothing"])
def test_an_entry_that_is_not_there_is_told(entry: str) -> None:
    nursery = Nursery(entry)
    with pytest.raises(NoWorker, match="Error"), nursery.worker() as worker:
        Job(worker).run("read", requests=[])
    nursery.close()


def test_an_entry_that_leaves_a_thread_behind_is_told() -> None:
    nursery = Nursery("tests.unit.sandbox_threads:run")
    with pytest.raises(NoWorker, match="a thread still runs"), nursery.worker() as worker:
        Job(worker).run("read", requests=[])
    nursery.close()


def test_an_idle_worker_that_died_is_replaced(nursery: Nursery) -> None:
    fresh = Nursery("tests.unit.sandbox_entries:run")
    with fresh.worker() as worker:
        assert Job(worker).run("read", requests=[]).well
    os.killpg(worker._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker._process.pid, os.WEXITED | os.WNOWAIT)
    with fresh.worker() as other:
        assert other is not worker
        assert Job(other).run("read", requests=[]).well
    fresh.close()


def test_a_warm_worker_that_dies_under_its_job_is_told(job: Job) -> None:
    def hear(header: dict[str, Any], _: bytes) -> None:
        # The child alone is left, and dies with it.
        os.kill(job.worker._process.pid, signal.SIGKILL)

    with pytest.raises(NoWorker, match="has died"):
        job.worker.run({"act": "wait"}, Bytes(), hear, job.tick, time.monotonic() + 60)


def test_jobs_run_at_the_same_time(nursery: Nursery) -> None:
    ended: list[Ended] = []

    def run() -> None:
        with nursery.worker() as worker:
            ended.append(Job(worker).run("many_threads"))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.well for one in ended] == [True] * 3


def test_nothing_outlives_the_parent() -> None:
    parent = start(
        "import time\n"
        "from functions.convert.sandbox.nursery import Nursery\n"
        "from tests.unit.test_sandbox import Bytes\n"
        "nursery = Nursery('tests.unit.sandbox_entries:run')\n"
        "hear = lambda header, payload: print(header['pid'], header['group'], flush=True)\n"
        "with nursery.worker() as worker:\n"
        "    worker.run({'act': 'spin'}, Bytes(), hear, lambda: None, time.monotonic() + 600)\n"
    )
    with parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    for pid in pids:
        assert_gone(pid)


def test_a_server_that_forks_leaves_its_workers_to_the_one_that_has_them(nursery: Nursery) -> None:
    """As a server with workers does, when something was warmed before."""
    code = (
        "import os\n"
        "from functions.convert.sandbox import nursery\n"
        "nursery._nursery._entry = 'tests.unit.sandbox_entries:run'\n"
        "nursery.warm()\n"
        "(kept,) = nursery._nursery._idle\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(len(nursery._nursery._idle))\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "with nursery.worker() as worker:\n"
        "    assert worker is kept and worker.alive\n"
        "print('well')\n"
    )
    with start(code) as process:
        assert process.communicate()[0] == "well\n"


def test_a_worker_leaves_no_descriptor_open(nursery: Nursery) -> None:
    with nursery.worker() as worker:
        Job(worker).run("read", requests=[])
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for act in ("read", "fail", "stumble"):
            Job(worker).run(act, requests=[])
        assert len(os.listdir("/proc/self/fd")) == before


def assert_gone(pid: int) -> None:
    """Whoever was killed needs a moment to die, and is a zombie until somebody looks."""
    ends = time.monotonic() + PATIENCE
    while is_running(pid):
        assert time.monotonic() < ends
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
