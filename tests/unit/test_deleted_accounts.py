"""What is left of an account that its owner has deleted: sweep sees to it, whoever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import functions.sweep.accounts as sweep
import functions.sweep.files as files
from events.catalogue import AudioCreated, VideoSubmitted
from functions.login import accounts, api_keys, managed, sessions
from functions.login.key_shapes import NewApiKey
from functions.notify import news, preferences, webhooks
from functions.notify.webhook_shapes import NewWebhook
from functions.shared import database, mailed
from functions.shared.blobs import Blobs
from functions.shared.credentials import AccountGone
from functions.shared.jobs import claims, fetches, leases, names, transitions
from functions.shared.jobs.claims import ClaimLost
from functions.shared.jobs.fetches import Fetched
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.mailed import Purpose
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import attempts, mailed_tokens, metadata, now, users
from functions.shared.tables import jobs as jobs_table
from functions.sweep import retention
from functions.upload import batches, intake, submitted, uploads
from functions.upload.url_shapes import NewBatch
from tests.unit import rows

pytestmark = pytest.mark.usefixtures("tables", "secrets")


def with_file(store: Blobs, owner: str, state: str) -> str:
    job = rows.job(state, owner=owner)
    rows.change(jobs_table, jobs_table.c.id == job, video=names.video(job, 0))
    with store.writing(names.video(job, 0)) as writer:
        writer.write(b"x")
    rows.event(job)
    return job


def close(user: str) -> None:
    accounts.close(rows.user_row(user))


def left() -> Iterator[str]:
    with database.reading() as connection:
        for name, table in metadata.tables.items():
            yield from [name] * len(connection.execute(table.select()).all())


def test_all_rows_and_files_go_and_those_of_others_stay(store: Blobs) -> None:
    anna, eve = rows.user(), rows.user()
    for state in ("done", "failed", "queued", "receiving", "converting", "expired"):
        with_file(store, anna, state)
    hers = with_file(store, eve, "done")
    close(anna)
    sweep.finish_deleting()
    # And the mail that says so.
    assert sorted(left()) == ["account_mails", "audit", "audit", "job_events", "jobs", "outbox", "users"]
    assert [blob.name for blob in store.all()] == [names.video(hers, 0)]
    assert rows.user_row(anna) is None


def test_it_is_deleted_and_told_of_once_whoever_asks_at_the_same_time() -> None:
    anna = rows.user()
    twice = rows.user_row(anna)
    accounts.close(twice)
    with pytest.raises(Problem, match="does not exist any more"):
        accounts.close(twice)
    assert sorted(left()) == ["account_mails", "outbox", "users"]


def test_a_conversion_that_is_running_notices(store: Blobs) -> None:
    anna = rows.user()
    job = with_file(store, anna, "converting")
    claim = rows.claim_of(job)
    rows.change(jobs_table, jobs_table.c.id == job, lease_until=rows.ago(-60))
    leases.renew(claim, 0.5)
    close(anna)
    sweep.finish_deleting()
    with pytest.raises(ClaimLost):
        leases.renew(claim, 0.5)


NEW: dict[str, Callable[[str], Any]] = {
    "an upload": lambda anna: intake.open_job(anna, "talk.mp4", {}, None, "", 0),
    "a resumable upload": lambda anna: uploads.create(anna, "talk.mp4", {}, uploads.Upload(uploads.new_id(), None, 0)),
    "a batch": lambda anna: batches.create(anna, NewBatch([{"source_url": "https://example.com/a.mp4"}]), None),
    "a submission": lambda anna: submitted.open_submitted(anna, "f" * 32, VideoSubmitted("https://example.com/a.mp4")),
    "a webhook": lambda anna: webhooks.create(anna, NewWebhook("https://example.com/")),
    "an API key": lambda anna: api_keys.create(anna, NewApiKey("laptop", ["jobs:read"])),
    "a wish": lambda anna: preferences.change(anna, preferences.read(anna)),
    "a quota": lambda anna: managed.set_quotas(anna, {"jobs": 1}),
    "the end of sessions": sessions.end_every,
}


@pytest.mark.parametrize("what", NEW)
def test_whatever_would_begin_in_it_is_refused_the_same_way(what: str) -> None:
    anna = rows.user()
    close(anna)
    before = sorted(left())
    with pytest.raises(AccountGone):
        NEW[what](anna)
    assert sorted(left()) == before


def test_no_job_goes_on_in_it_to_another_state(store: Blobs) -> None:
    anna = rows.user()
    jobs = {state: with_file(store, anna, state) for state in ("done", "failed", "receiving", "converting")}
    close(anna)
    held = rows.claim_of(jobs["converting"])
    acts: list[Callable[[], Any]] = [
        lambda: transitions.retry_within_quotas(anna, jobs["failed"]),
        lambda: transitions.queue(claims.claim_upload(jobs["receiving"]), "talk.mp4", {}, 1000),
        lambda: transitions.finish(held, Audio(1, "", 1.0)),
        lambda: fetches.put_off(replace(held, state=State.RECEIVING), Fetched(now()), 60),
    ]
    for act in acts:
        with pytest.raises(AccountGone):
            act()
    assert {state: rows.read(job).state for state, job in jobs.items()} == {state: state for state in jobs}


def test_a_link_to_end_its_mails_leads_nowhere_and_asks_nobody_who_they_are() -> None:
    anna = rows.user()
    token = preferences.unsubscribe_token(anna, AudioCreated.TYPE)
    close(anna)
    with pytest.raises(Problem, match="does not exist any more") as caught:
        preferences.unsubscribe(token)
    assert caught.value.code == "not-found"
    assert "WWW-Authenticate" not in caught.value.headers


def test_files_that_cannot_be_deleted_now_are_deleted_with_a_later_tick(
    store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = rows.user()
    for _ in range(3):
        with_file(store, anna, "done")
    close(anna)
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete", dies)
        with pytest.raises(Unavailable):
            sweep.finish_deleting()
    assert (rows.user_row(anna), len(list(store.all()))) == (None, 3)
    files.delete_unwanted()
    assert list(store.all()) == []


def test_who_dies_in_the_middle_has_deleted_whole_jobs_and_the_next_goes_on(
    store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = rows.user()
    kept = [with_file(store, anna, "done") for _ in range(3)]
    close(anna)
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "JOBS", 2)
        patch.setattr(files, "delete_unwanted", dies)
        patch.setattr(sweep, "MAX_BATCHES", 1)
        with pytest.raises(Unavailable):
            sweep.finish_deleting()
        assert (rows.user_row(anna).deleted_at is None, sum(rows.read(job) is None for job in kept)) == (False, 2)
    assert len(list(store.all())) == 3
    sweep.finish_deleting()
    assert (rows.user_row(anna), list(store.all())) == (None, [])


def dies(*_: object, **_named: object) -> None:
    raise Unavailable("the store is away")


def test_more_than_a_tick_takes_is_left_to_the_next(store: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.sweep.accounts.JOBS", 2)
    monkeypatch.setattr("functions.sweep.accounts.MAX_BATCHES", 1)
    anna = rows.user()
    for _ in range(3):
        with_file(store, anna, "done")
    close(anna)
    sweep.finish_deleting()
    assert rows.user_row(anna) is not None
    sweep.finish_deleting()
    assert rows.user_row(anna) is None


def test_nobody_is_told_of_the_jobs_of_a_deleted_account(store: Blobs) -> None:
    anna = rows.user()
    job = with_file(store, anna, "done")
    assert news.notice_of(job, AudioCreated)
    close(anna)
    assert news.notice_of(job, AudioCreated) is None


def test_tokens_and_attempts_are_forgotten_when_they_are_over() -> None:
    with database.transaction() as connection:
        for email in ("old@example.com", "new@example.com"):
            mailed.issue(connection, Purpose.REGISTER, "-", email, None, "-")
    rows.change(mailed_tokens, mailed_tokens.c.email == "old@example.com", expires_at=rows.ago(1))
    with database.transaction() as connection:
        for key, seconds in (("old", 90_000), ("new", 10)):
            moment = rows.ago(seconds)
            connection.execute(attempts.insert().values(key=key, tries=1, last_at=moment, free_at=moment))
    retention.forget()
    with database.reading() as connection:
        assert [row.email for row in connection.execute(mailed_tokens.select())] == ["new@example.com"]
        assert [row.key for row in connection.execute(attempts.select())] == ["new"]


def test_an_account_that_is_marked_is_gone_for_login() -> None:
    anna = rows.user("anna@example.com")
    close(anna)
    with pytest.raises(Problem):
        accounts.read(anna)
    assert accounts.by_email("anna@example.com") is None
    with database.reading() as connection:
        (row,) = connection.execute(users.select()).all()
    assert "anna" not in str(row)
