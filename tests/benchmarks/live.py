"""A thousand live streams on one process of download over MariaDB: memory, statements, and how late a change is.

    python -m tests.benchmarks.live --streams 1000 --quiet 65

The statements are those of the server's own log of queries (general_log). A change is as late as its event comes after
its transaction has committed; the client shares the processors with the server and the database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
import uuid
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median

import jwt
import sqlalchemy as sa

from functions.shared import database
from functions.shared.jobs import changes
from functions.shared.jobs.states import State
from functions.shared.scopes import Scope
from functions.shared.tables import jobs, now, users
from tests.e2e.alone import serving, told
from tests.e2e.inside import peak_rss
from tests.servers import MariaDB

__all__: list[str] = []

CHANGES, PAUSE_SECONDS = 30, 0.5
AT_A_TIME = 50


class Listener:
    """A client of one stream, which notes when each event comes."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self._port, self._path, self._token = port, path, token
        self.came: asyncio.Queue[float] = asyncio.Queue()

    async def listen(self) -> None:
        """Until it is cancelled, or the server ends it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"GET {self._path} HTTP/1.1\r\nHost: download\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        writer.write(head.encode())
        while line := await reader.readline():
            if line.startswith(b"data: "):
                self.came.put_nowait(time.monotonic())


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=1000, help="half of one job, half of all jobs of a user")
    parser.add_argument("--quiet", type=float, default=65.0, help="seconds without a change (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="how often it is quiet for so long (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        server = MariaDB(Path(directory) / "mariadb")
        server.start()
        stack.callback(server.stop)
        environment = {**told(server.url, Path(directory)), "CONCURRENCY": str(arguments.streams)}
        os.environ.update({name: environment[name] for name in ("DATABASE_URL", "LINK_SECRET")})
        process, client = stack.enter_context(serving("download", environment))
        port = int(client.base_url.port or 0)
        pairs = made(arguments.streams)
        listeners = [
            Listener(port, f"/v1/jobs/{job}/events" if place % 2 == 0 else "/v1/jobs/events", token(environment, owner))
            for place, (job, owner) in enumerate(pairs)
        ]
        asyncio.run(measure(listeners, pairs[0][0], process.pid, arguments.quiet, arguments.rounds))


async def measure(listeners: list[Listener], job: str, pid: int, quiet: float, rounds: int) -> None:
    """Open all streams, and print what they cost and how late changes of the first one's job are."""
    tasks = []
    for start in range(0, len(listeners), AT_A_TIME):
        some = listeners[start : start + AT_A_TIME]
        tasks += [asyncio.create_task(each.listen()) for each in some]
        for each in some:
            await each.came.get()
    print(f"{len(tasks)} streams are open; resident at most: {peak_rss(pid) / 2**20:.0f} MiB")
    for _ in range(rounds):
        await asyncio.to_thread(log_queries, True)
        began, cpu = time.monotonic(), processor_seconds(pid)
        await asyncio.sleep(quiet)
        seconds, cpu = time.monotonic() - began, processor_seconds(pid) - cpu
        await asyncio.to_thread(log_queries, False)
        counted = await asyncio.to_thread(logged)
        print(f"quiet, {seconds:.0f} s: {cpu / seconds:.3f} of a processor; a second:", end=" ")
        print(", ".join(f"{name} {count / seconds:.2f}" for name, count in counted.items()))
        print(f"the first change after it is late by {1000 * await late(listeners[0], job):.0f} ms")
        delays = []
        for _ in range(CHANGES):
            await asyncio.sleep(PAUSE_SECONDS)
            delays.append(1000 * await late(listeners[0], job))
        delays.sort()
        most = delays[int(0.95 * len(delays))]
        print(f"{CHANGES} more, {PAUSE_SECONDS} s apart: median {median(delays):.0f}, 95 of 100 {most:.0f} ms at most")
    print(f"resident at most: {peak_rss(pid) / 2**20:.0f} MiB; streams that have ended: {sum(t.done() for t in tasks)}")
    for task in tasks:
        task.cancel()


async def late(listener: Listener, job: str) -> float:
    """Change the job. Returns: the seconds from the commit to the event."""
    while not listener.came.empty():
        listener.came.get_nowait()
    committed = await asyncio.to_thread(moved, job)
    return max(0.0, await listener.came.get() - committed)


def moved(job: str) -> float:
    """Change the job. Returns: when that was committed."""
    with database.transaction() as connection:
        changes.move(connection, job, state=State.CONVERTING, progress=time.time() % 1)
    return time.monotonic()


def made(count: int) -> list[tuple[str, str]]:
    """Jobs that have waited for long, each of another user: ids of both."""
    pairs = [(uuid.uuid4().hex, uuid.uuid4().hex) for _ in range(count)]
    account = {"password_hash": "-", "created_at": now()}
    row = {
        "state": State.QUEUED,
        "filename": "x.mp4",
        "options": {},
        "progress": 0.0,
        "attempts": 0,
        "fencing_token": 0,
    }
    before = now() - timedelta(hours=1)
    with database.transaction() as connection:
        connection.execute(users.insert(), [{"id": owner, "email": owner, **account} for _, owner in pairs])
        times = {"created_at": before, "updated_at": before}
        connection.execute(jobs.insert(), [{"id": job, "user_id": owner, **row, **times} for job, owner in pairs])
    return pairs


def token(environment: dict[str, str], owner: str) -> str:
    """An access token of a user."""
    key, moment = json.loads(environment["SIGNING_KEY"]), int(time.time())
    claims = {"iss": "audiolift", "aud": "audiolift", "sub": owner, "iat": moment, "exp": moment + 900}
    headers = {"kid": key["kid"], "typ": "at+jwt"}
    return jwt.encode({**claims, "scope": Scope.JOBS_READ}, jwt.PyJWK(key).key, "ES256", headers=headers)


def log_queries(on: bool) -> None:
    """Begin or end to log, with an empty log."""
    with database.reading() as connection:
        if on:
            connection.execute(sa.text("SET GLOBAL log_output = 'TABLE'"))
            connection.execute(sa.text("TRUNCATE mysql.general_log"))
        connection.execute(sa.text(f"SET GLOBAL general_log = {int(on)}"))


def logged() -> dict[str, int]:
    """How many of each kind the server has logged, without what turned the log off."""
    kind = "CASE command_type WHEN 'Query' THEN SUBSTRING_INDEX(argument, ' ', 1) ELSE command_type END"
    ours = "argument NOT LIKE 'SET GLOBAL%'"
    query = f"SELECT {kind} AS kind, COUNT(*) FROM mysql.general_log WHERE {ours} GROUP BY kind ORDER BY 2 DESC"
    with database.reading() as connection:
        return {str(name): int(count) for name, count in connection.execute(sa.text(query))}


def processor_seconds(pid: int) -> float:
    """What a process has taken, in the system and outside of it (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
