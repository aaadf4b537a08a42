"""What passing through the gateway costs: up and down, by the function called directly and through it, in turns.

    python -m tests.benchmarks.through [--megabytes 1 32 1024] [--rounds 3]        (a part of make benchmark)

Rows are in SQLite, files in a directory below the temporary directory. The client sends and takes bytes as fast as they
go, and computes nothing. A busy machine slows both alike, so that ratios count. It writes its tables into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import re
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from functions.shared.jobs import names
from tests.benchmarks import report
from tests.benchmarks.edge import Edge, cpu_seconds, edge
from tests.benchmarks.report import say, spread, table
from tests.e2e.inside import peak_rss
from tests.patience import PATIENCE

__all__ = ["Pass", "main", "measured", "rows"]

MEGABYTE = 1_000_000
PIECE = 1 << 20
# Of small bodies, so many are sent one after the other that all of them are as large as this: ticks of a processor's
# time are 10 ms.
LEAST = 64 * MEGABYTE
GATEWAY = "gateway"
FUNCTIONS = {"up": "upload", "down": "download"}
UNLIMITED = {"RATE_LIMITS": '{"bytes": "0"}', "MAX_UPLOAD_BYTES": str(1 << 40), "MAX_USER_BYTES": "0"}


@dataclass(frozen=True)
class Pass:
    """A body on its way, on average: seconds by the clock, and seconds of processors by function."""

    seconds: float
    cpu: Mapping[str, float]


# By way and size in bytes.
Pairs = dict[tuple[str, int], list[tuple[Pass, Pass]]]


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words = "the sizes of bodies (%(default)s)"
    parser.add_argument("--megabytes", type=int, nargs="+", default=(1, 32, 1024), help=words)
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is gone (%(default)s)")
    parser.add_argument("--page", type=Path, default=report.PAGE, help="where the tables are written (%(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        passes, peaks = measured(Path(name), [each * MEGABYTE for each in given.megabytes], given.rounds)
    report.write("through", f"{rows(passes, peaks)}\n({report.conditions()})", given.page)


def measured(directory: Path, sizes: Sequence[int], rounds: int) -> tuple[Pairs, dict[str, tuple[int, int]]]:
    """For each way, up and down, and each size in bytes, pairs of passes: directly, through.

    And the peak of each function's memory, in bytes: after one body of a mebibyte each way, and at the end.
    """
    with edge(directory, UNLIMITED) as served:
        # What is imported late is imported now.
        for way in FUNCTIONS:
            _pair(served, way, PIECE)
        before = {name: peak_rss(pid) for name, pid in served.processes.items()}
        found: Pairs = {(way, size): [] for size in sizes for way in FUNCTIONS}
        for number in range(1, rounds + 1):
            for (way, size), pairs in found.items():
                direct, through = _pair(served, way, size, through_first=number % 2 == 0)
                pairs.append((direct, through))
                said = f"{direct.seconds:.3f} s, through the gateway {through.seconds:.3f} s"
                say(f"round {number}: {way}, {size / MEGABYTE:.0f} MB: {said}")
        return found, {name: (before[name], peak_rss(pid)) for name, pid in served.processes.items()}


def rows(passes: Pairs, peaks: Mapping[str, tuple[int, int]]) -> str:
    """The tables."""
    heads = (
        "way",
        "MB",
        "directly, s",
        "through, s",
        "throughput, through ÷ directly",
        "CPU of the function, ms/MB",
        "of the gateway, ms/MB",
    )
    times = table(heads, [_row(way, size, pairs) for (way, size), pairs in passes.items()])
    held = [(name, *(f"{each / MEGABYTE:.0f}" for each in peaks[name])) for name in (GATEWAY, *FUNCTIONS.values())]
    return f"{times}\n{table(('peak of memory, MB', 'before', 'after'), held)}"


def _row(way: str, size: int, pairs: Sequence[tuple[Pass, Pass]]) -> tuple[str, ...]:
    ratios = [direct.seconds / through.seconds for direct, through in pairs]
    megabytes = size / MEGABYTE
    cpu = {
        name: median(1000 * through.cpu[name] / megabytes for _, through in pairs) for name in (FUNCTIONS[way], GATEWAY)
    }
    return (
        way,
        f"{megabytes:.0f}",
        spread([direct.seconds for direct, _ in pairs], 3),
        spread([through.seconds for _, through in pairs], 3),
        spread(ratios),
        *(f"{each:.2f}" for each in cpu.values()),
    )


def _pair(served: Edge, way: str, size: int, *, through_first: bool = False) -> tuple[Pass, Pass]:
    job = "" if way == "up" else _job_with_audio(served, size)

    def go(via: str) -> None:
        _take(served, via, job, size) if job else _send(served, via, size)

    times = max(1, LEAST // size)
    order = sorted((FUNCTIONS[way], GATEWAY), key=lambda via: (via == GATEWAY) is not through_first)
    took = {via: _timed(served, go, via, times) for via in order}
    return took[FUNCTIONS[way]], took[GATEWAY]


def _timed(served: Edge, go: Callable[[str], object], via: str, times: int) -> Pass:
    before, begun = _cpu(served), time.perf_counter()
    for _ in range(times):
        go(via)
    seconds, after = time.perf_counter() - begun, _cpu(served)
    for path in served.blobs.glob("video/*"):
        # Of use to nobody, and there is no room for all of them.
        path.unlink()
    return Pass(seconds / times, {name: (after[name] - before[name]) / times for name in after})


def _cpu(served: Edge) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in served.processes.items()}


def _send(served: Edge, via: str, size: int) -> str:
    """Upload a video of zeros. Returns: the job's id."""
    with _asked(served, via, "POST /v1/jobs", f"Content-Type: video/mp4\r\nContent-Length: {size}\r\n") as connection:
        piece = memoryview(bytes(PIECE))
        for start in range(0, size, PIECE):
            connection.sendall(piece[: size - start])
        _, head = _head(connection, 202)
    job: str = re.findall(r"(?im)^location: /v1/jobs/([0-9a-f]+)", head)[0]
    return job


def _take(served: Edge, via: str, job: str, size: int) -> None:
    """Download an MP3."""
    with _asked(served, via, f"GET /v1/jobs/{job}/audio") as connection:
        rest, _ = _head(connection, 200)
        had, piece = len(rest), bytearray(PIECE)
        while had < size:
            count = connection.recv_into(piece)
            if not count:
                raise ConnectionError(f"{via} broke off after {had} of {size} bytes")
            had += count


def _job_with_audio(served: Edge, size: int) -> str:
    """A job with an MP3 of zeros, which takes no room on the disk, and comes from memory as early as the first time."""
    job = _send(served, FUNCTIONS["up"], PIECE)
    made = served.blobs / names.audio(job, 1)
    made.parent.mkdir(exist_ok=True)
    with made.open("wb") as file:
        file.truncate(size)
    with made.open("rb") as file:
        while file.read(PIECE):
            pass
    said = "state = 'done', audio = ?, audio_bytes = ?, audio_sha256 = ?, expires_at = '2999-01-01 00:00:00.000000'"
    served.change(f"UPDATE jobs SET {said} WHERE id = ?", names.audio(job, 1), size, "ab" * 32, job)
    return job


def _asked(served: Edge, via: str, what: str, more: str = "") -> socket.socket:
    connection = socket.create_connection(served.addresses[via], timeout=PATIENCE)
    authorization = served.signed_in["Authorization"]
    head = f"{what} HTTP/1.1\r\nHost: audiolift\r\nAuthorization: {authorization}\r\n{more}\r\n"
    connection.sendall(head.encode())
    return connection


def _head(connection: socket.socket, status: int) -> tuple[bytes, str]:
    """What came of the body with the head, and the head. Raises: ConnectionError for another status."""
    got = b""
    while b"\r\n\r\n" not in got and (more := connection.recv(PIECE)):
        got += more
    if not got.startswith(b"HTTP/1.1 %d " % status):
        raise ConnectionError(got.decode(errors="replace")[:1000])
    head, _, rest = got.partition(b"\r\n\r\n")
    return rest, head.decode()


if __name__ == "__main__":
    main()
