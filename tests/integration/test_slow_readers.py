"""As many slow readers as download takes at a time, against memory and connections that it gets: MariaDB, GridFS."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from functions.shared import blobs, database, tokens
from functions.shared.jobs import names
from functions.shared.jobs.states import State
from functions.shared.tables import jobs
from knative.local import kustomize
from tests import engines
from tests.e2e.alone import serving, told
from tests.e2e.inside import peak_rss
from tests.patience import PATIENCE
from tests.servers import MariaDB, Mongo
from tests.unit import rows

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1024 * 1024
MP3_BYTES = 24 * MEBIBYTE


@pytest.fixture
def environment(
    mongo: Mongo, mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """What download is told; the test's own process finds the same stores."""
    blobs_url = f"{mongo.url.rpartition('/')[0]}/{uuid.uuid4().hex}"
    made = {**told(mariadb.create(f"slow_{uuid.uuid4().hex}"), tmp_path), "BLOBS_URL": blobs_url}
    for name in ("DATABASE_URL", "BLOBS_URL", "LINK_SECRET"):
        monkeypatch.setenv(name, made[name])
    database.engine.cache_clear()
    blobs.store.cache_clear()
    yield made
    blobs.store().close()
    engines.leave()
    blobs.store.cache_clear()


def test_as_many_slow_readers_as_download_takes_fit_into_its_memory_and_its_connections(
    environment: dict[str, str],
) -> None:
    readers, limit_bytes = bounds()
    link = link_to_an_mp3()
    with serving("download", environment) as (process, client), ExitStack() as stack:
        for _ in range(readers):
            stack.enter_context(closing(reader(client, link)))
        # What the last ones lead to may still be under way.
        time.sleep(1)
        print(f"{readers} readers: {peak_rss(process.pid) / MEBIBYTE:.0f} MiB, {connections()} connections")
        assert peak_rss(process.pid) < limit_bytes
        assert connections() <= database.CONNECTIONS + database.CHECKING_CONNECTIONS


def bounds() -> tuple[int, int]:
    """How many requests a pod of download takes at a time, and the memory that it gets, in bytes."""
    services = [each for each in kustomize.render(ROOT / "knative" / "base") if each["kind"] == "Service"]
    (spec,) = [each["spec"]["template"]["spec"] for each in services if each["metadata"]["name"] == "download"]
    memory = spec["containers"][0]["resources"]["limits"]["memory"]
    return spec["containerConcurrency"], int(memory.removesuffix("Mi")) * MEBIBYTE


def connections() -> int:
    """How many there are to the database, without that which asks."""
    others = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    with database.reading() as connection:
        return int(connection.execute(sa.text(others)).scalar_one())


def link_to_an_mp3() -> str:
    """The path by which anybody reads the MP3 of a job that is done."""
    job = rows.job(State.DONE, audio_bytes=MP3_BYTES, audio_sha256="ab" * 32)
    rows.change(jobs, jobs.c.id == job, audio=names.audio(job, 1))
    with blobs.store().writing(names.audio(job, 1)) as writer:
        for _ in range(MP3_BYTES // MEBIBYTE):
            writer.write(bytes(MEBIBYTE))
    return f"/v1/files/{tokens.link(tokens.Link(job), time.time() + 3600)}"


def reader(client: httpx.Client, path: str) -> socket.socket:
    """Somebody who asks for a file, and takes only the beginning of it."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.settimeout(PATIENCE)
    made.connect((client.base_url.host, client.base_url.port))
    made.sendall(f"GET {path} HTTP/1.1\r\nHost: download\r\n\r\n".encode())
    assert made.recv(64).startswith(b"HTTP/1.1 200 ")
    return made
