"""The official clients of tus, each as it is: cut off again and again, and with the function killed under them."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from functions.shared.blobs.directory import DirectoryBlobs
from tests.cutting import CuttingProxy
from tests.e2e.inside import function_processes, job_row, rows
from tests.patience import PATIENCE, eventually
from tests.provision import need
from tests.system import Audiolift, User

HERE = Path(__file__).parent
SIZE, CUTS, KILLS = 3_000_017, 6, 3
# tuspy tries everything again but the request that begins an upload, which is smaller than that.
HEAD = 5_000

by_every_client = pytest.mark.parametrize(
    ("script", "options"),
    [
        ("tus.mjs", {}),
        ("tus.mjs", {"chunkSize": 400_000}),
        ("tus.mjs", {"uploadDataDuringCreation": True}),
        ("tus.mjs", {"uploadLengthDeferred": True, "chunkSize": 400_000}),
        ("tus.mjs", {"overridePatchMethod": True}),
        ("uppy.mjs", {}),
        ("uppy.mjs", {"chunkSize": 400_000}),
        ("by_tuspy.py", {"chunk_size": 400_000}),
        ("by_tuspy.py", {"chunk_size": 400_000, "upload_checksum": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Bytes that nobody confuses."""
    (tmp_path / "talk.mp4").write_bytes(random.Random(7).randbytes(SIZE))
    return tmp_path / "talk.mp4"


@by_every_client
def test_a_client_that_is_cut_off_again_and_again_brings_every_byte_once(
    audiolift: Audiolift, user: User, file: Path, script: str, options: dict[str, Any]
) -> None:
    with CuttingProxy(audiolift.url, CUTS, (HEAD, SIZE // CUTS), seed=len(script)) as proxy:
        address = upload(script, f"{proxy.url}/v1/uploads", user, file, options)
        assert proxy.cut == CUTS
    check(audiolift, user, address, file)


@pytest.mark.parametrize(
    ("script", "options"), [("tus.mjs", {"parallelUploads": 3}), ("by_tuspy.py", {"chunk_size": 500_000})], ids=str
)
def test_a_client_whose_function_is_killed_again_and_again_brings_every_byte_once(
    audiolift: Audiolift, user: User, file: Path, script: str, options: dict[str, Any]
) -> None:
    """Through a line that is slow enough for it to be killed in the middle."""
    with CuttingProxy(audiolift.url, 0, (0, 0), seed=0, pause=0.04) as proxy, dying(audiolift, user) as killed:
        address = upload(script, f"{proxy.url}/v1/uploads", user, file, options)
    assert killed
    check(audiolift, user, address, file)


def upload(script: str, endpoint: str, user: User, file: Path, options: dict[str, Any]) -> str:
    """Upload a file by a client in a process of its own. Returns: the address that it has then."""
    arguments = [endpoint, str(user.tokens["access_token"]), str(file), json.dumps(options)]
    ended = subprocess.run(
        [*_program(script), *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def check(audiolift: Audiolift, user: User, address: str, file: Path) -> None:
    """Fail unless the upload is the file, and one job of it was queued, once."""
    job_id = address.rpartition("/")[2]
    job = user.wait(job_id)
    # A job that failed keeps its video. Parts of other uploads have names of their own.
    assert (job["state"], job["filename"]) == ("failed", "talk.mp4")
    row = job_row(audiolift, job_id)
    assert row["video_bytes"] == SIZE
    stored = DirectoryBlobs(str(audiolift.data / "blobs"))
    assert b"".join(stored.read(row["video"], 0, SIZE)) == file.read_bytes()
    queued = "SELECT event_id FROM outbox WHERE job_id = ? AND type = 'dev.audiolift.video.uploaded.v1'"
    assert len(rows(audiolift, queued, job_id)) == 1
    told = rows(audiolift, "SELECT state FROM job_events WHERE job_id = ? AND state = 'queued'", job_id)
    assert len(told) == 1


@contextmanager
def dying(audiolift: Audiolift, user: User) -> Iterator[list[int]]:
    """Kill upload some times once something of the user's comes, each time a moment after it has come back.

    Gives: the processes killed, so far.
    """
    over, chance = threading.Event(), random.Random(3)
    killed: list[int] = []

    def kill() -> None:
        eventually(lambda: user.http.get("/v1/jobs").json()["items"], "an upload under way")
        while len(killed) < KILLS and not over.wait(chance.uniform(0.3, 2.0)):
            for process in set(function_processes(audiolift, "upload")).difference(killed):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)

    thread = threading.Thread(target=kill)
    thread.start()
    yield killed
    over.set()
    thread.join()
    eventually(lambda: user.http.options("/v1/uploads").status_code == 204, "upload is back")


def _program(script: str) -> list[str]:
    """What runs a client; without it the test skips, or fails where CI=true."""
    if script.endswith(".py"):
        there, how = importlib.util.find_spec("tusclient") is not None, "the extra `test` of pyproject.toml"
        command = [sys.executable, str(HERE / script)]
    else:
        there, how = (HERE / "node_modules").exists(), "npm ci --ignore-scripts, in tests/clients"
        command = [need("node"), str(HERE / script)]
    if not there:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"a client is missing: {how}")
    return command
