"""After a storm: what became of each order, looked at from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import sqlalchemy as sa

from tests import media
from tests.chaos.orders import Order
from tests.chaos.storm import Storm
from tests.e2e.inside import environment
from tests.patience import PATIENCE
from tests.system import ROOT

__all__ = ["Aftermath"]

ENDED = ("done", "failed")
# What hours bring in operation: a mail of which nobody knows whether it arrived is due again; files of no job are old.
TICK = "from functions.sweep.main import tick; tick()"
CLEAR = "from functions.sweep import files; files.ORPHAN_SECONDS = 0; files.delete_orphans(); files.delete_unwanted()"
LEFT = {
    "job": "SELECT id, state, filename FROM jobs WHERE state NOT IN ('done', 'failed', 'receiving')",
    "fetch": "SELECT id, state, filename FROM jobs WHERE state = 'receiving' AND source_url IS NOT NULL",
    "event": "SELECT event_id, type, job_id FROM outbox WHERE settled_at IS NULL",
    "letter": "SELECT id, state, reason FROM dead_letters WHERE state NOT IN ('healed', 'settled')",
    "lease": "SELECT id, state FROM jobs WHERE lease_until IS NOT NULL AND state NOT IN ('receiving')",
}


class Aftermath:
    """Waits until all is over, and says what is wrong."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._engine = sa.create_engine(storm.mariadb.url)

    def look(self) -> list[str]:
        """What is wrong, in words; nothing, if all is well."""
        left = self._wait()
        wrong = [f"{kind} left: {row}" for kind, rows in left.items() for row in rows]
        jobs = [(customer, job) for customer in self._storm.customers for job in customer.jobs()]
        wrong += self._check_orders({job["filename"]: (customer, job) for customer, job in jobs})
        names = Counter(job["filename"] for _, job in jobs if job["state"] != "receiving")
        wrong += [f"{name}: {count} jobs" for name, count in names.items() if count > 1]
        wrong += [*self._check_mails([job for _, job in jobs]), *self._check_files()]
        self._engine.dispose()
        return wrong

    def _wait(self) -> dict[str, list[Any]]:
        """Sweep gets its ticks, until nothing is left to do. Returns: what is left all the same."""
        ends = time.monotonic() + PATIENCE
        while any((left := self._left()).values()) and time.monotonic() < ends:
            with suppress(httpx.TransportError):
                httpx.get(f"{self._storm.audiolift.url}/v1/jobs", timeout=5)
            with self._engine.begin() as connection:
                waiting = "UPDATE notifications SET due_at = UTC_TIMESTAMP(6) WHERE sent_at IS NULL AND refusal IS NULL"
                connection.execute(sa.text(waiting))
            self._inside(TICK)
            time.sleep(1)
        return left

    def _left(self) -> dict[str, list[Any]]:
        with self._engine.connect() as connection:
            return {kind: list(connection.execute(sa.text(query))) for kind, query in LEFT.items()}

    def _inside(self, code: str) -> str:
        """What a process says that has the environment of a function, and runs this code."""
        command, where = [sys.executable, "-c", code], environment(self._storm.audiolift)
        return subprocess.run(command, cwd=ROOT, env=where, stdout=subprocess.PIPE, text=True, check=False).stdout

    def _check_orders(self, jobs: dict[str, tuple[Any, dict[str, Any]]]) -> Iterator[str]:
        for order in self._storm.orders:
            for name in order.names:
                customer, job = jobs.get(name, (None, {}))
                if customer is not order.customer:
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

    def _check_mails(self, jobs: list[dict[str, Any]]) -> Iterator[str]:
        """Each job, or batch, was told of under one Message-ID. A mail may come twice under the same."""
        told = Counter(subject for subject, _ in {(mail["subject"], mail["id"]) for mail in self._storm.mail.mails})
        alone = [order for order in self._storm.orders if order.kind != "batch"]
        for order in alone:
            said = sum(count for subject, count in told.items() if order.names[0] in subject)
            if said != 1:
                yield f"{order.names[0]}: {said} different mails"
        expected = len(self._storm.orders) + len(self._storm.customers)
        if sum(told.values()) != expected:
            yield f"{sum(told.values())} mails, not one for each of {expected} orders and accounts: {sorted(told)}"
        mails = len(self._storm.mail.mails)
        print(f"{len(jobs)} jobs, {mails} mails, {mails - sum(told.values())} of them copies under the same Message-ID")

    def _check_files(self) -> Iterator[str]:
        self._inside(CLEAR)
        found = set(
            self._inside("from functions.shared import blobs\nfor b in blobs.store().all(): print(b.name)").split()
        )
        with self._engine.connect() as connection:
            rows = list(connection.execute(sa.text("SELECT id, state, audio, video FROM jobs")))
        kept = {row.audio for row in rows if row.audio} | {row.video for row in rows if row.state == "failed"}
        abandoned = {row.id for row in rows if row.state == "receiving"}
        yield from (
            f"{name}: a file of no job" for name in found - kept if name.partition("/")[2][:32] not in abandoned
        )
        yield from (f"{name} is gone" for name in kept - found if name)
