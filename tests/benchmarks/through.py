"""What passing through the gateway costs: up and down, by the function called directly and through the gateway, in turns.

    python -m tests.benchmarks.through [--megabytes 4096] [--rounds 3]

Rows are in SQLite, files in a directory of the temporary directory. The client sends and takes bytes as fast as they
go, and computes nothing. It prints its figures; a busy machine slows both alike, so that ratios count.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from tests.benchmarks.report import say, spread, table
from tests.e2e.alone import serving, sign_up, told
from tests.e2e.inside import peak_rss

__all__ = ["Pass", "main", "measured", "rows"]

MEGABYTE = 1_000_000
PIECE = 1 << 20
FUNCTIONS = {"up": "upload", "down": "download"}
UNLIMITED = {"RATE_LIMITS": '{"bytes": "0"}', "MAX_UPLOAD_BYTES": str(1 << 40), "MAX_USER_BYTES": "0"}


@dataclass(frozen=True)
class Pass:
    """One body on its way: seconds by the clock, and seconds of processors by function."""

    seconds: float
    cpu: Mapping[str, float]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=4096, help="the size of a body (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is gone (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        passes, peaks = measured(Path(name), arguments.megabytes * MEGABYTE, arguments.rounds)
    print(rows(passes, peaks, arguments.megabytes))


def measured(
    directory: Path, size: int, rounds: int
) -> tuple[dict[str, list[tuple[Pass, Pass]]], dict[str, int]]:
    """For each way, up and down, pairs of passes: directly, through. And each function's peak of memory, in bytes."""
    with ExitStack() as stack:
        machine = stack.enter_context(_machine(directory))
        machine.download = machine.with_audio(directory, size)
        ways: dict[str, Callable[[str], None]] = {
            "up": lambda via: machine.send(via, size),
            "down": lambda via: machine.take(via, size),
        }
        for way, go in ways.items():
            # What is imported late is imported now.
            machine.timed(way, go)
        found: dict[str, list[tuple[Pass, Pass]]] = {way: [] for way in ways}
        for number in range(1, rounds + 1):
            for way, go in ways.items():
                found[way].append(machine.timed(way, go))
                direct, through = found[way][-1]
                say(f"round {number}: {way} {direct.seconds:.2f} s, through the gateway {through.seconds:.2f} s")
        return found, {name: peak_rss(pid) for name, pid in machine.processes.items()}
