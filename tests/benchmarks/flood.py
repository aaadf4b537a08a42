"""How many requests a second one gateway refuses, and how long a good client waits meanwhile.

    python -m tests.benchmarks.flood [--rate 5000] [--seconds 5]

Each kind of refusal comes from a process of its own over fifty connections, one request at a time on each: first at
a rate, then as fast as it is answered. All but those over the limit come from an address each. The good client asks
for its list of jobs, twenty times a second. What a machine with other work does in a second says little: refusals by
second of processor time, which only the gateway's process has, say more.
"""

from __future__ import annotations

import argparse
import itertools
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

import httpx

from tests.benchmarks.edge import Edge, cpu_seconds, edge
from tests.benchmarks.report import say, table
from tests.patience import PATIENCE

__all__ = ["KINDS", "Flood", "Waits", "flood", "main", "measured", "rows"]

CONNECTIONS, PAUSE_SECONDS = 50, 0.05
# What is said of addresses is believed; one of them is soon over its limit, and stays so.
LIMITS = {"RATE_LIMITS": '{"reads": "0", "address": "300/3600"}', "TRUSTED_PROXIES": "127.0.0.0/8"}
# By name: the status, and what is asked for, with {n} for a number of each request, {token} for the start of a token.
KINDS = {
    "over the limit": (429, "GET /v1/jobs HTTP/1.1\r\nX-Forwarded-For: 203.0.113.1\r\n"),
    "no such path": (404, "GET /wp-login.php HTTP/1.1\r\nX-Forwarded-For: {address}\r\n"),
    "no token": (401, "GET /v1/jobs HTTP/1.1\r\nX-Forwarded-For: {address}\r\n"),
    "no JWT": (401, "GET /v1/jobs HTTP/1.1\r\nX-Forwarded-For: {address}\r\nAuthorization: Bearer {n}\r\n"),
    "forged": (401, "GET /v1/jobs HTTP/1.1\r\nX-Forwarded-For: {address}\r\nAuthorization: Bearer {token}{n:08}\r\n"),
}


@dataclass(frozen=True)
class Flood:
    """Refused requests a second by the clock, and by second of the gateway's processor time."""

    per_second: float
    per_cpu_second: float


@dataclass(frozen=True)
class Waits:
    """How long a good client waited: the median, and what 95 of 100 answers did not exceed, in seconds."""

    p50: float
    p95: float

    def __str__(self) -> str:
        return f"{self.p50 * 1000:.0f} / {self.p95 * 1000:.0f}"


Found = tuple[Waits, Flood, Waits, Flood, Waits]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=5000, help="refused requests a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="how long each flood is (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        print(rows(measured(Path(name), arguments.rate, arguments.seconds), arguments.rate))


def measured(directory: Path, rate: int, seconds: float) -> dict[str, Found]:
    """By kind: a good client's waits; a flood at a rate, and the waits in it; one as fast as it goes, and the waits."""
    found = {}
    with edge(directory, LIMITS) as served, ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        _flooded(served, elsewhere, "over the limit", None, 1)
        for kind in KINDS:
            quiet = _waits(served, lambda count: count >= 40)
            found[kind] = (
                quiet,
                *_flooded(served, elsewhere, kind, rate, seconds),
                *_flooded(served, elsewhere, kind, None, seconds),
            )
            say(f"{kind}: {found[kind][3].per_second:.0f}/s")
    return found


def flood(address: tuple[str, int], kind: str, token: str, rate: int | None, seconds: float) -> tuple[int, float]:
    """Send requests, each when the one before it is answered. Returns: how many, and the seconds that they took.

    Raises: AssertionError for another status than that of the kind.
    """
    connections = [socket.create_connection(address, timeout=PATIENCE) for _ in range(CONNECTIONS)]
    requests, status = _requests(kind, token), b"HTTP/1.1 %d " % KINDS[kind][0]
    done, begun = 0, time.perf_counter()
    while (gone := time.perf_counter() - begun) < seconds:
        time.sleep(max(0.0, done / rate - gone) if rate else 0)
        for connection in connections:
            connection.sendall(next(requests))
        for connection in connections:
            answer = _answer(connection)
            assert (kind == "over the limit" and done < 2000) or answer.startswith(status), answer
        done += CONNECTIONS
    for connection in connections:
        connection.close()
    return done, time.perf_counter() - begun


def rows(found: dict[str, Found], rate: int) -> str:
    """The table."""
    heads = (
        "refused because",
        "for each second of processor",
        "good client alone, p50 / p95, ms",
        f"at {rate} a second",
        "good client",
        "as fast as it goes, a second",
        "good client",
    )
    return table(heads, [_row(kind, *each) for kind, each in found.items()])


def _row(kind: str, quiet: Waits, paced: Flood, at_rate: Waits, fast: Flood, at_most: Waits) -> tuple[str, ...]:
    return (
        kind,
        f"{fast.per_cpu_second:.0f}",
        str(quiet),
        f"{paced.per_second:.0f}",
        str(at_rate),
        f"{fast.per_second:.0f}",
        str(at_most),
    )


def _flooded(served: Edge, elsewhere: Executor, kind: str, rate: int | None, seconds: float) -> tuple[Flood, Waits]:
    gateway, token = served.processes["gateway"], served.signed_in["Authorization"].removeprefix("Bearer ")[:-8]
    before = cpu_seconds(gateway)
    flooding = elsewhere.submit(flood, served.addresses["gateway"], kind, token, rate, seconds)
    waits = _waits(served, lambda _count: flooding.done())
    count, took = flooding.result()
    return Flood(count / took, count / (cpu_seconds(gateway) - before)), waits


def _waits(served: Edge, enough: Callable[[int], bool]) -> Waits:
    host, port = served.addresses["gateway"]
    headers = {**served.signed_in, "X-Forwarded-For": f"192.0.2.{next(_good)}"}
    with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=PATIENCE) as client:
        client.get("/v1/jobs").raise_for_status()
        seconds = [_wait(client)]
        while not enough(len(seconds)):
            seconds.append(_wait(client))
    return Waits(median(seconds), quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0])


def _wait(client: httpx.Client) -> float:
    time.sleep(PAUSE_SECONDS)
    begun = time.perf_counter()
    client.get("/v1/jobs").raise_for_status()
    return time.perf_counter() - begun


def _requests(kind: str, token: str) -> Iterator[bytes]:
    head = f"{KINDS[kind][1]}Host: audiolift\r\nUser-Agent: flood\r\nAccept: */*\r\n\r\n"
    start = time.time_ns() // 1_000_000 % 10_000_000
    for n in itertools.count(start):
        yield head.format(n=n, token=token, address=f"198.{18 + n // 65536 % 2}.{n // 256 % 256}.{n % 256}").encode()


def _answer(connection: socket.socket) -> bytes:
    got = connection.recv(65536)
    # Problem details, as all refusals are.
    while not got.endswith(b"}"):
        more = connection.recv(65536)
        assert more, "the gateway broke off"
        got += more
    return got


_good = itertools.cycle(range(1, 255))


if __name__ == "__main__":
    main()
