"""The fixture cluster: what the tests of the local runner share. Its functions are in fixtures/local/function.py."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from knative.local.runner import Local, Options, running
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "tests" / "integration" / "fixtures" / "local"


class Place:
    """A directory for one test: the runner's data, and the file in which the functions note what they see."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.data = directory / "data"
        self._seen = directory / "seen"
        self._seen.touch()
        monkeypatch.setenv("SEEN", str(self._seen))

    @property
    def seen(self) -> list[str]:
        """What the functions noted, in order."""
        return self._seen.read_text().splitlines()

    def events(self, service: str) -> list[dict[str, str]]:
        """The attributes of each delivery to a Service, in order."""
        noted = [json.loads(line) for line in self.seen if line.startswith("{")]
        return [each["attributes"] for each in noted if each["service"] == service]

    def make(self, name: str) -> None:
        """Let the functions that wait for `name` go on."""
        (self.directory / name).touch()

    def remove(self, name: str) -> None:
        """The opposite of make."""
        (self.directory / name).unlink()

    @asynccontextmanager
    async def serving(self, overlay: Path = OVERLAY) -> AsyncIterator[tuple[Local, aiohttp.ClientSession]]:
        """The fixture cluster, or an overlay over it, in this process."""
        async with running(Options(overlay, self.data, port=0)) as local, aiohttp.ClientSession() as session:
            yield local, session

    def overlay(self, **fields: Any) -> Path:
        """An overlay over the fixture cluster, with more fields in its kustomization; JSON is YAML."""
        overlay = self.directory / "overlay"
        overlay.mkdir()
        fields = {"namespace": "audiolift", "resources": [str(OVERLAY)], **fields}
        (overlay / "kustomization.yaml").write_text(json.dumps(fields))
        return overlay

    def with_service(self, name: str, **values: Any) -> Path:
        """An overlay that changes a Service: a/b stands for the field b of the field a of its template."""
        patch = [{"op": "add", "path": f"/spec/template/{path}", "value": value} for path, value in values.items()]
        target = {"kind": "Service", "name": name}
        return self.overlay(patches=[{"target": target, "patch": json.dumps(patch)}])

    @contextmanager
    def runner(self, *arguments: str) -> Iterator[Runner]:
        """The fixture cluster, by `python -m knative.local`, in a process of its own; killed at the end."""
        command = [sys.executable, "-m", "knative.local", str(OVERLAY), "-v", "--port=0", f"--data={self.data}"]
        with subprocess.Popen(
            [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield Runner(process)
            finally:
                process.kill()


class Runner:
    """A runner process that is ready. `addresses` are its listeners by host name."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.addresses = dict(self._announced())

    def _announced(self) -> Iterator[tuple[str, str]]:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if match := re.fullmatch(r"(\S+) is at (\S+)\n", line):
                yield match[1], match[2]
            if "Ctrl-C stops it" in line:
                return
        pytest.fail(f"the runner did not get ready:\n{said}")

    def children(self) -> list[int]:
        """The processes that it started and that are alive."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def peak_memory(self) -> int:
        """In bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    for _ in range(PATIENCE * 50):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"after {PATIENCE} seconds it still did not hold")


async def publish(session: aiohttp.ClientSession, url: str, statuses: list[int], kind: str = "numbers") -> str:
    """Send an event to a broker's ingress that asks to be answered with these statuses; gives its id."""
    event_id = os.urandom(8).hex()
    headers = {"ce-id": event_id, "ce-source": "/test", "ce-type": kind, "ce-specversion": "1.0"}
    async with session.post(url + "/", data=json.dumps(statuses), headers=headers) as answer:
        assert answer.status == 202, await answer.text()
    return event_id
