"""Whether the memory of each process stays flat over many jobs.

    python -m tests.benchmarks.memory [--jobs 2000] [--users 4] [--seconds 100000]

It runs audiolift with its defaults on this machine, and has small sounds converted, one after the other for each of the
users, who are told by mail. It prints the memory (VmRSS, proc(5)) of each function's process after each tenth of the
jobs, or until so many seconds are over. convert's warm process, whose children convert, is `convert, warm`.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.report import say
from tests.e2e.inside import children, function_processes
from tests.media import ffmpeg
from tests.system import Audiolift, User

__all__ = ["main", "rss"]

FUNCTIONS = ("gateway", "login", "upload", "convert", "notify", "download", "sweep")
SHARES = 10


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.memory", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sound = Path(directory) / "sound.ogg"
        words = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=1", str(sound)]
        subprocess.run([ffmpeg(), *words], check=True, stdin=subprocess.DEVNULL)
        running = Audiolift(Path(directory) / "data", {"MAX_USER_JOBS": "0"})
        try:
            _measure(running, sound, chosen.jobs, chosen.users, time.monotonic() + chosen.seconds)
        finally:
            running.stop()


def _measure(running: Audiolift, sound: Path, jobs: int, users: int, until: float) -> None:
    people = [running.user() for _ in range(users)]
    done, each = 0, max(1, jobs // SHARES // users)
    with ThreadPoolExecutor(users) as pool:
        while done < jobs and time.monotonic() < until:
            done += sum(pool.map(lambda user: _convert(user, sound, each), people))
            for name, size in rss(running).items():
                say(f"{done} jobs, {name}: {size / 1e6:.1f} MB")


def _convert(user: User, sound: Path, count: int) -> int:
    # Each is another: what is known already is not converted.
    for number in range(count):
        job = user.convert(sound, title=f"{time.time()} {number}")
        assert job["state"] == "done", job
    return count


def rss(running: Audiolift) -> dict[str, int]:
    """The memory of each function's processes, in bytes, added up; of those that there are."""
    found: defaultdict[str, int] = defaultdict(int)
    for name in FUNCTIONS:
        for pid in function_processes(running, name):
            found[name] += _size(pid)
            for warm in children(pid):
                found[f"{name}, warm"] += _size(warm)
    return dict(found)


def _size(pid: int) -> int:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024


if __name__ == "__main__":
    main()
