"""How long each function takes from exec to its first answer, against a bare functions-framework function.

    make benchmark        (or: python -m tests.benchmarks.cold_start --rounds 15 gateway login)

A bare function is started before each start of a function, so that a busy machine slows both alike. The ratios are what
counts; the milliseconds are this machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

FUNCTIONS = ("gateway", "login", "upload", "convert", "notify", "download", "sweep")
BARE_SOURCE = """
import functions_framework

@functions_framework.http
def bare(request):
    return "OK"
"""
ROOT = Path(__file__).parents[2]
GIVE_UP_SECONDS, POLL_SECONDS = 60, 0.001


class Pair(NamedTuple):
    """The seconds from exec to the first answer of a bare function, and of the function that was started next."""

    bare: float
    function: float

    @property
    def ratio(self) -> float:
        """How many times as long the function took."""
        return self.function / self.bare


def main() -> None:
    """Measure, and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("functions", nargs="*", default=FUNCTIONS, help="which ones; all unless told")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is started (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(table(measure(arguments.functions, arguments.rounds, Path(directory))))


def measure(functions: Sequence[str], rounds: int, directory: Path) -> dict[str, list[Pair]]:
    """The starts of each function, each beside one of the bare function; the first pair compiles, and is left out."""
    (directory / "bare.py").write_text(BARE_SOURCE)
    pairs: dict[str, list[Pair]] = {name: [] for name in functions}
    for _ in range(rounds + 1):
        for name, taken in pairs.items():
            taken.append(Pair(_start(_bare(directory), directory), _start(_function(name), directory)))
    return {name: taken[1:] for name, taken in pairs.items()}


def table(pairs: dict[str, list[Pair]]) -> str:
    """The medians of the times, and of the pairs' ratios, as Markdown."""
    rows = ["| function | bare, ms | function, ms | ratio |", "|---|--:|--:|--:|"]
    for name, taken in pairs.items():
        bare, function, ratio = (
            median(values) for values in zip(*((*pair, pair.ratio) for pair in taken), strict=True)
        )
        rows.append(f"| {name} | {bare * 1000:.0f} | {function * 1000:.0f} | {ratio:.2f} |")
    return "\n".join(rows)


def _bare(directory: Path) -> list[str]:
    return [sys.executable, "-m", "functions_framework", "--target=bare", f"--source={directory / 'bare.py'}"]


def _function(name: str) -> list[str]:
    return [sys.executable, "-m", "functions.shared.server", name]


def _start(command: list[str], directory: Path) -> float:
    """The seconds from exec to the first 200."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{directory}/rows.db",
        "BLOBS_URL": f"file:{directory}/blobs",
        "XDG_RUNTIME_DIR": str(directory),
    }
    begun = time.perf_counter()
    with _running(command, environment) as process:
        _await_answer(process, port)
        return time.perf_counter() - begun


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(GIVE_UP_SECONDS)


def _await_answer(process: subprocess.Popen[bytes], port: int) -> None:
    ends = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=GIVE_UP_SECONDS),
        ):
            return
        time.sleep(POLL_SECONDS)
    sys.exit(f"{' '.join(process.args)} gave no answer; what it printed says why")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
