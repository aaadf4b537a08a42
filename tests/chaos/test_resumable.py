"""A resumable upload while the store is killed, by two processes that take turns, and put together by one that dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.tables import jobs
from functions.upload.uploads import pieces_of
from tests import engines
from tests.benchmarks.intake import BYTES, Function, serving
from tests.patience import PATIENCE
from tests.servers import Mongo, programs
from tests.system import ROOT

VIDEO = random.Random(9).randbytes(9_000_000)
STEP = 500_000


class Uploader:
    """A client that goes on until all is there, whoever answers."""

    def __init__(self, *ports: int, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
        self._clients = [
            httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE) for port in ports
        ]
        self.answers: list[int] = []

    def __enter__(self) -> Uploader:
        return self

    def __exit__(self, *_error: object) -> None:
        for client in self._clients:
            client.close()

    def create(self, size: int, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._clients[0].post("/v1/uploads", headers={"Upload-Length": str(size), **named})
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def offset(self, path: str, turn: int) -> int | None:
        """How far the upload is, unless nobody can say."""
        with suppress(httpx.TransportError):
            answer = self._clients[turn % len(self._clients)].head(path)
            self.answers.append(answer.status_code)
            return int(answer.headers["Upload-Offset"]) if answer.is_success else None
        return None

    def send(self, path: str, offset: int, turn: int, most: int = STEP) -> None:
        headers = {"Upload-Offset": str(offset), "Content-Type": BYTES}
        with suppress(httpx.TransportError):
            client = self._clients[turn % len(self._clients)]
            body = VIDEO[offset : offset + most]
            self.answers.append(client.patch(path, content=body, headers=headers).status_code)

    def upload(self, path: str, first: int = 0) -> None:
        """All of the video, the next step by the next process."""
        ends, turn = time.monotonic() + PATIENCE, first
        while (offset := self.offset(path, turn)) != len(VIDEO):
            assert time.monotonic() < ends
            turn += 1
            if offset is None:
                time.sleep(0.2)
            else:
                self.send(path, offset, turn)


@contextmanager
def second(function: Function, directory: Path) -> Iterator[Function]:
    """Another process of upload, with the stores and the keys of the first one."""
    environ = dict(
        line.split("=", 1) for line in Path(f"/proc/{function.process}/environ").read_text().split("\0") if line
    )
    port = programs.port()
    command = [sys.executable, "-m", "functions.shared.server", "upload"]
    with subprocess.Popen(command, cwd=ROOT, env={**environ, "PORT": str(port)}) as process:
        try:
            eventually_answers(port)
            yield replace(function, process=process.pid, port=port)
        finally:
            process.terminate()


def eventually_answers(port: int) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE)
            return
        time.sleep(0.1)
    raise TimeoutError(f"nobody answers at {port}")


@contextmanager
def stores(url: str) -> Iterator[None]:
    """The stores, for this process: the database is that of `serving`."""
    before = os.environ.get("BLOBS_URL")
    os.environ["BLOBS_URL"] = url
    blobs.store.cache_clear()
    try:
        yield
    finally:
        blobs.store().close()
        blobs.store.cache_clear()
        os.environ.pop("BLOBS_URL") if before is None else os.environ.update(BLOBS_URL=before)
        engines.leave()


def check(path: str) -> None:
    """The job is queued, once, with the very video."""
    job_id = path.rpartition("/")[2]
    with database.reading() as connection:
        job = connection.execute(jobs.select().where(jobs.c.id == job_id)).one()
        count = connection.execute(sa.text("SELECT count(*) FROM outbox WHERE job_id = :id"), {"id": job_id}).scalar()
    assert (job.state, job.video_bytes, count) == ("queued", len(VIDEO), 1)
    assert b"".join(blobs.store().read(job.video, 0, len(VIDEO))) == VIDEO


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for stores; `serving` sets DATABASE_URL."""
    monkeypatch.setenv("DATABASE_URL", "")
    return tmp_path


def test_an_upload_goes_on_when_its_store_was_killed(base: Path) -> None:
    with Mongo(base / "mongo") as mongo, serving(base, mongo.url) as function, stores(mongo.url), ExitStack() as opened:
        client = opened.enter_context(Uploader(function.port, token=function.token))
        path = client.create(len(VIDEO))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(client.upload, path)
            for share in (0.2, 0.5):
                while (client_offset(path) or 0) < share * len(VIDEO) and not running.done():
                    time.sleep(0.02)
                mongo.kill()
                time.sleep(1)
                mongo.start()
            running.result()
        # It was away for somebody, or nothing was tested.
        assert len(client.answers) > 2 * (len(VIDEO) // STEP)
        check(path)


def client_offset(path: str) -> int | None:
    """How far the upload is, by its row."""
    with database.reading() as connection:
        query = sa.text("SELECT offset_bytes FROM uploads WHERE job_id = :id")
        return connection.execute(query, {"id": path.rpartition("/")[2]}).scalar()


def test_two_processes_serve_one_upload_in_turns_and_at_once(base: Path) -> None:
    url = f"file:{base}/blobs"
    with serving(base) as function, second(function, base) as other, stores(url), ExitStack() as opened:
        client = opened.enter_context(Uploader(function.port, other.port, token=function.token))
        in_turns = client.create(len(VIDEO))
        client.upload(in_turns)
        assert set(client.answers) == {200, 204}
        check(in_turns)

        at_once = client.create(len(VIDEO))
        ports = (function.port, other.port)
        rivals = [opened.enter_context(Uploader(*ports, token=function.token)) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: rivals[number].upload(at_once, number), range(2)))
        # One wins, the other is told; what was told to nobody is that an offset or a size is wrong.
        assert set(rivals[0].answers + rivals[1].answers) <= {200, 204, 409, 423}
        check(at_once)


DYING = """
import os, signal, sys
from functions.upload import concatenation, metadata
from tests.chaos.dying import tracer
user_id, concat, place = sys.argv[1:4]
steps = []
def reached(where):
    steps.append(where) if where not in steps else None
    if place != "-" and len(steps) == int(place) + 1:
        os.kill(os.getpid(), signal.SIGKILL)
parts = [each.rpartition("/")[2] for each in concat.removeprefix("final;").split()]
sys.settrace(tracer(("functions/upload/concatenation.py", "functions/shared/outbox.py"), reached))
concatenation.concatenate(user_id, ("a.mp4", {}), "", concat, parts)
sys.settrace(None)
print(len(steps))
"""


def test_wherever_who_puts_parts_together_dies_it_is_done_once(base: Path) -> None:
    url = f"file:{base}/blobs"
    with serving(base) as function, stores(url), Uploader(function.port, token=function.token) as client:
        died = 0
        count = int(concatenated(function, client, "-").stdout)
        # A dozen of them, evenly spread, for time.
        for number in range(0, count, max(1, count // 12)):
            died += concatenated(function, client, str(number)).returncode == -signal.SIGKILL
        assert died >= 10


def concatenated(function: Function, client: Uploader, place: str) -> subprocess.CompletedProcess[str]:
    """Two parts, put together by a process that dies at a place, and then by one that does not."""
    half = len(VIDEO) // 2
    parts = []
    for start in (0, half):
        part = client.create(half, Upload_Concat="partial")
        headers = {"Upload-Offset": "0", "Content-Type": BYTES}
        answer = client._clients[0].patch(part, content=VIDEO[start : start + half], headers=headers)
        assert answer.status_code == 204
        parts.append(part)
    concat = f"final;{' '.join(parts)}"
    with database.reading() as connection:
        query = sa.select(jobs.c.user_id).where(jobs.c.id == parts[0].rpartition("/")[2])
        user_id = connection.execute(query).scalar()
    command = [sys.executable, "-c", DYING, str(user_id), concat, place]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    again = client._clients[0].post("/v1/uploads", headers={"Upload-Concat": concat})
    assert again.status_code == 201, again.text
    path = again.headers["Location"]
    assert client.offset(path, 0) == len(VIDEO)
    check(path)
    assert len(pieces_of(path.rpartition("/")[2])) >= 2
    return ended
