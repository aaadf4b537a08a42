"""A store without room: 507, and nothing half-made; a resumable upload goes on from where it was once there is room."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure, PyMongoError

from functions.shared import blobs
from functions.shared.blobs.chunks import answering
from functions.shared.problems import StoreFull, Unavailable
from tests.unit import rows
from tests.unit.sink import Sink
from tests.unit.tus_client import Client, content_of

VIDEO = random.Random(1).randbytes(3_000_000)
PIECES = [VIDEO[start : start + 60_000] for start in range(0, len(VIDEO), 60_000)]


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of blobs on a disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small disk takes root, and the right to mount")
    monkeypatch.setenv("BLOBS_URL", f"file:{disk}/blobs")
    blobs.store.cache_clear()
    yield disk
    blobs.store.cache_clear()
    subprocess.run(["umount", disk], check=True)


@pytest.fixture
def client(small_disk: Path, tables: None, secrets: dict[str, str], sink: Sink) -> Client:
    """Somebody who uploads."""
    return Client()


def test_a_plain_upload_leaves_nothing_behind(client: Client, small_disk: Path) -> None:
    answer = client.ask("POST", "/v1/jobs", PIECES, Content_Type="video/mp4")
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "storage-full")
    assert answer.headers["retry-after"] == "60"
    assert rows.jobs_of(client.user_id) == []
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []


def test_a_resumable_upload_goes_on_once_there_is_room(client: Client, small_disk: Path, sink: Sink) -> None:
    path = client.create(len(VIDEO), VIDEO[:500_000])
    answer = client.patch(path, 500_000, [VIDEO[500_000:1_500_000], VIDEO[1_500_000:]])
    assert (answer.status, json.loads(answer.body)["code"]) == (507, "storage-full")
    assert answer.headers["tus-resumable"] == "1.0.0"
    reached = client.offset(path)
    assert 500_000 <= reached < len(VIDEO)
    assert content_of(path) == VIDEO[:reached]
    assert list((small_disk / "blobs" / "unfinished").glob("*")) == []
    subprocess.run(["mount", "-o", "remount,size=9m", small_disk], check=True)
    assert client.patch(path, reached, VIDEO[reached:]).status == 204
    assert (content_of(path), sink.types()) == (VIDEO, ["video.uploaded"])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (lambda: OperationFailure("disk full", 14031), StoreFull),
        (lambda: BulkWriteError({"writeErrors": [{"code": 14031, "errmsg": "x"}]}), StoreFull),
        (lambda: OperationFailure("you are over your space quota, using 512 MB of 512 MB", 8000), StoreFull),
        (lambda: AutoReconnect("28: No space left on device"), StoreFull),
        (lambda: AutoReconnect("connection closed"), Unavailable),
        (lambda: OperationFailure("not authorized", 13), Unavailable),
    ],
    ids=["code", "batch", "atlas", "errno", "away", "refused"],
)
def test_mongodb_says_that_it_is_full_in_several_ways(
    error: Callable[[], PyMongoError], kind: type[Unavailable]
) -> None:
    with pytest.raises(Unavailable) as caught, answering():
        raise error()
    assert type(caught.value) is kind
