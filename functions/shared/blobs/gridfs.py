"""Blobs in MongoDB, in the layout of GridFS, so that every tool for GridFS reads them.

https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md

pymongo's own classes for it are not used: its writer holds 48 MB in memory, and its reader makes some servers hold a
whole file.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pymongo
from bson import Binary, ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient, WriteConcern
from pymongo.errors import PyMongoError

from functions.shared.blobs.interface import DamagedBlob, NoSuchBlob, Stored, checked
from functions.shared.problems import Unavailable

__all__ = ["GridFSBlobs"]

CHUNK_BYTES = 255 * 1024
# Chunks that are written in one go, or read in one query.
WINDOW = 16
# Chunks that `read` takes in one query, and holds for as long as its caller is slow. download has hundreds of callers
# at a time: tests/contract/test_capacity.py holds this against its memory.
STREAM_WINDOW = 2
# Chunks that a reader keeps: what is read twice is seldom far apart.
CACHED = 2 * WINDOW
DATABASE = "audiolift"
# What the URI may say otherwise. pymongo would open up to a hundred connections in each pod, and has a thread wait for
# one for ever. It opens two more to each server, to watch it.
POOL = {"maxPoolSize": 4, "waitQueueTimeoutMS": 10_000, "serverSelectionTimeoutMS": 5000}
CHECK_SECONDS = 5

Document = dict[str, Any]


class _Writer:
    def __init__(self, chunks: Any, file_id: ObjectId) -> None:
        self._chunks = chunks
        self._file_id = file_id
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._written = 0
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._pending += data
        self.size_bytes += len(data)
        while len(self._pending) >= CHUNK_BYTES * WINDOW:
            self._insert(CHUNK_BYTES * WINDOW)

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Write what is left, the last chunk not full."""
        if self._pending:
            self._insert(len(self._pending))

    def _insert(self, count: int) -> None:
        pieces = [bytes(self._pending[at : min(at + CHUNK_BYTES, count)]) for at in range(0, count, CHUNK_BYTES)]
        documents = [
            {"files_id": self._file_id, "n": self._written + n, "data": Binary(piece)} for n, piece in enumerate(pieces)
        ]
        with _answering():
            self._chunks.insert_many(documents)
        del self._pending[:count]
        self._written += len(documents)


class _Reader:
    """Reads chunks; from the second neighbour on, a whole window ahead."""

    def __init__(self, window: Callable[[int, int], list[tuple[int, bytes]]], size: int, chunk_bytes: int) -> None:
        self._window, self._chunk_bytes = window, chunk_bytes
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1
        self.size = size

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        return b"".join([piece for start, length in ranges for piece in self._pieces(start, start + length)])

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            n, offset = divmod(start, self._chunk_bytes)
            piece = self._chunk(n, -(-stop // self._chunk_bytes))[offset : offset + stop - start]
            start += len(piece)
            yield piece

    def _chunk(self, n: int, end: int) -> bytes:
        if n not in self._cache:
            ahead = n + WINDOW if n == self._next else min(end, n + WINDOW)
            for number, data in self._window(n, min(ahead, -(-self.size // self._chunk_bytes))):
                self._cache[number] = data
                self._next = number + 1
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        self._cache.move_to_end(n)
        return self._cache[n]


class GridFSBlobs:
    """Keeps the contract of `interface.Blobs` in the bucket `fs` of the URI's database (audiolift if it names none).

    A file is there once its document in fs.files is, which is written last. Until then, fs.unfinished tells of it.
    """

    def __init__(self, uri: str) -> None:
        self._client: MongoClient[Document] = MongoClient(uri, tz_aware=True, **_unsaid(uri))
        safe = WriteConcern(w="majority", j=True)
        database = self._client.get_default_database(DATABASE).with_options(write_concern=safe)
        self._files, self._chunks, self._unfinished = (
            database["fs.files"],
            database["fs.chunks"],
            database["fs.unfinished"],
        )
        self._indexed = False

    @contextmanager
    def writing(self, name: str) -> Iterator[_Writer]:
        """Chunks in batches of 4 MiB, then the file's document; an older file of the name is hidden after that."""
        file_id = self._begin(checked(name))
        writer = _Writer(self._chunks, file_id)
        try:
            yield writer
            writer.flush()
        except BaseException:
            self._forget(file_id)
            raise
        self._finish(file_id, name, writer)

    def size(self, name: str) -> int:
        """The size in bytes."""
        return int(self._file(name)["length"])

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Pieces of 255 KiB at the most; only the chunks that hold the range are fetched, two in a query."""
        return self._pieces(self._file(name), start, stop, STREAM_WINDOW)

    @contextmanager
    def reading(self, name: str) -> Iterator[_Reader]:
        """Only the chunks that are asked for, and those that come next when it is read from end to end."""
        document = self._file(name)
        yield _Reader(functools.partial(self._window, document), document["length"], document["chunkSize"])

    @contextmanager
    def local_file(self, name: str, watch: Callable[[], object] = lambda: None) -> Iterator[Path]:
        """A copy in a temporary file, compared with the checksum that was stored with it."""
        document = self._file(name)
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(prefix="blob-") as copy:
            for piece in self._pieces(document, 0, document["length"], WINDOW):
                digest.update(piece)
                copy.write(piece)
                watch()
            copy.flush()
            if digest.hexdigest() != document["metadata"]["sha256"]:
                raise DamagedBlob(f"{name}: its checksum does not match")
            yield Path(copy.name)

    def delete(self, name: str) -> None:
        """Remove every file of the name: the document first, so that no reader meets half of it."""
        with _answering():
            for document in self._files.find({"filename": checked(name)}, {"_id": 1}):
                self._remove(document["_id"])

    def all(self) -> Iterator[Stored]:
        """Every file that has its document."""
        with _answering():
            for document in self._files.find({}, {"filename": 1, "length": 1, "uploadDate": 1}):
                yield Stored(document["filename"], document["length"], document["uploadDate"])

    def delete_unfinished(self, before: datetime) -> None:
        """Remove the chunks of writers that never came to write the file's document."""
        with _answering():
            for marker in self._unfinished.find({"since": {"$lt": before}}):
                if self._files.find_one({"_id": marker["_id"]}) is None:
                    self._chunks.delete_many({"files_id": marker["_id"]})
                self._unfinished.delete_one({"_id": marker["_id"]})

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def ping(self) -> None:
        """The server answers."""
        with _answering(), pymongo.timeout(CHECK_SECONDS):
            self._files.database.command("ping")

    def _begin(self, name: str) -> ObjectId:
        file_id = ObjectId()
        with _answering():
            self._ensure_indexes()
            self._unfinished.insert_one({"_id": file_id, "filename": name, "since": datetime.now(UTC)})
        return file_id

    def _finish(self, file_id: ObjectId, name: str, writer: _Writer) -> None:
        document = {
            "_id": file_id,
            "length": writer.size_bytes,
            "chunkSize": CHUNK_BYTES,
            "uploadDate": datetime.now(UTC),
            "filename": name,
            "metadata": {"sha256": writer.sha256()},
        }
        with _answering():
            self._files.insert_one(document)
            self._unfinished.delete_one({"_id": file_id})
            for older in self._files.find({"filename": name, "_id": {"$ne": file_id}}, {"_id": 1}):
                self._hide(older["_id"])

    def _forget(self, file_id: ObjectId) -> None:
        # What cannot be removed now has its marker, which sweep follows.
        try:
            self._chunks.delete_many({"files_id": file_id})
            self._unfinished.delete_one({"_id": file_id})
        except PyMongoError:
            pass

    def _hide(self, file_id: ObjectId) -> None:
        """Let nobody find the file any more; who reads it goes on. Its marker has sweep remove the chunks later."""
        self._unfinished.replace_one({"_id": file_id}, {"since": datetime.now(UTC)}, upsert=True)
        self._files.delete_one({"_id": file_id})

    def _remove(self, file_id: ObjectId) -> None:
        self._hide(file_id)
        self._chunks.delete_many({"files_id": file_id})
        self._unfinished.delete_one({"_id": file_id})

    def _file(self, name: str) -> Document:
        with _answering():
            document = self._files.find_one({"filename": checked(name)}, sort=[("uploadDate", DESCENDING)])
        if document is None:
            raise NoSuchBlob(name)
        return document

    def _pieces(self, document: Document, start: int, stop: int, window: int) -> Iterator[bytes]:
        chunk_bytes, stop = document["chunkSize"], min(stop, document["length"])
        end = -(-stop // chunk_bytes)
        for first in range(start // chunk_bytes, end, window):
            for n, data in self._window(document, first, min(first + window, end)):
                at = n * chunk_bytes
                yield data[max(start - at, 0) : stop - at]

    def _window(self, document: Document, first: int, end: int) -> list[tuple[int, bytes]]:
        query = {"files_id": document["_id"], "n": {"$gte": first, "$lt": end}}
        with _answering():
            found = [(chunk["n"], bytes(chunk["data"])) for chunk in self._chunks.find(query).sort("n", ASCENDING)]
        if [n for n, _ in found] != list(range(first, end)):
            raise DamagedBlob(f"{document['filename']}: chunks are missing")
        return found

    def _ensure_indexes(self) -> None:
        if not self._indexed:
            self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
            self._files.create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
            self._indexed = True


def _unsaid(uri: str) -> dict[str, Any]:
    said = {name.lower() for name, _ in parse_qsl(urlsplit(uri).query)}
    return {name: value for name, value in POOL.items() if name.lower() not in said}


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise Unavailable(f"MongoDB does not answer: {error}") from error
