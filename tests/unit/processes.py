"""Several Python processes that do one thing at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE

__all__ = ["ROOT", "race", "start"]

ROOT = Path(__file__).resolve().parents[2]


def start(code: str) -> subprocess.Popen[str]:
    """A Python process that runs `code` at the root of the tree, with pipes for its standard input and output."""
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def race(count: int, prepare: str, act: str) -> list[str]:
    """What `count` processes print when all of them have run `prepare`, and then run `act` at once."""
    code = f"{prepare}\nprint('ready', flush=True)\ninput()\n{act}"
    runners = [start(code) for _ in range(count)]
    for runner in runners:
        assert runner.stdout
        assert runner.stdout.readline() == "ready\n"
    for runner in runners:
        assert runner.stdin
        runner.stdin.write("go\n")
        runner.stdin.flush()
    said = [runner.communicate(timeout=PATIENCE)[0].strip() for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * count
    return said
