"""Blobs in GridFS: what the contract test of all stores cannot see, by looking at the server's side."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import gridfs
import pymongo
import pytest
from pymongo.monitoring import CommandListener, ConnectionPoolListener

from functions.shared.blobs.chunks import CHUNK_BYTES, WINDOW, WRITTEN
from functions.shared.blobs.gridfs import GridFSBlobs
from functions.shared.blobs.interface import DamagedBlob, NoSuchBlob
from functions.shared.problems import Unavailable
from tests.patience import PATIENCE
from tests.servers import Mongo

ROOT = Path(__file__).parents[2]
NAME = "video/" + "a" * 32


class Seen(CommandListener):
    """Notes every command that goes to a server."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def started(self, event: Any) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: Any) -> None:
        """Not needed."""

    def failed(self, event: Any) -> None:
        """Not needed."""

    def named(self, name: str, collection: str) -> list[Any]:
        """The commands of this name on a collection."""
        return [command for command in self.commands if command.get(name) == collection]


class Connections(ConnectionPoolListener):
    """Counts the connections for commands; `most` is how many there were at the same time."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def connection_created(self, event: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def connection_closed(self, event: Any) -> None:
        self.now -= 1

    def _not_needed(self, event: Any) -> None: ...

    pool_created = pool_ready = pool_cleared = pool_closed = connection_ready = _not_needed
    connection_check_out_started = connection_check_out_failed = _not_needed
    connection_checked_out = connection_checked_in = _not_needed


@pytest.fixture
def uri(mongo: Mongo) -> str:
    """A database of its own for each test."""
    base, _, _ = mongo.url.rpartition("/")
    return f"{base}/{uuid.uuid4().hex}"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What the stores that are made after this send."""
    listener = Seen()
    real = pymongo.MongoClient
    monkeypatch.setattr(
        "functions.shared.blobs.gridfs.MongoClient",
        lambda *a, **options: real(*a, event_listeners=[listener], **options),
    )
    return listener


@pytest.fixture
def store(uri: str, seen: Seen) -> Iterator[GridFSBlobs]:
    """An empty store."""
    made = GridFSBlobs(uri)
    yield made
    made.close()


@pytest.fixture
def database(uri: str) -> Iterator[Any]:
    """The same database, by pymongo alone."""
    with pymongo.MongoClient[Any](uri) as client:
        yield client.get_default_database()


def write(store: GridFSBlobs, data: bytes, name: str = NAME) -> None:
    with store.writing(name) as writer:
        for at in range(0, len(data), 100_000):
            writer.write(data[at : at + 100_000])


def test_other_tools_for_gridfs_read_what_was_written(store: GridFSBlobs, database: Any) -> None:
    data = os.urandom(CHUNK_BYTES * 3 + 5)
    write(store, data)
    assert gridfs.GridFSBucket(database).open_download_stream_by_name(NAME).read() == data
    assert database["fs.files"].find_one()["metadata"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_every_write_is_acknowledged_by_a_majority_and_its_journal(store: GridFSBlobs, seen: Seen) -> None:
    write(store, b"x" * 1000)
    written = [command for command in seen.commands if "insert" in command]
    assert written
    assert all(command["writeConcern"] == {"w": "majority", "j": True} for command in written)


def test_chunks_go_out_in_batches_of_bounded_size(store: GridFSBlobs, seen: Seen) -> None:
    write(store, bytes(CHUNK_BYTES * WRITTEN * 2 + 1))
    batches = [len(command["documents"]) for command in seen.named("insert", "fs.chunks")]
    assert batches == [WRITTEN, WRITTEN, 1]


def test_a_range_fetches_only_the_chunks_that_hold_it(store: GridFSBlobs, seen: Seen) -> None:
    data = os.urandom(CHUNK_BYTES * 40)
    write(store, data)
    start, stop = CHUNK_BYTES * 17 + 3, CHUNK_BYTES * 19 + 7
    assert b"".join(store.read(NAME, start, stop)) == data[start:stop]
    queries = [command["filter"]["n"] for command in seen.named("find", "fs.chunks")]
    assert queries == [{"$gte": 17, "$lt": 19}, {"$gte": 19, "$lt": 20}]


def test_a_whole_file_is_copied_in_windows(store: GridFSBlobs, seen: Seen) -> None:
    data = os.urandom(CHUNK_BYTES * 40)
    write(store, data)
    with store.local_file(NAME) as copy:
        assert copy.read_bytes() == data
    queries = [command["filter"]["n"] for command in seen.named("find", "fs.chunks")]
    assert queries == [{"$gte": 0, "$lt": 16}, {"$gte": 16, "$lt": 32}, {"$gte": 32, "$lt": 40}]


def test_what_goes_out_piece_by_piece_is_read_in_small_windows(store: GridFSBlobs, seen: Seen) -> None:
    data = os.urandom(CHUNK_BYTES * 5)
    write(store, data)
    assert b"".join(store.read(NAME, 0, len(data))) == data
    queries = [command["filter"]["n"] for command in seen.named("find", "fs.chunks")]
    assert queries == [{"$gte": 0, "$lt": 2}, {"$gte": 2, "$lt": 4}, {"$gte": 4, "$lt": 5}]


def test_a_damaged_file_is_noticed_when_it_is_copied_whole(store: GridFSBlobs, database: Any) -> None:
    write(store, b"sound" * 1000)
    database["fs.chunks"].update_one({}, {"$set": {"data": b"wrong" * 1000}})
    with pytest.raises(DamagedBlob, match="checksum"), store.local_file(NAME):
        pass


def test_a_missing_chunk_is_noticed_by_every_reader(store: GridFSBlobs, database: Any) -> None:
    write(store, bytes(CHUNK_BYTES * 3))
    database["fs.chunks"].delete_one({"n": 1})
    with pytest.raises(DamagedBlob, match="missing"):
        list(store.read(NAME, 0, CHUNK_BYTES * 3))


def test_a_writer_that_is_killed_leaves_nothing_to_see_and_its_chunks_are_swept(
    store: GridFSBlobs, uri: str, database: Any
) -> None:
    code = (
        "import sys; from functions.shared.blobs.chunks import CHUNK_BYTES, WINDOW\n"
        "from functions.shared.blobs.gridfs import GridFSBlobs\n"
        f"with GridFSBlobs({uri!r}).writing({NAME!r}) as w:\n"
        "    w.write(bytes(CHUNK_BYTES * WINDOW)); print('there', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"there\n"
        writer.kill()
    assert database["fs.chunks"].count_documents({}) == WINDOW
    with pytest.raises(NoSuchBlob):
        store.size(NAME)
    assert list(store.all()) == []

    store.delete_unfinished(datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1))
    assert database["fs.chunks"].count_documents({}) == WINDOW
    store.delete_unfinished(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1))
    assert database["fs.chunks"].count_documents({}) == 0
    assert database["fs.unfinished"].count_documents({}) == 0


def test_what_was_acknowledged_survives_a_power_cut(mongo: Mongo, uri: str, store: GridFSBlobs) -> None:
    if "MONGODB_URI" in os.environ:
        pytest.skip("the mongod of MONGODB_URI is not ours to kill")
    data = os.urandom(CHUNK_BYTES * 5)
    write(store, data)
    mongo.kill()
    with pytest.raises(Unavailable):
        store.ping()
    mongo.start()
    assert b"".join(until_it_answers(store)) == data


def until_it_answers(store: GridFSBlobs) -> list[bytes]:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return list(store.read(NAME, 0, store.size(NAME)))
        except Unavailable:
            assert time.monotonic() < ends
            time.sleep(0.1)


def test_many_threads_share_few_connections(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Connections()
    made = functools.partial(pymongo.MongoClient[Any], event_listeners=[opened])
    monkeypatch.setattr("functions.shared.blobs.gridfs.MongoClient", made)
    store = GridFSBlobs(uri)
    write(store, b"x" * 1000)
    together = threading.Barrier(30)

    def read(_: int) -> bytes:
        together.wait()
        return b"".join(b"".join(store.read(NAME, 0, 1000)) for _ in range(10))

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(read, range(30))) == {b"x" * 10_000}
    store.close()
    assert 1 <= opened.most <= 4


def test_the_url_may_say_how_many_connections_there_are(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr("functions.shared.blobs.gridfs.MongoClient", lambda _uri, **options: said.append(options))
    for query in ("", "?maxpoolsize=7", "?retryWrites=true&waitQueueTimeoutMS=1"):
        with suppress(AttributeError):
            GridFSBlobs(uri + query)
    assert [options.get("maxPoolSize") for options in said] == [4, None, 4]
    assert [options.get("waitQueueTimeoutMS") for options in said] == [10_000, 10_000, None]
