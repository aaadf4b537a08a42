"""What every blob store keeps to, whatever it is made of."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymongo
import pytest

from functions.shared import blobs
from functions.shared.blobs import Blobs, NoSuchBlob, Piece
from functions.shared.blobs.directory import DirectoryBlobs
from functions.shared.problems import Unavailable
from tests.servers import Mongo

ROOT = Path(__file__).resolve().parents[2]
NAME, OTHER, PART = "video/" + "a" * 32, "audio/" + "b" * 32 + ".7", "part/" + "c" * 32 + ".7.0"
MEBIBYTE = 1024 * 1024
CONTENT = bytes(range(256)) * 4096

BAD_NAMES = [
    "",
    "video",
    "video/",
    "/etc/passwd",
    "video/../../etc/passwd",
    "video/" + "a" * 31,
    "video/" + "a" * 33,
    "video/" + "A" * 32,
    "video/" + "g" * 32,
    "image/" + "a" * 32,
    "part/" + "a" * 32,
    "part/" + "a" * 32 + ".1",
    "piece/" + "a" * 32 + ".1",
    "joined/video/" + "a" * 32,
    "../video/" + "a" * 32,
    "video/" + "a" * 32 + "/x",
    "video/" + "a" * 32 + ".",
    "video/" + "a" * 32 + ".1.2",
    "audio/" + "a" * 32 + ".-1",
    "video/" + "a" * 32 + "\n",
    "video/" + "a" * 32 + "\x00",
    "video\\" + "a" * 32,
]


@pytest.fixture(params=["directory", "gridfs"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """BLOBS_URL of an empty store, for each kind of store."""
    if request.param == "directory":
        return f"file://{tmp_path / 'data' / 'blobs'}"
    mongo: Mongo = request.getfixturevalue("mongo")
    return f"{mongo.url.rpartition('/')[0]}/{uuid.uuid4().hex}"


@pytest.fixture
def store(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Blobs]:
    monkeypatch.setenv("BLOBS_URL", url)
    blobs.store.cache_clear()
    yield blobs.store()
    blobs.store().close()
    blobs.store.cache_clear()


class TestBlobs:
    """The contract of functions/shared/blobs/interface.py."""

    @pytest.mark.parametrize("size", [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * MEBIBYTE + 7])
    def test_what_is_read_is_what_was_written(self, store: Blobs, size: int) -> None:
        content = (CONTENT * 4)[:size]
        write(store, NAME, content)
        assert store.size(NAME) == size
        assert read(store, NAME) == content

    def test_a_writer_tells_size_and_digest_as_it_goes(self, store: Blobs) -> None:
        with store.writing(NAME) as writer:
            assert (writer.size_bytes, writer.sha256()) == (0, hashlib.sha256(b"").hexdigest())
            writer.write(b"abc")
            writer.write(b"")
            writer.write(b"def")
            assert writer.size_bytes == 6
        assert writer.sha256() == hashlib.sha256(b"abcdef").hexdigest()

    def test_nothing_is_seen_before_the_whole_is_there(self, store: Blobs) -> None:
        with store.writing(NAME) as writer:
            writer.write(CONTENT)
            assert list(store.all()) == []
            with pytest.raises(NoSuchBlob):
                store.size(NAME)
        assert [blob.name for blob in store.all()] == [NAME]

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_nothing_is_kept_when_the_writer_raises(self, store: Blobs, error: type[BaseException]) -> None:
        def fail() -> None:
            with store.writing(NAME) as writer:
                writer.write(CONTENT)
                raise error

        with pytest.raises(error):
            fail()
        assert list(store.all()) == []
        with pytest.raises(NoSuchBlob):
            store.read(NAME, 0, 1)

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (0, 1),
            (0, MEBIBYTE),
            (1, 2),
            (255 * 1024, 257 * 1024),
            (261_119, 261_121),
            (261_120, 522_240),
            (MEBIBYTE - 1, MEBIBYTE),
            (5, 5),
            (100, 10),
            (MEBIBYTE, MEBIBYTE + 10),
            (MEBIBYTE - 3, MEBIBYTE + 10),
            (2 * MEBIBYTE, 3 * MEBIBYTE),
        ],
    )
    def test_any_range_can_be_read(self, store: Blobs, start: int, stop: int) -> None:
        write(store, NAME, CONTENT)
        assert b"".join(store.read(NAME, start, stop)) == CONTENT[start:stop]

    def test_pieces_are_of_bounded_size(self, store: Blobs) -> None:
        write(store, NAME, CONTENT * 4)
        assert max(map(len, store.read(NAME, 0, 4 * MEBIBYTE))) <= MEBIBYTE

    def test_reading_and_writing_need_no_memory_for_the_whole(self, store: Blobs) -> None:
        write(store, OTHER, b"warm")
        read(store, OTHER)
        tracemalloc.start()
        with store.writing(NAME) as writer:
            for _ in range(64):
                writer.write(CONTENT)
        assert sum(len(piece) for piece in store.read(NAME, 0, 64 * MEBIBYTE)) == 64 * MEBIBYTE
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 24 * MEBIBYTE

    def test_of_two_writers_of_one_name_each_leaves_a_whole(self, store: Blobs) -> None:
        with store.writing(NAME) as first:
            first.write(b"first")
            with store.writing(NAME) as second:
                second.write(b"the second")
            assert read(store, NAME) == b"the second"
            first.write(b" and last")
        assert read(store, NAME) in (b"first and last", b"the second")
        assert [blob.name for blob in store.all()] == [NAME]

    def test_who_reads_a_blob_while_it_is_replaced_gets_one_of_both(self, store: Blobs) -> None:
        write(store, NAME, CONTENT)
        pieces = store.read(NAME, 0, MEBIBYTE)
        first = next(pieces)
        write(store, NAME, CONTENT)
        assert first + b"".join(pieces) == CONTENT

    @pytest.mark.parametrize("method", ["size", "read", "local_file"])
    def test_a_blob_that_is_not_there_is_told_at_once(self, store: Blobs, method: str) -> None:
        def look() -> None:
            if method == "size":
                store.size(NAME)
            elif method == "read":
                store.read(NAME, 0, 10)
            else:
                with store.local_file(NAME):
                    pass

        with pytest.raises(NoSuchBlob):
            look()

    def test_deleting_is_done_once_and_asked_any_number_of_times(self, store: Blobs) -> None:
        write(store, NAME, b"x")
        write(store, OTHER, b"y")
        write(store, PART, b"z")
        store.delete(PART)
        for _ in range(3):
            store.delete(NAME)
        assert [blob.name for blob in store.all()] == [OTHER]
        with pytest.raises(NoSuchBlob):
            store.size(NAME)

    def test_a_blob_can_be_opened_as_a_file_to_seek_in(self, store: Blobs) -> None:
        write(store, NAME, CONTENT)
        with store.local_file(NAME) as path, path.open("rb") as file:
            file.seek(-10, os.SEEK_END)
            assert file.read() == CONTENT[-10:]

    def test_a_blob_can_be_read_here_and_there(self, store: Blobs) -> None:
        write(store, NAME, CONTENT)
        with store.reading(NAME) as reader:
            assert reader.size == len(CONTENT)
            for ranges in (
                [(0, 1)],
                [(len(CONTENT) - 1, 1)],
                [(5, 0), (700_000, 300_000), (3, 4), (261_119, 2)],
                [(0, len(CONTENT))],
                *([(at, 100_000)] for at in range(0, 1_000_000, 100_000)),
            ):
                assert reader.fetch(ranges) == b"".join(CONTENT[start : start + n] for start, n in ranges)
        with pytest.raises(NoSuchBlob), store.reading(OTHER):
            pass

    def test_the_list_tells_names_sizes_and_times(self, store: Blobs) -> None:
        before = datetime.now(UTC) - timedelta(seconds=5)
        write(store, NAME, b"abc")
        write(store, OTHER, b"")
        listed = {blob.name: blob for blob in store.all()}
        assert {name: blob.size_bytes for name, blob in listed.items()} == {NAME: 3, OTHER: 0}
        assert all(before < blob.written_at < datetime.now(UTC) + timedelta(seconds=5) for blob in listed.values())

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_no_name_but_our_own_reaches_the_store(self, store: Blobs, name: str) -> None:
        def write_it() -> None:
            with store.writing(name) as writer:
                writer.write(b"x")

        def open_it() -> None:
            with store.local_file(name):
                pass

        for use in (
            lambda: store.size(name),
            lambda: store.read(name, 0, 1),
            lambda: store.delete(name),
            open_it,
            write_it,
        ):
            with pytest.raises(ValueError, match="not a blob name"):
                use()
        assert list(store.all()) == []

    def test_a_writer_that_is_killed_leaves_nothing_to_see_and_is_swept(self, store: Blobs, url: str) -> None:
        code = (
            "import sys, time\n"
            "from functions.shared import blobs\n"
            f"with blobs.store().writing('{NAME}') as writer:\n"
            f"    for _ in range(16): writer.write(b'x' * {MEBIBYTE})\n"
            "    print('written', flush=True)\n"
            "    time.sleep(60)\n"
        )
        with writer_process(code, url) as process:
            assert process.stdout
            assert process.stdout.readline() == b"written\n"
            process.send_signal(signal.SIGKILL)
        assert list(store.all()) == []
        store.delete_unfinished(datetime.now(UTC) - timedelta(hours=1))
        assert leftovers(url)
        store.delete_unfinished(datetime.now(UTC) + timedelta(seconds=1))
        assert not leftovers(url)

    def test_a_writer_that_is_taken_for_dead_is_told_and_leaves_nothing(self, store: Blobs, url: str) -> None:
        def write_and_sweep() -> None:
            with store.writing(NAME) as writer:
                writer.write(bytes(5 * MEBIBYTE))
                store.delete_unfinished(datetime.now(UTC) + timedelta(seconds=1))
                writer.write(bytes(5 * MEBIBYTE))

        with pytest.raises(Unavailable):
            write_and_sweep()
        assert list(store.all()) == []
        assert not leftovers(url)

    def test_sweeping_leaves_whole_blobs_alone(self, store: Blobs) -> None:
        write(store, NAME, b"x")
        store.delete_unfinished(datetime.now(UTC) + timedelta(days=1))
        assert read(store, NAME) == b"x"

    @pytest.mark.parametrize("sizes", [(), (0,), (1,), (5, 0, 7), (300_000, 1, 261_120, 99), (7,) * 40], ids=str)
    def test_a_joined_blob_reads_as_its_pieces_one_after_the_other(self, store: Blobs, sizes: tuple[int, ...]) -> None:
        content = join(store, NAME, sizes)
        assert store.size(NAME) == len(content)
        assert read(store, NAME) == content
        with store.local_file(NAME) as path:
            assert path.read_bytes() == content
        with store.reading(NAME) as reader:
            assert reader.size == len(content)
            for start in range(0, len(content) + 1, max(1, len(content) // 23)):
                for stop in {start, min(start + 1, len(content)), (start + len(content)) // 2, len(content)}:
                    wanted = content[start:stop]
                    assert reader.fetch([(start, stop - start), (start, stop - start)]) == wanted * 2
                    assert b"".join(store.read(NAME, start, stop)) == wanted

    def test_a_joined_blob_is_in_the_list_with_its_whole_size(self, store: Blobs) -> None:
        join(store, NAME, (10, 20))
        listed = {blob.name: blob.size_bytes for blob in store.all()}
        assert listed == {NAME: 30, piece_name(0): 10, piece_name(1): 20}

    def test_a_joined_blob_takes_its_pieces_along_when_it_is_deleted(self, store: Blobs) -> None:
        join(store, NAME, (10, 20))
        write(store, OTHER, b"x")
        for _ in range(2):
            store.delete(NAME)
        assert [blob.name for blob in store.all()] == [OTHER]

    def test_a_joined_blob_can_be_deleted_without_its_pieces(self, store: Blobs) -> None:
        content = join(store, NAME, (10, 20))
        store.delete(NAME, with_pieces=False)
        with pytest.raises(NoSuchBlob):
            store.read(NAME, 0, 1)
        assert read(store, piece_name(0)) + read(store, piece_name(1)) == content

    def test_what_a_user_sent_is_never_taken_for_a_list_of_pieces(self, store: Blobs) -> None:
        write(store, OTHER, b"not yours")
        listed = json.dumps([[OTHER, 9]]).encode()
        write(store, NAME, listed)
        assert read(store, NAME) == listed

    def test_a_joined_blob_whose_pieces_are_gone_is_not_read_as_a_shorter_one(self, store: Blobs) -> None:
        join(store, NAME, (10, 20, 30))
        store.delete(piece_name(1))
        with pytest.raises(NoSuchBlob):
            read(store, NAME)
        with store.reading(NAME) as reader, pytest.raises(NoSuchBlob):
            reader.fetch([(0, 60)])

    def test_reading_many_pieces_here_and_there_opens_few_of_them(self, store: Blobs) -> None:
        join(store, NAME, (100,) * 60)
        before = len(os.listdir("/proc/self/fd"))
        with store.reading(NAME) as reader:
            for start in range(0, 6000, 100):
                reader.fetch([(start, 100)])
            assert len(os.listdir("/proc/self/fd")) < before + 20
        assert len(os.listdir("/proc/self/fd")) < before + 12

    def test_a_store_that_was_never_written_to_is_empty_and_ready(self, store: Blobs, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        store.ping()
        assert list(store.all()) == []
        store.delete(NAME)
        store.delete_unfinished(datetime.now(UTC))


def test_a_disk_that_is_full_is_told_as_such_and_keeps_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: write(2) fails half-way through."""
    code = (
        "import resource\n"
        "from functions.shared import blobs\n"
        "from functions.shared.problems import Unavailable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for size, count in ((99_990, 4), (64, 4), (64, 2000), (200_000, 1)):\n"
        "    try:\n"
        f"        with blobs.store().writing('{NAME}') as writer:\n"
        "            for _ in range(count): writer.write(b'x' * size)\n"
        "        print('kept')\n"
        "    except Unavailable:\n"
        "        print('unavailable')\n"
    )
    url = f"file:{tmp_path / 'blobs'}"
    with writer_process(code, url) as process:
        said = process.communicate()[0].split()
    assert said == [b"unavailable", b"kept", b"unavailable", b"unavailable"]
    assert not leftovers(url)


def test_the_disk_begins_with_a_long_file_while_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.blobs.directory.BEGUN_BYTES", 100_000)
    begun: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def advised(descriptor: int, start: int, length: int, advice: int) -> None:
        begun.append((start, length))
        advise(descriptor, start, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", advised)
    store, content = DirectoryBlobs(str(tmp_path)), os.urandom(350_000)
    with store.writing(NAME) as writer:
        for start in range(0, len(content), 70_000):
            writer.write(content[start : start + 70_000])
    assert begun == [(0, 140_000), (140_000, 140_000)]
    assert b"".join(store.read(NAME, 0, len(content))) == content


def test_a_store_that_is_not_known_is_named() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOBS_URL", "ftp://somewhere")
        blobs.store.cache_clear()
        with pytest.raises(ValueError, match=r"BLOBS_URL .*ftp"):
            blobs.store()


def writer_process(code: str, url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "BLOBS_URL": url}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE)


def leftovers(url: str) -> bool:
    """Whether anything of an unfinished blob is in the store."""
    if url.startswith("file:"):
        return any((Path(url.removeprefix("file:").removeprefix("//")) / "unfinished").iterdir())
    with pymongo.MongoClient[Any](url) as client:
        return client.get_default_database()["fs.chunks"].count_documents({}) > 0


def write(store: Blobs, name: str, content: bytes) -> None:
    with store.writing(name) as writer:
        for start in range(0, len(content), 100_000):
            writer.write(content[start : start + 100_000])


def join(store: Blobs, name: str, sizes: tuple[int, ...]) -> bytes:
    """Join pieces of these sizes. Returns: what the blob reads."""
    contents = [os.urandom(size) for size in sizes]
    for number, content in enumerate(contents):
        write(store, piece_name(number), content)
    store.join(name, [Piece(piece_name(number), size) for number, size in enumerate(sizes)])
    return b"".join(contents)


def piece_name(number: int) -> str:
    return f"piece/{'d' * 32}.1.{number}"


def read(store: Blobs, name: str) -> bytes:
    return b"".join(store.read(name, 0, store.size(name)))
