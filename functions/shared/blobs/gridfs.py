"""Blobs in MongoDB, in the layout of GridFS, so that every tool for GridFS reads them.

https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md

pymongo's own classes for it are not used: its writer holds 48 MB in memory, and its reader makes some servers hold a
whole file.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

import pymongo
from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient, WriteConcern
from pymongo.errors import PyMongoError

from functions.shared.blobs.chunks import CHUNK_BYTES, WINDOW, ChunkReader, ChunkWriter, answering
from functions.shared.blobs.interface import DamagedBlob, NoSuchBlob, Piece, Reader, Stored, checked
from functions.shared.blobs.joined import JoinedReader, Pieces
from functions.shared.problems import Unavailable
from functions.shared.table_types import now

__all__ = ["GridFSBlobs"]

# Chunks that `read` takes in one query, and holds for as long as its caller is slow. download has hundreds of callers
# at a time: tests/contract/test_capacity.py holds this against its memory.
STREAM_WINDOW = 2
DATABASE = "audiolift"
# What the URI may say otherwise. pymongo would open up to a hundred connections in each pod, and has a thread wait for
# one for ever. It opens two more to each server, to watch it.
POOL = {"maxPoolSize": 4, "waitQueueTimeoutMS": 10_000, "serverSelectionTimeoutMS": 5000}
CHECK_SECONDS = 5
# How often a writer says that it lives: sweep takes one that is silent for UPLOAD_GRACE_SECONDS for dead.
RENEW_SECONDS = 600
_NOT_SWEPT = {"swept": {"$exists": False}}

Document = dict[str, Any]


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
    def writing(self, name: str) -> Iterator[ChunkWriter]:
        """Chunks in batches of about a mebibyte, then the file's document; an older file of the name is hidden then."""
        file_id = self._begin(checked(name))
        try:
            with ChunkWriter(self._chunks, file_id, self._renewing(file_id)) as writer:
                yield writer
                writer.flush()
        except BaseException:
            self._forget(file_id)
            raise
        content = {"length": writer.size_bytes, "chunkSize": writer.chunk_bytes}
        self._finish(file_id, name, {**content, "metadata": {"sha256": writer.sha256()}})

    def join(self, name: str, pieces: Sequence[Piece]) -> None:
        """A file's document without chunks, which lists them in its metadata."""
        file_id = self._begin(checked(name))
        length = sum(piece.size_bytes for piece in pieces)
        metadata = {"pieces": [list(piece) for piece in pieces]}
        self._finish(file_id, name, {"length": length, "chunkSize": CHUNK_BYTES, "metadata": metadata})

    def size(self, name: str) -> int:
        """The size in bytes."""
        return int(self._file(name)["length"])

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Pieces of 255 KiB at the most; only the chunks that hold the range are fetched, two in a query."""
        document = self._file(name)
        if pieces := _pieces_of(document):
            return (data for span in pieces.spans(start, stop) for data in self.read(*span))
        return self._pieces(document, start, stop, STREAM_WINDOW)

    @contextmanager
    def reading(self, name: str) -> Iterator[Reader]:
        """Only the chunks that are asked for, and those that come next when it is read from end to end."""
        document = self._file(name)
        if pieces := _pieces_of(document):
            with closing(JoinedReader(pieces, self.reading)) as joined:
                yield joined
        else:
            yield ChunkReader(functools.partial(self._window, document), document["length"], document["chunkSize"])

    @contextmanager
    def local_file(self, name: str, watch: Callable[[], object] = lambda: None) -> Iterator[Path]:
        """A copy in a temporary file, compared with the checksum that was stored with it, or with each piece."""
        document = self._file(name)
        pieces = _pieces_of(document)
        with tempfile.NamedTemporaryFile(prefix="blob-") as copy:
            for each in map(self._file, pieces.names) if pieces else (document,):
                self._copy(each, copy, watch)
            copy.flush()
            yield Path(copy.name)

    def delete(self, name: str, *, with_pieces: bool = True) -> None:
        """Remove every file of the name: the document first, so that no reader meets half of it."""
        with answering():
            for document in self._files.find({"filename": checked(name)}, {"metadata.pieces": 1}):
                pieces = _pieces_of(document) if with_pieces else None
                self._remove(document["_id"])
                for piece in pieces.names if pieces else ():
                    self.delete(piece)

    def all(self) -> Iterator[Stored]:
        """Every file that has its document."""
        with answering():
            for document in self._files.find({}, {"filename": 1, "length": 1, "uploadDate": 1}):
                yield Stored(document["filename"], document["length"], document["uploadDate"])

    def delete_unfinished(self, before: datetime) -> None:
        """Remove the chunks of writers that never came to write the file's document."""
        with answering():
            for marker in self._unfinished.find({"since": {"$lt": before}}):
                # First, so that a writer that was only slow finds out, at the latest when it has written all.
                self._unfinished.update_one({"_id": marker["_id"]}, {"$set": {"swept": True}})
                if self._files.find_one({"_id": marker["_id"]}) is None:
                    self._chunks.delete_many({"files_id": marker["_id"]})
                self._unfinished.delete_one({"_id": marker["_id"]})

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def ping(self) -> None:
        """The server answers."""
        with answering(), pymongo.timeout(CHECK_SECONDS):
            self._files.database.command("ping")

    def _begin(self, name: str) -> ObjectId:
        file_id = ObjectId()
        with answering():
            self._ensure_indexes()
            self._unfinished.insert_one({"_id": file_id, "filename": name, "since": now()})
        return file_id

    def _finish(self, file_id: ObjectId, name: str, content: Document) -> None:
        document = {"_id": file_id, "uploadDate": now(), "filename": name, **content}
        with answering():
            self._files.insert_one(document)
            if not self._unfinished.delete_one({"_id": file_id, **_NOT_SWEPT}).deleted_count:
                self._remove(file_id)
                raise _swept()
            for older in self._files.find({"filename": name, "_id": {"$ne": file_id}}, {"_id": 1}):
                self._hide(older["_id"])

    def _renewing(self, file_id: ObjectId) -> Callable[[], None]:
        """What to call while a file is written. It raises Unavailable when sweep has taken its writer for dead."""
        renewed = time.monotonic()

        def renew() -> None:
            nonlocal renewed
            if time.monotonic() < renewed + RENEW_SECONDS:
                return
            with answering():
                since = {"$set": {"since": now()}}
                if not self._unfinished.update_one({"_id": file_id, **_NOT_SWEPT}, since).matched_count:
                    raise _swept()
            renewed = time.monotonic()

        return renew

    def _forget(self, file_id: ObjectId) -> None:
        # What cannot be removed now has its marker, which sweep follows.
        try:
            self._chunks.delete_many({"files_id": file_id})
            self._unfinished.delete_one({"_id": file_id})
        except PyMongoError:
            pass

    def _hide(self, file_id: ObjectId) -> None:
        """Let nobody find the file any more; who reads it goes on. Its marker has sweep remove the chunks later."""
        self._unfinished.replace_one({"_id": file_id}, {"since": now()}, upsert=True)
        self._files.delete_one({"_id": file_id})

    def _remove(self, file_id: ObjectId) -> None:
        self._hide(file_id)
        self._chunks.delete_many({"files_id": file_id})
        self._unfinished.delete_one({"_id": file_id})

    def _file(self, name: str) -> Document:
        with answering():
            document = self._files.find_one({"filename": checked(name)}, sort=[("uploadDate", DESCENDING)])
        if document is None:
            raise NoSuchBlob(name)
        return document

    def _copy(self, document: Document, copy: IO[bytes], watch: Callable[[], object]) -> None:
        digest = hashlib.sha256()
        for data in self._pieces(document, 0, document["length"], WINDOW):
            digest.update(data)
            copy.write(data)
            watch()
        if digest.hexdigest() != document["metadata"]["sha256"]:
            raise DamagedBlob(f"{document['filename']}: its checksum does not match")

    def _pieces(self, document: Document, start: int, stop: int, window: int) -> Iterator[bytes]:
        chunk_bytes, stop = document["chunkSize"], min(stop, document["length"])
        end = -(-stop // chunk_bytes)
        for first in range(start // chunk_bytes, end, window):
            for n, data in self._window(document, first, min(first + window, end)):
                at = n * chunk_bytes
                yield data[max(start - at, 0) : stop - at]

    def _window(self, document: Document, first: int, end: int) -> list[tuple[int, bytes]]:
        query = {"files_id": document["_id"], "n": {"$gte": first, "$lt": end}}
        with answering():
            found = [(chunk["n"], bytes(chunk["data"])) for chunk in self._chunks.find(query).sort("n", ASCENDING)]
        if [n for n, _ in found] != list(range(first, end)):
            raise DamagedBlob(f"{document['filename']}: chunks are missing")
        return found

    def _ensure_indexes(self) -> None:
        if not self._indexed:
            self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
            self._files.create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
            self._indexed = True


def _pieces_of(document: Document) -> Pieces | None:
    """What a joined file is made of; None for one that is not."""
    listed = document.get("metadata", {}).get("pieces")
    return None if listed is None else Pieces([Piece(*each) for each in listed])


def _swept() -> Unavailable:
    return Unavailable("sweep has taken the writer of a file for dead")


def _unsaid(uri: str) -> dict[str, Any]:
    said = {name.lower() for name, _ in parse_qsl(urlsplit(uri).query)}
    return {name: value for name, value in POOL.items() if name.lower() not in said}
