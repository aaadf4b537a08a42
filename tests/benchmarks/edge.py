"""What a request from outside meets: gateway, login, upload and download, each in its own process, without a runner."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.alone import serving, sign_up, told

__all__ = ["Edge", "cpu_seconds", "edge"]

BEHIND = ("login", "upload", "download")


@dataclass(frozen=True)
class Edge:
    """Where each function listens (host and port), its process, and the header of an account that was made."""

    directory: Path
    addresses: Mapping[str, tuple[str, int]]
    processes: Mapping[str, int]
    signed_in: Mapping[str, str]

    def change(self, statement: str, *parameters: object) -> None:
        """Change rows from outside."""
        with closing(sqlite3.connect(self.directory / "rows.db", timeout=30)) as connection, connection:
            connection.execute(statement, parameters)

    @property
    def blobs(self) -> Path:
        """Where files are kept."""
        return self.directory / "blobs"


@contextmanager
def edge(directory: Path, more: Mapping[str, str]) -> Iterator[Edge]:
    """Serve gateway, login, upload and download with SQLite and a directory, and with the settings `more`."""
    environment = {**told(f"sqlite:///{directory}/rows.db", directory), "LOG_LEVEL": "ERROR", **more}
    with ExitStack() as stack:
        served = {name: stack.enter_context(serving(name, environment)) for name in BEHIND}
        urls = {f"{name.upper()}_URL": str(client.base_url).rstrip("/") for name, (_, client) in served.items()}
        served["gateway"] = stack.enter_context(serving("gateway", {**environment, **urls}))
        yield Edge(
            directory,
            {name: (client.base_url.host, client.base_url.port or 80) for name, (_, client) in served.items()},
            {name: process.pid for name, (process, _) in served.items()},
            sign_up(served["login"][1]),
        )


def cpu_seconds(process: int) -> float:
    """What a process has had of processors, user and system (proc(5), "stat", fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
