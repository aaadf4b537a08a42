"""What a command costs: wall clock, processor time, memory and bytes read, by it and by all that it starts.

    python -I -S tests/benchmarks/measure.py COMMAND…        (prints the figures as JSON)

As a script it is a small process of its own, because the peak of memory that the kernel tells of a program begins with
that of the process that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Figures", "command"]


@dataclass(frozen=True)
class Figures:
    """Seconds by the clock and of processors (user and system), the peak of resident memory in bytes, bytes read."""

    wall: float
    cpu: float
    peak_bytes: int
    read_bytes: int


def command(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Figures:
    """Run a command, and wait for it.

    The memory is that of the largest process; the bytes are all that was read, from pipes too.
    Raises: CalledProcessError when it fails; what it says goes to stderr.
    """
    script = [sys.executable, "-I", "-S", __file__, *words]
    whole = None if environment is None else {**os.environ, **environment}
    done = subprocess.run(script, env=whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return Figures(**json.loads(done.stdout))


def main() -> None:
    """Run what the arguments say, print its figures, and end as it does."""
    figures, status = _measured(sys.argv[1:])
    print(json.dumps(asdict(figures)))
    sys.exit(status)


def _measured(words: list[str]) -> tuple[Figures, int]:
    nowhere = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    begun = time.perf_counter()
    process = os.posix_spawnp(words[0], words, os.environ, file_actions=[nowhere])
    # It has ended, and is still there to be asked.
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - begun
    read = _read_by(process)
    _, status, usage = os.wait4(process, 0)
    figures = Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, read)
    return figures, os.waitstatus_to_exitcode(status)


def _read_by(process: int) -> int:
    """What read and pread gave to a process that has ended, and to those that it waited for (proc(5), "io")."""
    lines = dict(line.split(": ") for line in Path(f"/proc/{process}/io").read_text().splitlines())
    return int(lines["rchar"])


if __name__ == "__main__":
    main()
