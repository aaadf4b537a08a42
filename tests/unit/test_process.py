"""functions/convert/process.py: what ffmpeg may do, what it costs, and what is left when something goes wrong."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import NoReturn

import pytest

from functions.convert import guard
from functions.convert import process as runner
from functions.convert.process import Outcome, run
from functions.shared.reasons import Failure
from tests.patience import PATIENCE

by_the_filter = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter for this machine")


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """The empty directory that a conversion works in."""
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


@pytest.mark.parametrize("deaf", ["", "import signal; [signal.signal(number, signal.SIG_IGN) for number in (2, 15)]; "])
def test_no_process_is_left_at_the_deadline(room: Path, deaf: str) -> None:
    mark = f"{os.getpid()}{time.monotonic_ns()}"
    with pytest.raises(Failure) as caught:
        run(python(f"{deaf}import time; time.sleep(600); {mark}"), room, time.monotonic() + 1, quiet)
    assert caught.value.code == "timed-out"
    assert_gone(mark)


def test_no_process_is_left_when_the_watcher_stops_it(room: Path) -> None:
    class Stop(Exception):
        """The watcher has seen enough."""

    mark = f"{os.getpid()}{time.monotonic_ns()}"

    def stop(_: float) -> NoReturn:
        raise Stop

    with pytest.raises(Stop):
        run(["/bin/sleep", f"{mark}"], room, time.monotonic() + 60, stop)
    assert_gone(mark)


@by_the_filter
@pytest.mark.parametrize(
    "act",
    [
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.kill(os.getppid(), 0)",
        "import os; os.kill(-1, 0)",
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socketpair()",
    ],
)
def test_ffmpeg_has_no_network_and_no_other_process(room: Path, act: str) -> None:
    assert run(python(act), room, soon(), quiet).said("PermissionError")


def test_ffmpeg_has_threads(room: Path) -> None:
    act = "import threading; made = threading.Thread(target=print); made.start(); made.join()"
    assert run(python(act), room, soon(), quiet).status == 0


@pytest.mark.parametrize(
    "flood", ["'a line that says nothing\\n' * 800_000", "'\\0' * 20_000_000", "'\\n' * 2_000_000"]
)
def test_a_flood_of_words_does_not_fill_the_memory(room: Path, flood: str) -> None:
    tracemalloc.start()
    outcome = run(python(f"import sys; sys.stderr.write({flood} + '\\nlast words\\n')"), room, soon(), quiet)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
    assert len(outcome.lines) <= runner.LINES_KEPT
    assert max(map(len, outcome.lines)) <= runner.LINE_LENGTH
    assert outcome.status == 0
    assert "last words" in outcome.last_words()


def test_ffmpeg_gets_an_empty_environment_and_its_own_directory(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@db")
    outcome = run(["/bin/sh", "-c", "set >&2; pwd >&2; ulimit -c >&2"], room, soon(), quiet)
    assert str(room) in outcome.lines
    assert not outcome.said("hunter2")
    assert outcome.lines[-1] == "0"


def test_who_uses_up_the_processor_is_told_apart_from_who_is_killed() -> None:
    limits = json.dumps({"RLIMIT_CPU": 1})
    command = [sys.executable, "-I", "-S", guard.__file__, limits, "/bin/sh", "-c", "while :; do :; done"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGXCPU


def test_limits_of_the_operator_that_are_lower_stay(room: Path) -> None:
    tell = (
        "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_CPU))"
    )
    lower = (
        "import os, resource as of, sys; of.setrlimit(of.RLIMIT_NOFILE, (9, 25)); os.execv(sys.argv[1], sys.argv[1:])"
    )
    limits = json.dumps({"RLIMIT_NOFILE": 32, "RLIMIT_CPU": 60})
    command = [*python(lower), sys.executable, "-I", "-S", guard.__file__, limits, *python(tell)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "25 25 60 61\n"


def test_the_last_words_are_the_last() -> None:
    outcome = Outcome()
    outcome.lines.extend(str(number) for number in range(3000))
    assert outcome.last_words() == "2995 | 2996 | 2997 | 2998 | 2999"


def quiet(_: float) -> None:
    """Watch without a word."""


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def soon() -> float:
    return time.monotonic() + 120


def assert_gone(mark: str) -> None:
    """Whoever was killed needs a moment to die."""
    ends = time.monotonic() + PATIENCE
    while left := running(mark):
        assert time.monotonic() < ends, left
        time.sleep(0.01)


def running(mark: str) -> list[str]:
    """The command lines, of processes that are alive, that hold `mark`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words:
            found.append(words)
    return found
