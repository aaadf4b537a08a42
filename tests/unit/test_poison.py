"""A job that takes its worker down each time: it costs a bounded number of attempts, and nobody else anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from events.wire import Envelope
from functions.convert.sandbox import nursery
from functions.shared import outbox
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, transitions
from functions.shared.settings import number
from functions.shared.tables import dead_letters as letters
from functions.shared.tables import jobs as table
from functions.sweep import dead_letters, main, replays
from tests import asgi, media
from tests.chaos.dying import event
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No command as a way out, and three seconds for a conversion; what an engine does, `poisoned` says."""
    nursery.close()
    monkeypatch.setattr("functions.convert.sandbox.landlock.is_supported", lambda: False)
    monkeypatch.setenv("CONVERT_TIMEOUT_SECONDS", "3")
    yield
    nursery.close()


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have every engine do that from now on; with "", what it should."""

    def poison(entry: str) -> None:
        nursery.close()
        name = f"tests.unit.engine_entries:{entry}" if entry else REAL
        monkeypatch.setattr("functions.convert.sandbox.nursery._nursery._entry", name)

    return poison


REAL: str = nursery._nursery._entry


@pytest.mark.parametrize(
    ("entry", "reason", "tries"),
    [("crash", "gave-up", 5), ("gorge", "gave-up", 5), ("hang", "timed-out", 0)],
)
def test_whatever_an_engine_dies_of_the_job_fails_with_a_reason_after_a_bounded_number_of_attempts(
    store: Blobs, sink: Sink, tmp_path: Path, poisoned: Callable[[str], None], entry: str, reason: str, tries: int
) -> None:
    job, function = queued(store, tmp_path), asgi.app_of("convert")
    poisoned(entry)
    statuses = [deliver(function, job) for _ in range(tries + 1)]
    assert statuses == [*([500] * tries), 204]
    assert (rows.read(job).state, rows.read(job).error_code) == ("failed", reason)
    assert sink.types() == ["conversion.failed"]
    other = queued(store, tmp_path)
    poisoned("")
    assert deliver(function, other) == 204
    assert rows.read(other).state == "done"


def test_an_engine_that_never_gets_further_than_its_checkpoint_is_resumed_once(
    store: Blobs, sink: Sink, tmp_path: Path, poisoned: Callable[[str], None]
) -> None:
    job, function = queued(store, tmp_path), asgi.app_of("convert")
    poisoned("stall")
    assert [deliver(function, job) for _ in range(2)] == [204, 204]
    assert (rows.read(job).state, rows.read(job).error_code) == ("failed", "timed-out")
    assert sink.types() == ["video.uploaded", "conversion.failed"]


def test_a_job_that_takes_the_whole_function_down_each_time_is_given_up(store: Blobs, sink: Sink) -> None:
    job = rows.job()
    attempts = number("MAX_ATTEMPTS")
    for _ in range(attempts):
        assert claims.claim(job)
        rows.change(table, table.c.id == job, lease_until=rows.ago(1))
    assert claims.claim(job) is None
    assert (rows.read(job).state, rows.read(job).error_code) == ("failed", "gave-up")


def test_a_poisoned_job_is_a_dead_letter_and_its_replay_after_the_cure_makes_the_mp3(
    store: Blobs, sink: Sink, tmp_path: Path, poisoned: Callable[[str], None]
) -> None:
    job, function = queued(store, tmp_path), asgi.app_of("convert")
    poisoned("crash")
    assert [deliver(function, job) for _ in range(3)] == [500] * 3
    dead_letters.record(envelope(job).with_attributes(knativeerrorcode="500", knativeerrordest="http://convert"))
    assert (rows.read(job).state, sink.types()) == ("failed", ["conversion.failed"])

    poisoned("")
    replays.want_replay(letters.c.job_id == job)
    main.tick()
    assert rows.read(job).state == "queued"
    assert deliver(function, job) == 204
    main.tick()
    (letter,) = [row for row in [replays.found(id) for id in every_letter()] if row.job_id == job]
    assert (rows.read(job).state, letter.state) == ("done", "healed")
    assert sink.types() == ["conversion.failed", "video.uploaded", "audio.created"]


def every_letter() -> list[str]:
    from functions.shared import database

    with database.reading() as connection:
        return [row.id for row in connection.execute(letters.select())]


def queued(store: Blobs, tmp_path: Path) -> str:
    """A job with a video. Returns: its id."""
    job = rows.job("receiving")
    claim = claims.claim_upload(job)
    with store.writing(claim.video) as writer:
        writer.write(media.make(tmp_path / "audio-only.ogg").read_bytes())
    transitions.queue(claim, "sound.ogg", {}, writer.size_bytes)
    return job


def deliver(function: ASGIApp, job: str) -> int:
    """Deliver the newest event of a job to convert. Returns: its answer."""
    headers, body = event(rows.messages(job)[-1].event_id)
    return asgi.call(function, "POST", "/", headers, body).status


def envelope(job: str) -> Envelope:
    """The newest event of a job."""
    row: Any = outbox.read(rows.messages(job)[-1].event_id)
    return outbox._envelope(row)
