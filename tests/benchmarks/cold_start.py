"""How long each function takes from exec to its first answer, against a bare functions-framework function.

    make benchmark        (or: python -m tests.benchmarks.cold_start --rounds 15 gateway login)

A bare function is started before each start of a function, so that a busy machine slows both alike. The ratios are what
counts; the milliseconds are this machine's. It writes its table into docs/performance.md.
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

from functions.login import keys
from tests.benchmarks import report
from tests.benchmarks.report import conditions

# How many times as long as a bare function each may take at most.
FUNCTIONS = {"gateway": 1.5, "login": 2.0, "upload": 1.5, "convert": 2.0, "notify": 1.5, "download": 1.5, "sweep": None}
BARE_SOURCE = """
import functions_framework

@functions_framework.http
def bare(request):
    return "OK"
"""
ROOT = Path(__file__).parents[2]
_MADE = keys.make()
SECRETS = {"SIGNING_KEY": _MADE["signing-key"], "JWKS": _MADE["jwks"], "LINK_SECRET": _MADE["link-secret"]}
GIVE_UP_SECONDS, POLL_SECONDS = 60, 0.001


class Start(NamedTuple):
    """The seconds from exec to the first answer of a bare function, and of the function that was started next.

    `ready` is when that one had also imported all that a request needs, and its stores had answered.
    """

    bare: float
    function: float
    ready: float


def main() -> None:
    """Measure, and write the table down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("functions", nargs="*", default=list(FUNCTIONS), help="which ones; all unless told")
    parser.add_argument("--rounds", type=int, default=9, help="how often each is started (%(default)s)")
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the table is written (%(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        made = table(measure(given.functions, given.rounds, Path(directory)))
    report.write("cold-start", f"{made}\n({given.rounds} rounds; {conditions()})", given.page)


def measure(functions: Sequence[str], rounds: int, directory: Path) -> dict[str, list[Start]]:
    """The starts of each function, each beside one of the bare function; the first round compiles, and is left out."""
    (directory / "bare.py").write_text(BARE_SOURCE)
    migrate = [sys.executable, "-m", "functions.shared.migrate"]
    subprocess.run(migrate, env=_environment(directory, 0), check=True, capture_output=True)
    starts: dict[str, list[Start]] = {name: [] for name in functions}
    for _ in range(rounds + 1):
        for name, taken in starts.items():
            (bare,) = _start(_bare(directory), directory, "/healthz")
            taken.append(Start(bare, *_start(_function(name), directory, "/healthz", "/readyz")))
    return {name: taken[1:] for name, taken in starts.items()}


def table(starts: dict[str, list[Start]]) -> str:
    """The medians of the times, and of the ratios, as Markdown."""
    rows = []
    for name, taken in starts.items():
        bare, function, ready = (median(times) * 1000 for times in zip(*taken, strict=True))
        ratio = report.spread([start.function / start.bare for start in taken])
        rows.append((name, f"{bare:.0f}", f"{function:.0f}", ratio, FUNCTIONS[name] or "–", f"{ready:.0f}"))
    return report.table(("function", "bare, ms", "first answer, ms", "ratio", "limit", "ready, ms"), rows)


def _bare(directory: Path) -> list[str]:
    return [sys.executable, "-m", "functions_framework", "--target=bare", f"--source={directory / 'bare.py'}"]


def _function(name: str) -> list[str]:
    return [sys.executable, "-m", "functions.shared.server", name]


def _start(command: list[str], directory: Path, *paths: str) -> list[float]:
    """The seconds from exec to the first 200 of each path, asked for one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    begun, answered = time.perf_counter(), []
    with _running(command, _environment(directory, port)) as process:
        for path in paths:
            _await_answer(process, f"http://127.0.0.1:{port}{path}")
            answered.append(time.perf_counter() - begun)
    return answered


def _environment(directory: Path, port: int) -> dict[str, str]:
    return {
        **os.environ,
        **SECRETS,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{directory}/rows.db",
        "BLOBS_URL": f"file:{directory}/blobs",
        "XDG_RUNTIME_DIR": str(directory),
    }


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(GIVE_UP_SECONDS)


def _await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    ends = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=GIVE_UP_SECONDS),
        ):
            return
        time.sleep(POLL_SECONDS)
    sys.exit(f"{' '.join(process.args)} gave no answer; what it printed says why")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
