"""Notices on submission, and before MP3s are deleted that nobody has fetched: who is told, of what, and how often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from events.catalogue import AudioCreated, ExpiryAnnounced, SubmissionConfirmed
from functions.download import files
from functions.notify import deliveries, fanout, notice_routes, preferences
from functions.notify.notice_shapes import DeliveryQuery
from functions.notify.preference_shapes import Preferences
from functions.shared import database, outbox, takes
from functions.shared.blobs import Blobs
from functions.shared.jobs import claims, deletion, names, reminders, transitions
from functions.shared.jobs.transitions import Audio
from functions.shared.tables import chores, jobs, now
from functions.shared.tables import outbox as outbox_table
from functions.sweep import events, reminding
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store", "secrets", "mails")
# The handlers look at nothing of a request.
ANY: Any = None
DAY = 86_400


def expiring(user: str, hours: float = 12, days: float = 6, **values: Any) -> str:
    """A job that was done days ago, and whose MP3 is deleted in hours."""
    sizes = {"audio_bytes": 10, "duration_seconds": 1.5, "audio_sha256": "ab" * 32, "audio": "audio/x.1"}
    ended = rows.ago(days * DAY)
    return rows.job("done", user, **{**sizes, "expires_at": rows.ago(-hours * 3600), "updated_at": ended, **values})


def announced() -> list[Any]:
    """Let sweep look. Returns: the events that wait, by whose jobs they hang on."""
    with database.transaction() as connection:
        connection.execute(chores.delete())
    reminding.announce()
    with database.reading() as connection:
        waiting = outbox_table.select().where(
            outbox_table.c.type == ExpiryAnnounced.TYPE, outbox_table.c.settled_at.is_(None)
        )
        return list(connection.execute(waiting).all())


def tell() -> None:
    for row in announced():
        fanout.tell(row.job_id, ExpiryAnnounced)


def mailed(mails: Path) -> list[str]:
    return [path.read_text() for path in mails.glob("*.eml")] if mails.exists() else []


def test_an_owner_is_reminded_once_and_by_one_mail_for_all_files(anna: str, mails: Path) -> None:
    mine = [expiring(anna, hours, filename=f"{hours}.mp4") for hours in (3, 7, 20)]
    expiring(rows.user(), filename="of-another.mp4")
    for _ in range(3):
        tell()
    told = [each for each in mailed(mails) if "anna@example.com" in each]
    assert len(told) == 1
    assert "3 MP3s are about to be deleted" in told[0]
    assert told[0].count("/v1/files/") == 2 * len(mine)
    assert all(f"{hours}.mp4" in told[0] for hours in (3, 7, 20))
    assert "of-another" not in told[0]
    assert len(mailed(mails)) == 2


@pytest.mark.parametrize(
    ("why", "values"),
    [
        ("it was fetched", {"downloaded_at": now()}),
        ("there is time", {"hours": 30}),
        ("it was kept for hours only", {"days": 0.5}),
        ("it has expired", {"hours": -1}),
    ],
)
def test_of_what_needs_no_reminder_there_is_none(anna: str, mails: Path, why: str, values: dict[str, Any]) -> None:
    expiring(anna, **values)
    assert announced() == []


def test_what_was_fetched_before_the_mail_could_be_sent_is_not_in_it(anna: str, mails: Path) -> None:
    first, second = expiring(anna, 3, filename="a.mp4"), expiring(anna, 5, filename="b.mp4")
    (row,) = announced()
    rows.change(jobs, jobs.c.id == first, downloaded_at=now())
    fanout.tell(row.job_id, ExpiryAnnounced)
    (told,) = mailed(mails)
    assert "An MP3 is about to be deleted: b.mp4" in told
    third = expiring(anna)
    (row,) = announced()
    rows.change(jobs, jobs.c.id == third, downloaded_at=now())
    fanout.tell(row.job_id, ExpiryAnnounced)
    assert (len(mailed(mails)), announced()) == (1, [])
    assert {rows.read(each).reminded_at is None for each in (first, second)} == {False}


def test_a_job_that_is_deleted_takes_the_reminder_of_the_others_with_it_and_they_get_another(
    anna: str, mails: Path
) -> None:
    first, second = expiring(anna, 3), expiring(anna, 5)
    (row,) = announced()
    assert row.job_id == first
    with database.transaction() as connection:
        deletion.delete_rows(connection, [first])
    (row,) = announced()
    assert row.job_id == second
    fanout.tell(second, ExpiryAnnounced)
    with database.transaction() as connection:
        deletion.delete_rows(connection, [second])
    assert (announced(), len(mailed(mails))) == ([], 1)


def test_a_mail_server_that_is_down_delays_the_reminder_and_it_can_be_sent_again(
    anna: str, mails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expiring(anna)
    with monkeypatch.context() as away:
        away.setenv("SMTP_URL", "smtp://127.0.0.1:9")
        tell()
    (waiting,) = deliveries.page(anna, DeliveryQuery()).items
    assert (waiting.state, waiting.type) == ("waiting", ExpiryAnnounced.TYPE)
    notice_routes.resend_notice(ANY, anna, waiting.id)
    notice_routes.resend_notice(ANY, anna, waiting.id)
    (shown,) = deliveries.page(anna, DeliveryQuery()).items
    assert (shown.state, len(mailed(mails)), announced()) == ("sent", 1, [])


def test_who_wants_no_reminder_gets_none_and_it_is_settled(anna: str, mails: Path) -> None:
    preferences.unsubscribe(preferences.unsubscribe_token(anna, ExpiryAnnounced.TYPE))
    expiring(anna)
    tell()
    assert (mailed(mails), announced()) == ([], [])


def test_an_mp3_that_is_made_anew_is_one_to_be_reminded_of(anna: str) -> None:
    job = rows.job("converting", anna, reminded_at=now(), reminder="x", downloaded_at=now())
    transitions.finish(rows.claim_of(job), Audio(10, "ab" * 32, 1.5))
    row = rows.read(job)
    assert (row.downloaded_at, row.reminder, row.reminded_at) == (None, None, None)


@pytest.mark.parametrize(
    ("method", "asked", "counts"),
    [
        ("GET", "", True),
        ("HEAD", "", False),
        ("GET", "bytes=0-9", False),
        ("GET", "bytes=10-", True),
        ("GET", "bytes=-1", True),
    ],
)
def test_what_was_read_to_its_end_was_fetched(anna: str, store: Blobs, method: str, asked: str, counts: bool) -> None:
    job = expiring(anna, audio_bytes=100)
    name = names.audio(job, 1)
    rows.change(jobs, jobs.c.id == job, audio=name)
    with store.writing(name) as writer:
        writer.write(bytes(100))
    headers = [(b"range", asked.encode())] if asked else []
    request = Request({"type": "http", "method": method, "path": "/", "headers": headers})

    async def read() -> int:
        response: Any = files.respond(request, rows.read(job))
        return sum([len(piece) async for piece in response.body_iterator]) if hasattr(response, "body_iterator") else 0

    asyncio.run(read())
    assert (rows.read(job).downloaded_at is not None) is counts


# On submission


def queued(user: str, **values: Any) -> str:
    """A job whose video has just come."""
    job = rows.job("receiving", user, video_bytes=None, **values)
    transitions.queue(claims.claim_upload(job), "talk.mp4", {}, 1000)
    return job


def want_confirmations(user: str, **channels: Any) -> None:
    given = {"events": {SubmissionConfirmed.TYPE: {"mail": True, **channels}}}
    preferences.change(user, takes.checked(given, Preferences, "bad-request"))


def test_nobody_is_told_of_a_submission_who_has_not_asked_for_it(anna: str) -> None:
    preferences.change(anna, takes.checked({"events": {}}, Preferences, "bad-request"))
    for user in (anna, rows.user()):
        assert SubmissionConfirmed.TYPE not in rows.unsettled(queued(user))


def test_whoever_asks_for_it_is_told_once_also_while_it_is_converted(anna: str, mails: Path, sink: Sink) -> None:
    want_confirmations(anna)
    job = queued(anna)
    claims.claim(job)
    rows.change(outbox_table, outbox_table.c.job_id == job, created_at=rows.ago(60))
    for _ in range(3):
        events.send_again()
    # Once, though a conversion is under way; that has an event of its own.
    assert sink.types() == ["submission.confirmed"]
    for _ in range(2):
        fanout.tell(job, SubmissionConfirmed)
    (told,) = mailed(mails)
    assert "Your video has arrived: talk.mp4" in told
    assert SubmissionConfirmed.TYPE not in rows.unsettled(job)
    (shown,) = deliveries.page(anna, DeliveryQuery()).items
    assert shown.state == "sent"


def test_whose_mp3_is_ready_by_then_is_told_of_that_alone(anna: str, mails: Path) -> None:
    want_confirmations(anna)
    job = queued(anna)
    claim = claims.claim(job)
    assert claim
    transitions.finish(claim, Audio(10, "ab" * 32, 1.5))
    assert rows.unsettled(job) == [AudioCreated.TYPE]
    fanout.tell(job, SubmissionConfirmed)
    assert mailed(mails) == []


def test_of_the_videos_of_a_batch_nobody_is_told_one_by_one(anna: str) -> None:
    want_confirmations(anna)
    assert SubmissionConfirmed.TYPE not in rows.unsettled(queued(anna, batch_id="b" * 32))


def test_one_click_ends_confirmations_and_leaves_the_rest(anna: str) -> None:
    want_confirmations(anna)
    preferences.unsubscribe(preferences.unsubscribe_token(anna, SubmissionConfirmed.TYPE))
    assert not preferences.wants_mail(anna, SubmissionConfirmed.TYPE)
    assert preferences.wants_mail(anna, AudioCreated.TYPE)
    assert SubmissionConfirmed.TYPE not in rows.unsettled(queued(anna))


def test_the_event_is_sent_by_nobody_but_sweep(anna: str, sink: Sink) -> None:
    want_confirmations(anna)
    job = queued(anna)
    (uploaded,) = [row.event_id for row in rows.messages(job) if row.type != SubmissionConfirmed.TYPE]
    outbox.send(uploaded)
    assert sink.types() == ["video.uploaded"]
    assert timedelta(days=1) == reminders.AHEAD
