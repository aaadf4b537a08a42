"""Starts one function in a process of its own, as a cluster does, without the rest of audiolift."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from tests.patience import PATIENCE, eventually
from tests.system import ROOT

__all__ = ["command", "run", "serving"]


def run(module: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a module to its good end."""
    return subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )


def command(name: str) -> list[str]:
    """The command line that serves a function."""
    return [sys.executable, "-m", "functions.shared.server", name]


@contextmanager
def serving(name: str, environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A function that answers, and a client of it. The process is killed at the end, should it still run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        subprocess.Popen(command(name), cwd=ROOT, env={**environment, "PORT": str(port)}) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        try:
            eventually(lambda: process.poll() is not None or not refuses(client), f"{name} answers")
            yield process, client
        finally:
            process.kill()


def refuses(client: httpx.Client) -> bool:
    """Whether nobody takes connections where the client's function listens."""
    with socket.socket() as probe:
        return probe.connect_ex((client.base_url.host, client.base_url.port)) != 0
