"""What is left of an account that its owner has deleted: sweep sees to it, whoever dies in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import functions.sweep.accounts as sweep
import functions.sweep.files as files
from events.catalogue import AudioCreated
from functions.login import accounts
from functions.notify import news
from functions.shared import database, mailed
from functions.shared.blobs import Blobs
from functions.shared.jobs import leases, names
from functions.shared.jobs.claims import ClaimLost
from functions.shared.mailed import Purpose
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import attempts, mailed_tokens, metadata, users
from functions.shared.tables import jobs as jobs_table
from functions.sweep import retention
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
