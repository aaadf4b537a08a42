"""functions.upload.fetching: a job's video over several deliveries, whatever ends them."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import ConversionFailed, VideoSubmitted, VideoUploaded
from functions.convert import known
from functions.shared import audit, database, quotas
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, deletion, rollouts, transitions
from functions.shared.jobs import names as blob_names
from functions.shared.jobs.states import State
from functions.shared.problems import Unavailable
from functions.shared.tables import jobs, now
from functions.shared.tables import outbox as outbox_table
from functions.shared.tables import rollouts as rollouts_table
from functions.sweep import events, files
from functions.upload import fetch, video_pieces
from functions.upload.fetching import fetch_for
from functions.upload.submitted import open_submitted
from functions.upload.uploads import pieces_of
from tests.patience import PATIENCE, eventually
from tests.unit import rows
from tests.unit.origin import Origin
from tests.unit.sink import Sink

CONTENT = random.Random(13).randbytes(400_000)
DAY = 86_400
LOOK_UP = socket.getaddrinfo


@pytest.fixture(autouse=True)
def quick(tables: None, store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "127.0.0.0/8")


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(CONTENT) as running:
        yield running


def job_of(url: str, owner: str | None = None) -> str:
    """A job whose video is to be fetched from there, and its event, which nobody has sent."""
    job_id = os.urandom(16).hex()
    open_submitted(owner or rows.user(), job_id, VideoSubmitted(url, "talk.mp4", {}))
    return job_id


def away(origin: Origin) -> None:
    """Let the server be away for one delivery."""
    for _ in range(3):
        origin.status(503)


def video_of(store: Blobs, job: Any) -> bytes:
    return b"".join(store.read(job.video, 0, store.size(job.video)))


def names(store: Blobs) -> list[str]:
    return [blob.name for blob in store.all()]


def listed(job_id: str) -> list[str]:
    """What the job's video is joined of."""
    return [piece.name for piece in pieces_of(job_id)]


def the_event(job_id: str) -> Any:
    """The one that is to have an effect yet."""
    (waiting,) = [row for row in rows.messages(job_id) if row.settled_at is None]
    return waiting


def changed(job_id: str, **values: Any) -> None:
    """Change what the row says of the fetch."""
    rows.change(jobs, jobs.c.id == job_id, fetched={**rows.read(job_id).fetched, **values})


def test_a_server_that_is_away_is_tried_again_in_a_minute_and_costs_no_attempt(sink: Sink, origin: Origin) -> None:
    job_id = job_of(origin.url)
    away(origin)
    fetch_for(job_id)
    job, event = rows.read(job_id), the_event(job_id)
    assert (job.state, job.attempts, job.lease_until) == (State.RECEIVING, 0, None)
    assert (event.type, event.sent_at) == (VideoSubmitted.TYPE, None)
    assert timedelta(seconds=50) < event.not_before - now() <= timedelta(seconds=60)
    events.send_again()
    fetch_for(job_id)  # a delivery that the dispatcher makes again
    assert sink.received == [] or rows.read(job_id).state == State.QUEUED


def test_sweep_sends_what_was_put_off_when_its_time_has_come_and_not_before(sink: Sink, origin: Origin) -> None:
    job_id = job_of(origin.url)
    away(origin)
    fetch_for(job_id)
    rows.change(outbox_table, outbox_table.c.job_id == job_id, created_at=rows.ago(40))
    events.send_again()
    assert sink.received == []
    rows.change(outbox_table, outbox_table.c.job_id == job_id, not_before=rows.ago(1))
    events.send_again()
    assert [event.subject for event in sink.received] == [job_id]
    fetch_for(job_id)
    assert rows.read(job_id).state == State.QUEUED


@pytest.mark.parametrize(("failing", "wait"), [(10, 60), (60, 60), (600, 600), (3 * 3600, 3600)])
def test_waits_double_up_to_an_hour(sink: Sink, origin: Origin, failing: int, wait: int) -> None:
    job_id = job_of(origin.url)
    away(origin)
    fetch_for(job_id)
    changed(job_id, failing_since=rows.ago(failing).isoformat())
    away(origin)
    fetch_for(job_id)
    waits = (the_event(job_id).not_before - now()).total_seconds()
    assert wait - 20 < waits < wait + 20


def test_a_server_that_asks_for_more_time_gets_it_up_to_an_hour(sink: Sink, origin: Origin) -> None:
    for asked, given in ((600, 600), (10**6, 3600)):
        job_id = job_of(origin.url)
        origin.status(503, Retry_After=str(asked))
        fetch_for(job_id)
        assert given - 20 < (the_event(job_id).not_before - now()).total_seconds() <= given


def test_after_a_day_of_it_the_job_fails_and_its_owner_is_told(sink: Sink, origin: Origin, store: Blobs) -> None:
    job_id = job_of(origin.url)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    changed(job_id, since=rows.ago(DAY + 60).isoformat())
    away(origin)
    fetch_for(job_id)
    job = rows.read(job_id)
    assert (job.state, job.error_code) == (State.FAILED, "unreachable")
    assert [event.type for event in sink.received] == [ConversionFailed.TYPE]
    assert names(store) == []
    assert transitions.retry(job_id)
    fetch_for(job_id)
    assert rows.read(job_id).state == State.QUEUED


def test_a_day_is_counted_from_the_first_try_not_from_when_the_job_was_opened(sink: Sink, origin: Origin) -> None:
    job_id = job_of(origin.url)
    rows.change(jobs, jobs.c.id == job_id, created_at=rows.ago(3 * DAY))
    away(origin)
    fetch_for(job_id)
    assert rows.read(job_id).state == State.RECEIVING


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_final_answer_fails_the_job_at_once(sink: Sink, origin: Origin, status: int) -> None:
    job_id = job_of(origin.url)
    origin.status(status)
    fetch_for(job_id)
    assert (rows.read(job_id).state, rows.read(job_id).error_code) == (State.FAILED, "unreachable")


def test_the_next_delivery_goes_on_where_the_one_before_broke_off(sink: Sink, origin: Origin, store: Blobs) -> None:
    job_id = job_of(origin.url)
    for after in (100_000, 50_000):
        origin.cut(after)
        away(origin)
        fetch_for(job_id)
    assert rows.read(job_id).reserved_bytes == 150_000
    fetch_for(job_id)
    job = rows.read(job_id)
    assert origin.asked[-1] == "bytes=150000-"
    assert (job.state, job.video_bytes, job.fetched, job.progress) == (State.QUEUED, len(CONTENT), None, 0.0)
    assert video_of(store, job) == CONTENT
    assert set(names(store)) == {job.video, *listed(job_id)}
    assert sink.types() == ["video.uploaded"]


def test_a_file_that_changed_between_two_deliveries_is_the_new_one(sink: Sink, origin: Origin, store: Blobs) -> None:
    job_id = job_of(origin.url)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    origin.content = CONTENT[::-1]
    fetch_for(job_id)
    assert video_of(store, rows.read(job_id)) == CONTENT[::-1]


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_video_that_takes_longer_than_a_delivery_takes_several(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr(video_pieces, "PIECE_BYTES", len(CONTENT) // pieces)
    monkeypatch.setenv("FETCH_TIMEOUT_SECONDS", "2")
    job_id, stalls = job_of(origin.url), threading.Event()
    origin.stall(250_000, stalls)
    fetch_for(job_id)
    stalls.set()
    assert (rows.read(job_id).state, rows.read(job_id).attempts) == (State.RECEIVING, 0)
    assert sink.types() == ["video.submitted"]
    monkeypatch.setenv("FETCH_TIMEOUT_SECONDS", "60")
    fetch_for(job_id)
    assert origin.asked[-1] == "bytes=250000-"
    job = rows.read(job_id)
    assert (job.state, video_of(store, job)) == (State.QUEUED, CONTENT)
    assert set(names(store)) == {job.video, *listed(job_id)}


def test_time_that_is_up_for_what_cannot_be_resumed_ends_the_job(
    sink: Sink, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FETCH_TIMEOUT_SECONDS", "0")
    job_id = job_of(origin.url)
    fetch_for(job_id)
    assert (rows.read(job_id).state, rows.read(job_id).error_code) == (State.FAILED, "timed-out")


def test_many_pieces_become_one_video_with_its_own_digest(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_pieces, "PIECE_BYTES", 64 * 1024)
    job_id = job_of(origin.url)
    fetch_for(job_id)
    job = rows.read(job_id)
    assert video_of(store, job) == CONTENT
    assert job.video_sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert set(names(store)) == {job.video, *listed(job_id)}
    assert len(listed(job_id)) > 3


def end_by_conversion(job_id: str) -> None:
    claim = claims.claim(job_id)
    assert claim
    transitions.finish(claim, transitions.Audio(1, "0" * 64, 1.0))


def end_by_cancelling_and_expiry(job_id: str) -> None:
    assert transitions.cancel(job_id)
    rows.change(jobs, jobs.c.id == job_id, expires_at=rows.ago(1))
    files.expire()


def end_by_deletion(job_id: str) -> None:
    deletion.delete(rows.read(job_id), audit.SWEEP)


@pytest.mark.parametrize("end", [end_by_conversion, end_by_cancelling_and_expiry, end_by_deletion])
def test_what_a_video_is_joined_of_is_kept_and_goes_with_it(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch, end: Callable[[str], None]
) -> None:
    monkeypatch.setattr(video_pieces, "PIECE_BYTES", 64 * 1024)
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -60)
    job_id = job_of(origin.url)
    fetch_for(job_id)
    files.delete_orphans()
    assert video_of(store, rows.read(job_id)) == CONTENT
    end(job_id)
    files.delete_unwanted()
    assert names(store) == []


def test_one_that_loses_its_claim_at_the_end_leaves_the_other_its_pieces(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_pieces, "PIECE_BYTES", 64 * 1024)
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -60)
    job_id = job_of(origin.url)
    origin.cut(200_000)
    away(origin)
    fetch_for(job_id)
    join = type(store).join

    def robbed(self: Any, name: str, pieces: Any) -> None:
        join(self, name, pieces)
        rows.change(jobs, jobs.c.id == job_id, fencing_token=7)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "join", robbed)
        fetch_for(job_id)
    assert rows.read(job_id).state == State.RECEIVING
    files.delete_orphans()
    rows.change(jobs, jobs.c.id == job_id, lease_until=rows.ago(1))
    fetch_for(job_id)
    assert video_of(store, rows.read(job_id)) == CONTENT
    files.delete_orphans()
    assert set(names(store)) == {rows.read(job_id).video, *listed(job_id)}


def test_a_convert_that_knows_no_pieces_is_waited_for(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_pieces, "PIECE_BYTES", 64 * 1024)
    job_id = job_of(origin.url)
    with database.transaction() as connection:
        connection.execute(rollouts_table.insert().values(name="convert-before-0012", since=now()))
    with pytest.raises(Unavailable):
        fetch_for(job_id)
    assert (rows.read(job_id).state, rows.read(job_id).attempts) == (State.RECEIVING, 0)
    rollouts.end(rollouts.OLD_CONVERT)
    fetch_for(job_id)
    assert video_of(store, rows.read(job_id)) == CONTENT


def test_the_digest_of_one_that_took_two_deliveries_is_for_the_conversion_to_find(
    sink: Sink, origin: Origin, store: Blobs
) -> None:
    job_id = job_of(origin.url)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    fetch_for(job_id)
    assert rows.read(job_id).video_sha256 is None
    rows.change(jobs, jobs.c.id == job_id, options={"deduplicate": True})
    claim = claims.claim(job_id)
    assert claim
    assert known.finish_known(claim) is None
    assert rows.read(job_id).video_sha256 == hashlib.sha256(CONTENT).hexdigest()


FETCH = "import sys; from functions.upload.fetching import fetch_for; fetch_for(sys.argv[1])"


def test_a_kill_costs_no_more_than_the_piece_that_was_begun(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of their own, one after the other, each killed once it has a piece more."""
    monkeypatch.setenv("LEASE_SECONDS", "2")
    monkeypatch.setattr(video_pieces, "PIECE_BYTES", 100_000)
    job_id, over = job_of(origin.url), threading.Event()
    small = "from functions.upload import video_pieces; video_pieces.PIECE_BYTES = 100_000; " + FETCH

    def has(wanted: int) -> bool:
        return len(blob_names.fetched_of(rows.read(job_id))) >= wanted

    for wanted in (1, 2):
        origin.stall(150_000, over)
        victim = subprocess.Popen([sys.executable, "-c", small, job_id], cwd=Path(__file__).parents[2])
        eventually(partial(has, wanted), "a piece more")
        victim.send_signal(signal.SIGKILL)
        victim.wait(PATIENCE)
    there = blob_names.fetched_of(rows.read(job_id))
    over.set()
    fetch_for(job_id)
    job = rows.read(job_id)
    starts = [int(asked.removeprefix("bytes=").removesuffix("-") or 0) for asked in origin.asked]
    assert starts[0] == 0 < 100_000 <= starts[1] <= 150_000 < starts[1] + 100_000 <= starts[2]
    assert (job.state, job.fencing_token, video_of(store, job)) == (State.QUEUED, 3, CONTENT)
    assert set(there) <= set(listed(job_id)) == set(names(store)) - {job.video}


def test_progress_is_shown_while_it_comes_and_that_of_the_conversion_begins_at_nothing(
    sink: Sink, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.shared.jobs.leases.LOOK_SECONDS", 0.05)
    job_id, over = job_of(origin.url), threading.Event()
    origin.stall(250_000, over)
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetch_for, job_id)
        seen = eventually(lambda: rows.read(job_id).progress, "progress")
        over.set()
        fetching.result()
    assert seen == pytest.approx(250_000 / len(CONTENT), abs=0.2)
    assert (rows.read(job_id).state, rows.read(job_id).progress) == (State.QUEUED, 0.0)


def test_a_server_that_takes_longer_than_a_lease_to_redirect_and_answer_loses_nobody_the_job(
    sink: Sink, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "2")
    job_id = job_of(origin.url)

    def slow(seconds: float, act: Callable[[Any], bool]) -> Callable[[Any], bool]:
        def turn(handler: Any) -> bool:
            time.sleep(seconds)
            return act(handler)

        return turn

    away_to = [("Location", "/elsewhere.mp4"), ("Content-Length", "0")]
    origin.turns += [slow(2.5, lambda handler: handler.head(302, away_to)), slow(2.5, lambda handler: handler.answer())]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch_for, job_id)
        eventually(lambda: rows.read(job_id).lease_until, "a claim")
        second = pool.submit(fetch_for, job_id)
        first.result()
        second.result()
    job = rows.read(job_id)
    assert (job.state, job.fencing_token, job.video_bytes) == (State.QUEUED, 1, len(CONTENT))
    assert len(origin.asked) == 2


def test_a_name_server_that_takes_longer_than_a_lease_loses_nobody_the_job(
    sink: Sink, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "2")
    lookups: list[str] = []

    def slowly(host: str, *arguments: Any, **options: Any) -> Any:
        if host == "slow.example":
            lookups.append(host)
            time.sleep(3)
            return LOOK_UP("127.0.0.1", *arguments, **options)
        return LOOK_UP(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    job_id = job_of(origin.url.replace("127.0.0.1", "slow.example"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch_for, job_id)
        eventually(lambda: lookups, "the name is looked up")
        second = pool.submit(fetch_for, job_id)
        first.result()
        second.result()
    assert (rows.read(job_id).state, rows.read(job_id).fencing_token) == (State.QUEUED, 1)
    assert (len(lookups), len(origin.asked)) == (1, 1)


def test_what_came_so_far_counts_for_the_quota_and_what_is_too_much_ends_the_job(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = rows.user()
    job_id = job_of(origin.url, owner)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    with database.reading() as connection:
        assert quotas.used(connection, owner)["stored_bytes"] == 100_000
    monkeypatch.setenv("MAX_USER_BYTES", "150000")
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    assert (rows.read(job_id).state, rows.read(job_id).error_code) == (State.FAILED, "over-quota")
    assert names(store) == []


def test_a_cancelled_fetch_stops_and_its_pieces_are_found_by_sweep(
    sink: Sink, origin: Origin, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sweep.files.ORPHAN_SECONDS", -60)
    job_id = job_of(origin.url)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    files.delete_orphans()
    assert len(names(store)) == 1
    assert transitions.cancel(job_id)
    fetch_for(job_id)
    files.delete_orphans()
    assert (rows.read(job_id).state, names(store)) == (State.CANCELLED, [])
    assert transitions.retry(job_id)
    fetch_for(job_id)
    assert video_of(store, rows.read(job_id)) == CONTENT


def test_a_job_that_is_deleted_takes_what_was_fetched_along(sink: Sink, origin: Origin, store: Blobs) -> None:
    job_id = job_of(origin.url)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    deletion.delete(rows.read(job_id), audit.SWEEP)
    assert names(store) == []


def test_a_piece_that_somebody_else_deleted_has_all_of_it_fetched_anew(
    sink: Sink, origin: Origin, store: Blobs
) -> None:
    """As the sweep of the release before does, which does not know of pieces."""
    job_id = job_of(origin.url)
    origin.cut(100_000)
    away(origin)
    fetch_for(job_id)
    for name in names(store):
        store.delete(name)
    fetch_for(job_id)
    assert rows.read(job_id).state == State.RECEIVING
    fetch_for(job_id)
    assert video_of(store, rows.read(job_id)) == CONTENT
    assert rows.unsettled(job_id) == [VideoUploaded.TYPE]


def test_an_empty_video_is_one(sink: Sink, origin: Origin, store: Blobs) -> None:
    origin.content = b""
    job_id = job_of(origin.url)
    fetch_for(job_id)
    job = rows.read(job_id)
    assert (job.state, job.video_bytes, video_of(store, job)) == (State.QUEUED, 0, b"")


def test_a_process_that_dies_each_time_is_not_given_the_job_for_ever(
    sink: Sink, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_ATTEMPTS", "2")
    job_id = job_of(origin.url)
    rows.change(jobs, jobs.c.id == job_id, attempts=2)
    fetch_for(job_id)
    assert (rows.read(job_id).state, origin.asked) == (State.FAILED, [])
