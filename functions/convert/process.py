"""Runs ffmpeg in its own process group, confined, watches it, and kills all of it when it must end."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from functions.convert.conversion.sound.filters import INTEGRATED, TRUE_PEAK
from functions.convert.errors import Crash
from functions.convert.sandbox import cores, policy
from functions.convert.sandbox.programs import program
from functions.shared import settings
from functions.shared.reasons import Failure

__all__ = ["Outcome", "run"]

WATCH_SECONDS = 0.25
MAX_MEMORY_BYTES = 2 * 1024**3
MAX_OPEN_FILES = 32
MAX_LINES, MAX_LINE_LENGTH = 2000, 500
# A number of microseconds has no more digits: 30 000 years.
MAX_TIME_LENGTH = 18
TOLD = (INTEGRATED, TRUE_PEAK)
_NUMBER = re.compile(r"-?\d{1,6}(\.\d{1,6})?", re.ASCII)
# No memory, and an ffmpeg that does not start.
_NOT_ITS_FAULT = ("Cannot allocate memory", "error while loading shared libraries", "Traceback (most recent call last)")


@dataclass
class Outcome:
    """How ffmpeg ended: its exit status (negative: the signal), the time stamp reached in seconds, its last words.

    `told` are the newest values of what it printed on standard output by the names in TOLD.
    """

    status: int = 0
    seconds: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_LINES))
    told: dict[str, str] = field(default_factory=dict)

    def said(self, *phrases: str) -> bool:
        """Whether one of the phrases is in what ffmpeg said."""
        return any(phrase in line for line in self.lines for phrase in phrases)

    def take(self, line: str) -> None:
        """A line of standard output: "name=value"."""
        name, _, value = line.partition("=")
        if name == "out_time_us" and value.isascii() and value.isdigit():
            self.seconds = max(self.seconds, int(value[:MAX_TIME_LENGTH]) / 1e6)
        elif name in TOLD and _NUMBER.fullmatch(value):
            self.told[name] = value

    def check_ran(self) -> None:
        """Raises: Failure (timed-out), or Crash where the end says nothing about the file."""
        if self.status == -signal.SIGXCPU:
            raise Failure("timed-out")
        if self.status < 0 or (self.status > 0 and self.said(*_NOT_ITS_FAULT)):
            raise Crash(
                f"ffmpeg ended with {self.status}", converter="ffmpeg", status=self.status, words=self.last_words()
            )

    def last_words(self) -> str:
        """The end of what ffmpeg said, for the log."""
        return " | ".join(list(self.lines)[-5:])


def run(
    command: Sequence[str],
    directory: Path,
    deadline: float,
    watch: Callable[[float], None],
    inputs: Sequence[Path] = (),
) -> Outcome:
    """Run ffmpeg in an empty environment, in `directory`, until `deadline` (monotonic seconds).

    It opens nothing but itself, its libraries, its `inputs` (files, or directories with all in them), and what is in
    `directory`. `watch` is called every WATCH_SECONDS with the time stamp reached, and may raise to end it all.
    Raises: Failure (timed-out), Crash, and what `watch` raises; no process is left in any case.
    """
    outcome = Outcome()
    confinement = _confinement(command[0], directory, inputs, deadline)
    with _started(command, directory, confinement) as process:
        next_watch = time.monotonic()
        for line, is_progress in _lines(process):
            if is_progress:
                outcome.take(line)
            elif line:
                outcome.lines.append(line[:MAX_LINE_LENGTH])
            if time.monotonic() > deadline:
                raise Failure("timed-out")
            if time.monotonic() >= next_watch:
                watch(outcome.seconds)
                next_watch = time.monotonic() + WATCH_SECONDS
        outcome.status = process.wait()
    return outcome


@contextmanager
def _started(command: Sequence[str], directory: Path, confinement: str) -> Iterator[subprocess.Popen[bytes]]:
    guard = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), confinement]
    process = subprocess.Popen(
        [*guard, *command],
        cwd=directory,
        env={"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def _confinement(name: str, directory: Path, inputs: Sequence[Path], deadline: float) -> str:
    """For guard.py. Raises: Crash when there is no such program."""
    try:
        needed = program(name)
    except (OSError, subprocess.SubprocessError) as error:
        raise Crash("ffmpeg cannot be run", converter="ffmpeg", words=str(error)) from error
    files = {"run": needed.run, "read": [*needed.read, *map(str, inputs)], "write": [str(directory)]}
    return json.dumps({"limits": _limits(deadline), "files": files, "required": policy.is_required()})


def _limits(deadline: float) -> dict[str, int]:
    """No second process is allowed by the filter; a limit of them would count those of the server."""
    return {
        "RLIMIT_CPU": max(1, int(deadline - time.monotonic())) * (cores.available() + 1),
        "RLIMIT_AS": MAX_MEMORY_BYTES,
        "RLIMIT_FSIZE": settings.number("MAX_AUDIO_BYTES"),
        "RLIMIT_NOFILE": MAX_OPEN_FILES,
        "RLIMIT_CORE": 0,
    }


def _lines(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bool]]:
    """Lines of stdout (progress: True) and stderr as they come, and an empty one now and then, until both end."""
    assert process.stdout
    assert process.stderr
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(pipe, selectors.EVENT_READ, bytearray())
        while selector.get_map():
            for key, _ in selector.select(timeout=WATCH_SECONDS / 2):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                for line in _split(key.data, data):
                    yield line, key.fileobj is process.stdout
            yield "", False


def _split(buffer: bytearray, data: bytes) -> list[str]:
    buffer += data or b"\n"
    *lines, rest = bytes(buffer).replace(b"\r", b"\n").split(b"\n")
    # A line without end must not fill the memory.
    buffer[:] = rest[: 16 * MAX_LINE_LENGTH]
    return [line.decode(errors="replace") for line in lines]
