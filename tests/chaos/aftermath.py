"""After a storm: what became of each order, looked at from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import sqlalchemy as sa
from pymongo import MongoClient

from tests import media
from tests.chaos import told
from tests.chaos.orders import Order
from tests.chaos.storm import Storm
from tests.e2e.inside import environment
from tests.patience import PATIENCE
from tests.system import ROOT

__all__ = ["Aftermath"]

SETTLING_SECONDS, RESTING_SECONDS = 60, 5
USED = """
    SELECT (SELECT COALESCE(SUM(seconds), 0) FROM converted WHERE user_id = users.id),
           (SELECT COALESCE(SUM(duration_seconds), 0) FROM jobs WHERE user_id = users.id),
           (SELECT COALESCE(SUM(COALESCE(audio_bytes, 0) + IF(state = 'failed', video_bytes, 0)), 0)
              FROM jobs WHERE user_id = users.id)
      FROM users WHERE email = :email
"""
# What hours bring in operation: a mail of which nobody knows whether it arrived is due again; files of no job are old.
WAITING = """
    SELECT job_id, kind, generation, channel, endpoint, due_at FROM notifications
     WHERE sent_at IS NULL AND refusal IS NULL AND due_at > UTC_TIMESTAMP(6)
"""
DUE = """
    UPDATE notifications SET due_at = UTC_TIMESTAMP(6)
     WHERE job_id = :job AND kind = :kind AND generation = :generation AND channel = :channel
       AND endpoint = :endpoint AND due_at = :due
"""
TICK = "from functions.sweep.main import tick; tick()"
CLEAR = """
from functions.shared import blobs
from functions.shared.tables import now
import functions.sweep.files as files
files.ORPHAN_SECONDS = 0
files.delete_orphans()
files.delete_unwanted()
blobs.store().delete_unfinished(now())
for blob in blobs.store().all(): print(blob.name)
"""
# And what a day brings: an upload that nobody could go on with, as the answer with its address got lost, is forgotten.
DAY = (
    "UPDATE uploads SET expires_at = '2020-01-01' WHERE expires_at IS NOT NULL",
    "UPDATE jobs SET lease_until = '2020-01-01', updated_at = '2020-01-01' WHERE state = 'receiving'",
)
EMPTY = "(SELECT job_id FROM uploads WHERE offset_bytes = 0 AND concat = '')"
LEFT = {
    "job": f"SELECT id, state, filename FROM jobs WHERE state NOT IN ('done', 'failed') AND id NOT IN {EMPTY}",
    "event": "SELECT event_id, type, job_id FROM outbox WHERE settled_at IS NULL",
    "letter": "SELECT id, state, reason FROM dead_letters WHERE state NOT IN ('healed', 'settled')",
    # A tick of sweep has its owner told, once it is over.
    "batch": "SELECT id FROM batches WHERE told_at IS NULL",
    "lease": f"SELECT id, state FROM jobs WHERE lease_until IS NOT NULL AND id NOT IN {EMPTY}",
}


class Aftermath:
    """Waits until all is over, and says what is wrong."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._engine = sa.create_engine(storm.mariadb.url)
        # The rows of the ledger that wait, and since when they have been as they are.
        self._waiting: dict[tuple[Any, ...], float] = {}

    def look(self) -> list[str]:
        """What is wrong, in words; nothing, if all is well."""
        left = self._wait()
        wrong = [f"{kind} left: {row}" for kind, rows in left.items() for row in rows]
        self._pass_a_day()
        found = {customer.number: customer.jobs() for customer in self._storm.customers}
        jobs = [(self._storm.customers[number], job) for number, each in found.items() for job in each]
        wrong += self._check_orders({job["filename"]: (customer, job) for customer, job in jobs})
        names = Counter(job["filename"] for _, job in jobs)
        wrong += [f"{name}: {count} jobs" for name, count in names.items() if count > 1]
        wrong += [*told.check(self._storm, self._engine, found), *self._check_files()]
        wrong += [*self._check_quotas(), *self._check_audit()]
        self._engine.dispose()
        return wrong

    def _wait(self) -> dict[str, list[Any]]:
        """Sweep gets its ticks, until nothing is left to do. Returns: what is left all the same."""
        ends = time.monotonic() + PATIENCE
        while any((left := self._left()).values()) and time.monotonic() < ends:
            with suppress(httpx.TransportError):
                httpx.get(f"{self._storm.audiolift.url}/v1/jobs", timeout=5)
            self._pass_hours()
            # While servers come back, a tick may find one of them away.
            self._inside(TICK, check=False)
            time.sleep(1)
        return left

    def _pass_hours(self) -> None:
        """Whoever waits to be told again is due: a row of the ledger that nobody has touched for a while."""
        with self._engine.begin() as connection:
            waiting = [tuple(row) for row in connection.execute(sa.text(WAITING))]
            self._waiting = {row: self._waiting.get(row, time.monotonic()) for row in waiting}
            for row in [row for row, since in self._waiting.items() if since < time.monotonic() - RESTING_SECONDS]:
                key = dict(zip(("job", "kind", "generation", "channel", "endpoint", "due"), row, strict=True))
                connection.execute(sa.text(DUE), key)

    def _pass_a_day(self) -> None:
        with self._engine.begin() as connection:
            for statement in DAY:
                connection.execute(sa.text(statement))
        self._inside("from functions.sweep import files; files.forget_unfinished()")

    def _left(self) -> dict[str, list[Any]]:
        with self._engine.connect() as connection:
            return {kind: list(connection.execute(sa.text(query))) for kind, query in LEFT.items()}

    def _inside(self, code: str, *, check: bool = True) -> str:
        """What a process says that has the environment of a function, and runs this code."""
        command, where = [sys.executable, "-c", code], environment(self._storm.audiolift)
        return subprocess.run(command, cwd=ROOT, env=where, stdout=subprocess.PIPE, text=True, check=check).stdout

    def _check_orders(self, jobs: dict[str, tuple[Any, dict[str, Any]]]) -> Iterator[str]:
        for order in self._storm.orders:
            for name in order.names:
                customer, job = jobs.get(name, (None, {}))
                if order.goes:
                    yield from [f"{name}: it was deleted, and is {job['state']}"] if job else []
                elif customer is not order.customer:
                    yield f"{name}: {'it is lost' if customer is None else 'it is of another one'}"
                else:
                    yield from self._check_job(order, job)

    def _check_job(self, order: Order, job: dict[str, Any]) -> Iterator[str]:
        name = job["filename"]
        if order.fails:
            if (job["state"], bool(job["error"])) != ("failed", True):
                yield f"{name}: {job['state']}, and there is nothing to convert"
            return
        if job["state"] != "done":
            yield f"{name}: {job['state']}, {job['error']}"
            return
        with order.customer.http() as http:
            mp3 = http.get(job["links"]["audio"]).raise_for_status().content
        if abs(self._length(mp3) - order.customer.seconds) > 0.1:
            yield f"{name}: it is not {order.customer.seconds} s long"
        if abs(media.tone(mp3) - order.customer.tone) > 2:
            yield f"{name}: its sound is that of another customer"

    def _length(self, mp3: bytes) -> float:
        path = self._storm.audiolift.data / "aftermath.mp3"
        path.write_bytes(mp3)
        return media.samples(path, 1, "-ar", "44100").size / 44_100

    def _check_quotas(self) -> Iterator[str]:
        """What an account has used is what its jobs have."""
        for customer in self._storm.customers:
            with self._engine.connect() as connection:
                spent, lengths, sizes = connection.execute(sa.text(USED), {"email": customer.email}).one()
            with customer.http() as http:
                used = http.get("/v1/me").raise_for_status().json()["usage"]
            # Of what was deleted, nobody says here whether it had been converted before.
            most = lengths + len(customer.deleted) * (customer.seconds + 0.1)
            if not lengths - 0.01 <= spent <= most + 0.01:
                yield f"{customer.email} has used {spent} s, and has MP3s of {lengths} s"
            if (used["jobs"], used["stored_bytes"]) != (0, sizes):
                yield f"{customer.email} has {sizes} bytes, and is told of {used}"

    def _check_audit(self) -> Iterator[str]:
        """Each deletion was written down, once."""
        with self._engine.connect() as connection:
            acts = connection.execute(sa.text("SELECT target FROM audit WHERE action = 'job.deleted'")).scalars()
            noted = Counter(json.loads(target)["job_id"] for target in acts)
        deleted = Counter(job for customer in self._storm.customers for job in customer.deleted)
        if noted != deleted:
            yield f"deleted were {deleted}, and the audit has {noted}"

    def _check_files(self) -> list[str]:
        """Who converts a job that was deleted stores its MP3, finds out, and deletes it: that may take a while."""
        ends = time.monotonic() + SETTLING_SECONDS
        while (wrong := list(self._wrong_files())) and time.monotonic() < ends:
            time.sleep(1)
        return wrong

    def _wrong_files(self) -> Iterator[str]:
        found = set(self._inside(CLEAR).split())
        with self._engine.connect() as connection:
            rows = list(connection.execute(sa.text("SELECT id, state, audio, video FROM jobs")))
        kept = {row.audio for row in rows if row.audio} | {row.video for row in rows if row.state == "failed"}
        states = {row.id: row.state for row in rows}
        for name in found - kept:
            state = states.get(name.partition("/")[2].partition(".")[0])
            yield f"{name}: a file that no job needs; its job is {state or 'gone'}; {self._documents(name)}"
        yield from (f"{name} is gone" for name in kept - found if name)
        yield from self._wrong_chunks()

    def _documents(self, name: str) -> str:
        """What there is of a file, by its name and by a look at all: whether sweep could find, and delete it."""
        with MongoClient[dict[str, Any]](self._storm.mongo.url) as client:
            files = client.get_default_database("audiolift")["fs.files"]
            there = [str(each["uploadDate"]) for each in files.find({}) if each["filename"] == name]
            return f"stored {', '.join(there)}; {len(list(files.find({'filename': name})))} are found by its name"

    def _wrong_chunks(self) -> Iterator[str]:
        with MongoClient[dict[str, Any]](self._storm.mongo.url) as client:
            kept = client.get_default_database("audiolift")
            files = {file["_id"] for file in kept["fs.files"].find({}, {"_id": 1})}
            chunks = {chunk["files_id"] for chunk in kept["fs.chunks"].find({}, {"files_id": 1})}
            yield from (f"chunks of {each}, which is no file" for each in chunks - files)
            yield from (f"{each['filename']} is unfinished" for each in kept["fs.unfinished"].find({}))
