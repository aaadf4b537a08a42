"""`make stack` and `make demo STACK=1`: audiolift on a MariaDB, a RabbitMQ and a MongoDB of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.patience import PATIENCE
from tests.servers import MariaDB, Mongo, RabbitMQ

ROOT = Path(__file__).parents[2]


def test_the_demo_converts_a_video(tmp_path: Path, mariadb: MariaDB, rabbitmq: RabbitMQ, mongo: Mongo) -> None:
    del mariadb, rabbitmq, mongo  # only whether they are installed
    with _stack(tmp_path, "demo") as stack:
        said, _ = stack.communicate(timeout=PATIENCE)
    assert stack.returncode == 0, said
    assert (tmp_path / "demo.mp3").stat().st_size > 100_000
    assert {path.name for path in (tmp_path / "data" / "stack").iterdir()} >= {"mariadb", "mongo", "rabbitmq"}


def test_no_server_outlives_a_stack_that_is_killed(
    tmp_path: Path, mariadb: MariaDB, rabbitmq: RabbitMQ, mongo: Mongo
) -> None:
    del mariadb, rabbitmq, mongo
    with _stack(tmp_path, "run", "--port", "0") as stack:
        assert stack.stdout
        assert any("Ctrl-C stops it" in line for line in stack.stdout)
        servers = _running_in(tmp_path)
        assert len(servers) >= 3
        stack.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while _running_in(tmp_path):
        assert time.monotonic() < deadline, _running_in(tmp_path)
        time.sleep(0.1)


def _stack(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "knative.local.stack", *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _running_in(directory: Path) -> list[str]:
    """The command lines of processes whose working directory is below this one."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink().is_relative_to(directory / "data"):
                found.append((process / "cmdline").read_text().replace("\0", " ")[:80])
        except OSError:
            continue
    return found
