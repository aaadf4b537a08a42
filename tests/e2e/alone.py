"""One function in a process of its own, as a cluster runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.patience import PATIENCE, eventually
from tests.servers import programs
from tests.system import PASSWORD, ROOT

__all__ = ["allocator", "command", "run", "serving", "sign_up", "told"]


def allocator() -> dict[str, str]:
    """What the manifests tell the C library of every function's process."""
    config = yaml.safe_load((ROOT / "knative" / "base" / "config.yaml").read_text())
    return {name: value for name, value in config["data"].items() if name.startswith("MALLOC_")}


def told(database_url: str, data: Path) -> dict[str, str]:
    """What a cluster tells every function: stores, with tables; keys; and no sink."""
    keys = run("functions.login.keys", os.environ).stdout
    tokens = {name.upper().replace("-", "_"): value for name, value in json.loads(keys).items()}
    stores = {"DATABASE_URL": database_url, "BLOBS_URL": f"file://{data}/blobs", "SMTP_URL": f"file://{data}/mail"}
    everything = {**os.environ, **allocator(), **tokens, **stores, "HOST": "127.0.0.1"}
    run("functions.shared.migrate", everything)
    return everything


def run(module: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a module to its good end."""
    return subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )


def command(name: str) -> list[str]:
    """The command line that serves a function."""
    return [sys.executable, "-m", "functions.shared.server", name]


@contextmanager
def serving(
    name: str, environment: Mapping[str, str], most_files: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A function that answers, and a client of it. The process is killed at the end, should it still run.

    It may have `most_files` open, connections among them.
    """
    limited = ["sh", "-c", f'ulimit -n {most_files}; exec "$@"', "sh"] if most_files else []
    port = programs.port()
    with (
        subprocess.Popen([*limited, *command(name)], cwd=ROOT, env={**environment, "PORT": str(port)}) as process,
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


def sign_up(login: httpx.Client) -> dict[str, str]:
    """A new account by the login function alone. Returns: the header that its requests carry."""
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    login.post("/v1/users", json=account).raise_for_status()
    tokens = login.post("/v1/token", auth=(account["email"], PASSWORD)).raise_for_status().json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}
