"""A process whose clock is an hour off takes nothing from others, and leaves nothing that nobody takes; leap days."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Verifier

import functions.notify.posting as posting
from events.catalogue import AudioCreated
from functions.login import grants
from functions.notify import ledger, news, signing
from functions.notify.channels import webhook
from functions.notify.ledger import NotDue
from functions.shared import database, table_types, tokens
from functions.shared.jobs import claims, leases, transitions
from functions.shared.jobs.states import State
from functions.shared.jobs.transitions import Audio
from functions.shared.tables import clock, converted, jobs, notifications
from functions.sweep import files, main, retention
from functions.upload import uploads
from functions.upload.uploads import Upload
from tests.unit import rows
from tests.unit.sink import Sink

pytestmark = pytest.mark.usefixtures("tables", "store")

HOUR = 3600.0
SetClock = Callable[[float], None]
either_way = pytest.mark.parametrize("wrong", [-HOUR, HOUR], ids=["an hour behind", "an hour ahead"])


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the clock of this process so many seconds ahead. That of the database stays right."""
    ahead = [timedelta()]

    wrong = SimpleNamespace(now=lambda zone: datetime.now(zone) + ahead[0])
    monkeypatch.setattr("functions.shared.table_types.datetime", wrong)
    return lambda seconds: ahead.__setitem__(0, timedelta(seconds=seconds))


@pytest.fixture
def time_goes_by(off: SetClock, monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets all clocks ahead: a process that has not asked the database goes by its own."""
    table_types.go_by(None)
    monkeypatch.setattr(table_types, "go_by", lambda _: None)
    return off


@either_way
def test_a_lease_is_as_long_whoever_gives_it_and_ends_when_it_ends_whoever_looks(
    off: SetClock, sink: Sink, wrong: float
) -> None:
    right, other = rows.job(), rows.job()
    assert claims.claim(right)
    off(wrong)
    assert claims.claim(other)
    assert claims.claim(right) is None, "it was taken from one that lives"
    main.tick()
    assert sink.received == []
    off(0)
    assert claims.claim(other) is None, "the one with the wrong clock lost it"
    # Both die; whoever comes takes them over, by a right clock and by a wrong one.
    rows.change(jobs, jobs.c.id.in_((right, other)), lease_until=clock(-1))
    assert claims.claim(right)
    off(wrong)
    assert claims.claim(other)


@either_way
def test_a_delivery_waits_for_the_lease_of_a_dead_one_as_long_as_it_lasts(
    off: SetClock, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "2")
    job = rows.job()
    assert claims.claim(job)
    off(wrong)
    began = time.monotonic()
    assert leases.claim_when_free(lambda: claims.claim(job), lambda: job)
    assert 1 < time.monotonic() - began < 60


@either_way
def test_nobody_is_told_twice_nor_kept_waiting(off: SetClock, wrong: float) -> None:
    job = rows.job()
    held = claims.claim(job)
    assert held
    transitions.finish(held, Audio(10, "ab" * 32, 1.5))
    notice = news.notice_of(job, AudioCreated)
    assert notice
    first = ledger.begin(notice, "mail", "", 30)
    assert first
    off(wrong)
    with pytest.raises(NotDue):
        ledger.begin(notice, "mail", "", 30)
    ledger.hold(first, 60)
    with database.reading() as connection:
        due = connection.execute(
            sa.select(notifications.c.due_at < clock(61), notifications.c.due_at > clock(29))
        ).one()
    assert tuple(due) == (True, True)
    ledger.put_off(first, 0, "away")
    off(0)
    again = ledger.begin(notice, "mail", "", 30)
    assert again
    ledger.finish(again)


# All who use an SQLite file are on one machine, which has one clock.
@either_way
@pytest.mark.parametrize("tables", ["mariadb"], indirect=True)
def test_nothing_expires_early_nor_stays_for_long_by_a_wrong_clock(
    off: SetClock, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_SECONDS", "1800")
    monkeypatch.setenv("UPLOAD_GRACE_SECONDS", "1800")
    owner, upload_id = rows.user(), uploads.new_id()
    off(wrong)
    # A process that begins by its own clock, and one that has been told long ago and is set meanwhile.
    for told in (False, True):
        if not told:
            database.engine().dispose()
            table_types.go_by(None)
        job = rows.job()
        held = claims.claim(job)
        assert held
        transitions.finish(held, Audio(10, "ab" * 32, 1.5))
        files.expire()
        assert rows.read(job).state == State.DONE
        with database.reading() as connection:
            ends = sa.select(jobs.c.expires_at < clock(1860), jobs.c.expires_at > clock(1740)).where(jobs.c.id == job)
            assert tuple(connection.execute(ends).one()) == (True, True)
    uploads.create(owner, "a.mp4", {}, Upload(upload_id, 10, 0))
    assert uploads.find(owner, upload_id)
    files.forget_unfinished()
    assert rows.read(upload_id)


@either_way
@pytest.mark.parametrize("tables", ["mariadb"], indirect=True)
def test_others_believe_what_is_signed_by_a_wrong_clock(
    off: SetClock, wrong: float, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, real, sent = rows.user(), time.time, list[tuple[Any, bytes]]()
    monkeypatch.setattr(posting, "post", lambda _url, headers, body: sent.append((headers, body)))
    hook = SimpleNamespace(url="https://example.com", secret=signing.make_secret(), former_until=None)
    off(wrong)
    with monkeypatch.context() as own:
        own.setattr(time, "time", lambda: real() + wrong)
        access = grants.issue(rows.user_row(user)).access_token
        webhook._post(hook, "1", {"type": "news"})
    assert tokens.bearer(f"Bearer {access}").user_id == user
    ((headers, body),) = sent
    assert Verifier(hook.secret).verify(body, headers) == {"type": "news"}


LEAP_DAYS = [
    "2028-02-28T23:59:30",
    "2028-02-29T00:00:00",
    "2028-02-29T23:59:30",
    "2027-02-28T23:59:30",
    "2096-02-29T12:00:00",
]


@pytest.mark.parametrize("moment", LEAP_DAYS)
def test_files_are_kept_for_as_many_days_as_they_should_around_a_leap_day(time_goes_by: SetClock, moment: str) -> None:
    begin = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    at = (begin - datetime.now(UTC)).total_seconds()
    time_goes_by(at)
    user = rows.user()
    job = rows.job(owner=user, options={"keep_days": 1})
    held = claims.claim(job)
    assert held
    transitions.finish(held, Audio(10, "ab" * 32, 60.0))
    assert timedelta(days=1) <= rows.read(job).expires_at - begin < timedelta(days=1, minutes=1)
    for seconds, state in ((86_400 - 60, State.DONE), (86_400 + 60, State.EXPIRED)):
        time_goes_by(at + seconds)
        files.expire()
        assert rows.read(job).state == state
    assert days() == [begin.date()]
    for day, left in ((1, 1), (4, 0)):
        time_goes_by(at + day * 86_400)
        retention.forget()
        assert len(days()) == left


def days() -> list[object]:
    """The days on which something was converted."""
    with database.reading() as connection:
        return list(connection.execute(sa.select(converted.c.day)).scalars())
