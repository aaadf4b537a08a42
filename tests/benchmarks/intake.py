"""How fast upload takes videos in, beside a plain write into the blob store; and what a thousand slow ones take.

    python -m tests.benchmarks.intake [--megabytes 512] [--rounds 3] [--clients 1000] [--seconds 30]

It has one process of upload, without anything before it, and files in a directory on the disk, in one in memory, and in
the server that stands in for MongoDB in the tests. A fast client and the plain write take turns. On a busy machine
their ratio counts, and the processor time. Both compute the SHA-256, and end when all is safe in the store. A slow
client sends 50 kB a second. It writes its table into docs/performance.md, and prints what the slow ones took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import jwt

from functions.login import keys
from functions.shared import database, migrate
from functions.shared.blobs import Blobs
from functions.shared.blobs.directory import DirectoryBlobs
from functions.shared.blobs.gridfs import GridFSBlobs
from functions.shared.tables import now, users
from tests.benchmarks import report
from tests.benchmarks.edge import cpu_seconds
from tests.benchmarks.report import say, spread, table
from tests.e2e.alone import allocator
from tests.servers import Mongo

__all__ = ["Function", "Pair", "fast", "main", "measured", "rows", "serving", "slow", "straight", "token"]

ROOT = Path(__file__).parents[2]
BYTES_A_SECOND, STEPS_A_SECOND = 50_000, 2
PIECE = 1024 * 1024
BYTES = "application/offset+octet-stream"
MEGABYTE = 1_000_000
MEMORY = Path("/dev/shm")
DISK = "a directory on the disk"
WAYS = {"plain": False, "resumable": True}


@dataclass(frozen=True)
class Pair:
    """A plain write and an upload of the same bytes: seconds by the clock, and of the processor of who did it."""

    straight: tuple[float, float]
    upload: tuple[float, float]


# By store and way.
Pairs = dict[tuple[str, str], list[Pair]]


@dataclass(frozen=True)
class Function:
    """One process of upload, and whom it knows."""

    process: int
    port: int
    token: str
    blobs: Path

    def rss(self) -> tuple[int, int]:
        """Its memory now, and at most, in bytes (VmRSS and VmHWM, proc(5))."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.process}/status").read_text().splitlines())
        kilobytes = [int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM")]
        return kilobytes[0] * 1024, kilobytes[1] * 1024

    def head(self, method: str, path: str, length: int, **more: str) -> bytes:
        """The head of a request with a body."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {"Host": "upload", "Authorization": f"Bearer {self.token}", "Content-Length": str(length), **named}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode()


def main() -> None:
    """Measure, write it down, and print the rest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, standard in (("megabytes", 512), ("rounds", 3), ("clients", 1000), ("seconds", 30)):
        parser.add_argument(f"--{name}", type=int, default=standard)
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the table is written (%(default)s)")
    given = parser.parse_args()
    pairs: Pairs = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        with serving(Path(name)) as function:
            pairs |= measured(function, DISK, f"file:{function.blobs}", given.megabytes, given.rounds)
            print(f"memory with fast clients: {function.rss()[1] / 1e6:.0f} MB at most")
            _print_slow(function, given.clients, given.seconds)
        for store, url in _others(Path(name)):
            with serving(Path(name), url) as function:
                pairs |= measured(function, store, url, given.megabytes, given.rounds)
    report.write("intake", f"{rows(pairs, given.megabytes)}\n({report.conditions()})", given.page)


def measured(function: Function, name: str, url: str, megabytes: int, rounds: int) -> Pairs:
    """Pairs of a plain write and an upload into the store at `url`, each way in turn."""
    store: Blobs = DirectoryBlobs(url.removeprefix("file:")) if url.startswith("file:") else GridFSBlobs(url)
    found: Pairs = {(name, way): [] for way in WAYS}
    with tempfile.NamedTemporaryFile(prefix="benchmark-", dir=MEMORY if MEMORY.is_dir() else None) as video:
        content = os.urandom(MEGABYTE)
        _fill(video, content)
        for resumable in WAYS.values():
            # What is imported late is imported now.
            fast(function, Path(video.name), resumable=resumable)
        _fill(video, content * (megabytes - 1))
        for number in range(1, rounds + 1):
            for (_, way), pairs in found.items():
                pairs.append(Pair(straight(store, Path(video.name)), _timed(function, Path(video.name), way)))
                _clear(store)
                took, uploaded = (megabytes / each for each in (pairs[-1].straight[0], pairs[-1].upload[0]))
                say(f"round {number}: {name}, {way}: straight {took:.0f} MB/s, upload {uploaded:.0f} MB/s")
    store.close()
    return found


def rows(pairs: Pairs, megabytes: int) -> str:
    """The table."""
    heads = ("files are in", "upload", "straight, MB/s", "upload, MB/s", "upload ÷ straight")
    return table(
        (*heads, "CPU, straight, ms/MB", "of upload, ms/MB"),
        [_row(*key, found, megabytes) for key, found in pairs.items()],
    )


def _row(store: str, way: str, pairs: list[Pair], megabytes: int) -> tuple[str, ...]:
    return (
        store,
        way,
        spread([megabytes / pair.straight[0] for pair in pairs], 0),
        spread([megabytes / pair.upload[0] for pair in pairs], 0),
        spread([pair.straight[0] / pair.upload[0] for pair in pairs]),
        spread([1000 * pair.straight[1] / megabytes for pair in pairs]),
        spread([1000 * pair.upload[1] / megabytes for pair in pairs]),
    )


def _others(directory: Path) -> Iterator[tuple[str, str]]:
    """The names and addresses of the other stores there are, each until the next one is asked for."""
    if MEMORY.is_dir():
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY) as name:
            yield "a directory in memory", f"file:{name}"
    with Mongo(directory / "mongo") as mongo:
        yield "the stand-in for MongoDB", mongo.url


def _timed(function: Function, video: Path, way: str) -> tuple[float, float]:
    before = cpu_seconds(function.process)
    seconds = fast(function, video, resumable=WAYS[way])
    return seconds, cpu_seconds(function.process) - before


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()


def _clear(store: Blobs) -> None:
    for blob in list(store.all()):
        store.delete(blob.name)


def _print_slow(function: Function, clients: int, seconds: int) -> None:
    begun = time.perf_counter()
    sent, answered = asyncio.run(slow(function, clients, seconds))
    took = time.perf_counter() - begun
    print(f"{clients} slow clients: {function.rss()[1] / 1e6:.0f} MB at most; {answered} of them taken in,")
    print(f"at {sent / max(1, clients) / took / 1e3:.1f} kB/s each")


@contextmanager
def serving(directory: Path, blobs: str = "") -> Iterator[Function]:
    """The function, with stores in the directory (or files elsewhere, as BLOBS_URL has it), for one user."""
    made = keys.make()
    url = f"sqlite:///{directory}/audiolift.db"
    user_id = _user(url)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    stores = {"DATABASE_URL": url, "BLOBS_URL": blobs or f"file:{directory}/blobs"}
    settings = {"JWKS": made["jwks"], "PORT": str(port), "HOST": "127.0.0.1", "K_SINK": "http://127.0.0.1:9"}
    environment = {**os.environ, **allocator(), **stores, **settings, "CONCURRENCY": "1000", "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "functions.shared.server", "upload"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            _await(port)
            yield Function(process.pid, port, token(made["signing-key"], user_id), directory / "blobs")
        finally:
            process.terminate()


def straight(store: Blobs, video: Path) -> tuple[float, float]:
    """Write a file straight into a blob store. Returns: seconds by the clock, and of this process's processor."""
    begun, computed, name = time.perf_counter(), time.process_time(), f"video/{uuid.uuid4().hex}"
    with video.open("rb", buffering=0) as file, store.writing(name) as writer:
        while data := file.read(PIECE):
            writer.write(data)
    seconds = time.perf_counter() - begun, time.process_time() - computed
    store.delete(name)
    return seconds


def fast(function: Function, video: Path, *, resumable: bool) -> float:
    """Upload a file as fast as it goes. Returns: the seconds that it took."""
    size = video.stat().st_size
    if resumable:
        more = {"Tus_Resumable": "1.0.0", "Upload_Length": str(size), "Content_Type": BYTES}
        request = function.head("POST", "/v1/uploads", size, **more)
    else:
        request = function.head("POST", "/v1/jobs", size, Content_Type="video/mp4")
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", function.port)) as connection, video.open("rb") as file:
        connection.sendall(request)
        connection.sendfile(file)
        answer = connection.recv(65536)
    assert answer.split()[1] in (b"201", b"202"), answer
    return time.perf_counter() - begun


async def slow(function: Function, clients: int, seconds: int) -> tuple[int, int]:
    """Have so many clients upload at 50 kB a second. Returns: the bytes sent, and how many were taken in."""
    answers = await asyncio.gather(*(_trickle(function, seconds, number) for number in range(clients)))
    return sum(sent for sent, _ in answers), sum(answered for _, answered in answers)


def token(signing_key: str, user_id: str) -> str:
    """An access token of a user, good for an hour; the key is a JWK."""
    key, moment = json.loads(signing_key), int(time.time())
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": user_id, "iat": moment, "exp": moment + 3600}
    return jwt.encode(claims, jwt.PyJWK(key).key, "ES256", headers={"kid": key["kid"], "typ": "at+jwt"})


async def _trickle(function: Function, seconds: int, number: int) -> tuple[int, bool]:
    # Not all in one moment.
    await asyncio.sleep(number / 100)
    reader, writer = await asyncio.open_connection("127.0.0.1", function.port)
    step, size = BYTES_A_SECOND // STEPS_A_SECOND, BYTES_A_SECOND * seconds
    writer.write(function.head("POST", "/v1/jobs", size, Content_Type="video/mp4"))
    begun = time.perf_counter()
    for count in range(size // step):
        await asyncio.sleep(max(0.0, begun + count / STEPS_A_SECOND - time.perf_counter()))
        writer.write(bytes(step))
        await writer.drain()
    answer = await reader.read(65536)
    writer.close()
    return size, answer.split()[1:2] == [b"202"]


def _user(url: str) -> str:
    os.environ["DATABASE_URL"] = url
    database.engine.cache_clear()
    migrate.upgrade()
    user_id = uuid.uuid4().hex
    values = {"id": user_id, "email": f"{user_id}@example.com", "password_hash": "-", "created_at": now()}
    with database.transaction() as connection:
        connection.execute(users.insert().values(**values))
    return user_id


def _await(port: int) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("upload does not start")


if __name__ == "__main__":
    main()
