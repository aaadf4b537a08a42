"""How fast upload takes videos in, beside a plain write into the blob store; and what a thousand slow ones take.

    python -m tests.benchmarks.intake [--megabytes 512] [--rounds 3] [--clients 1000] [--seconds 30]

It has one process of upload, without anything before it, and prints its figures. A fast client and the plain write take
turns: on a busy machine their ratio counts. A slow client sends 50 kB a second.
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
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import jwt

from functions.login import keys
from functions.shared import database, migrate
from functions.shared.blobs.directory import DirectoryBlobs
from functions.shared.tables import now, users
from tests.benchmarks.report import say
from tests.e2e.alone import allocator

__all__ = ["Function", "fast", "main", "serving", "slow", "straight"]

ROOT = Path(__file__).parents[2]
BYTES_A_SECOND, STEPS_A_SECOND = 50_000, 2
PIECE = 1024 * 1024
BYTES = "application/offset+octet-stream"


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
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, standard in (("megabytes", 512), ("rounds", 3), ("clients", 1000), ("seconds", 30)):
        parser.add_argument(f"--{name}", type=int, default=standard)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, serving(Path(name)) as function:
        video = Path(name) / "video"
        video.write_bytes(os.urandom(1_000_000) * given.megabytes)
        _print_rates(function, video, given.rounds)
        _, most = function.rss()
        print(f"memory with fast clients: {most / 1e6:.0f} MB at most")
        begun = time.perf_counter()
        sent, answered = asyncio.run(slow(function, given.clients, given.seconds))
        took = time.perf_counter() - begun
        _, most = function.rss()
        print(f"{given.clients} slow clients: {most / 1e6:.0f} MB at most; {answered} of them taken in,")
        print(f"at {sent / given.clients / took / 1e3:.1f} kB/s each")


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
            yield Function(process.pid, port, _token(made, user_id), directory / "blobs")
        finally:
            process.terminate()


def straight(blobs: Path, video: Path) -> float:
    """Write a file straight into a blob store. Returns: bytes a second."""
    begun, name = time.perf_counter(), f"video/{uuid.uuid4().hex}"
    with video.open("rb", buffering=0) as file, DirectoryBlobs(str(blobs)).writing(name) as writer:
        while data := file.read(PIECE):
            writer.write(data)
    seconds = time.perf_counter() - begun
    DirectoryBlobs(str(blobs)).delete(name)
    return writer.size_bytes / seconds


def fast(function: Function, video: Path, *, resumable: bool) -> float:
    """Upload a file as fast as it goes. Returns: bytes a second."""
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
    seconds = time.perf_counter() - begun
    assert answer.split()[1] in (b"201", b"202"), answer
    return size / seconds


async def slow(function: Function, clients: int, seconds: int) -> tuple[int, int]:
    """Have so many clients upload at 50 kB a second. Returns: the bytes sent, and how many were taken in."""
    answers = await asyncio.gather(*(_trickle(function, seconds, number) for number in range(clients)))
    return sum(sent for sent, _ in answers), sum(answered for _, answered in answers)


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


def _print_rates(function: Function, video: Path, rounds: int) -> None:
    ratios: dict[str, list[float]] = {"plain": [], "resumable": []}
    for _ in range(rounds):
        for name, found in ratios.items():
            plain = straight(function.blobs, video)
            found.append(fast(function, video, resumable=name == "resumable") / plain)
            say(f"straight into the store {plain / 1e6:.0f} MB/s, {name} {found[-1] * plain / 1e6:.0f} MB/s")
    for name, found in ratios.items():
        print(f"{name}: {median(found):.2f} of writing straight into the store")


def _user(url: str) -> str:
    os.environ["DATABASE_URL"] = url
    database.engine.cache_clear()
    migrate.upgrade()
    user_id = uuid.uuid4().hex
    values = {"id": user_id, "email": f"{user_id}@example.com", "password_hash": "-", "created_at": now()}
    with database.transaction() as connection:
        connection.execute(users.insert().values(**values))
    return user_id


def _token(made: Mapping[str, str], user_id: str) -> str:
    key, moment = json.loads(made["signing-key"]), int(time.time())
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": user_id, "iat": moment, "exp": moment + 3600}
    return jwt.encode(claims, jwt.PyJWK(key).key, "ES256", headers={"kid": key["kid"], "typ": "at+jwt"})


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
