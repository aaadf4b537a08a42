"""How long the rows of each table are kept: no table grows for ever, and no tick takes all its time to see to that.

What is over is read first, without locks, and then deleted by its key, so many rows in a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database, kinds, settings, tables
from functions.shared.jobs.states import State
from functions.shared.jobs.turns import over as turn_is_over
from functions.shared.tables import dead_letters, jobs, notifications, now
from functions.sweep import chores
from functions.sweep.replays import OVER

__all__ = ["BATCH", "MAX_BATCHES", "RETENTIONS", "Retention", "clear", "clear_lost_notices", "forget"]

# Rows in one transaction, and such transactions for one condition in one tick; what is left is for the next.
BATCH, MAX_BATCHES = 500, 10
# Longer than attempts count.
ATTEMPTS_SECONDS = 86_400
UNCONFIRMED_SECONDS = 86_400
OVER_SECONDS = 3600
# For so long a place and a program are known by which somebody has signed in.
SIGN_IN_SECONDS = 90 * 86_400
# Finding rows about jobs that are gone reads all of them.
LOST_NOTICES_EVERY_SECONDS = 3600

Conditions = tuple[sa.ColumnElement[bool], ...]


@dataclass(frozen=True)
class Retention:
    """How long rows of one table are `kept`, in words; and, if ticks delete them by age, the conditions by which."""

    table: sa.Table[Any]
    kept: str
    over: Callable[[], Conditions] | None = None


def _mailed() -> Conditions:
    return (tables.mailed_tokens.c.expires_at < now(),)


def _account_mails() -> Conditions:
    # notify deletes what is over when it is next due, within the hour, and says so in the ledger.
    return (tables.account_mails.c.expires_at < _ago(OVER_SECONDS),)


def _attempts() -> Conditions:
    return (tables.attempts.c.last_at < _ago(ATTEMPTS_SECONDS),)


def _refresh_tokens() -> Conditions:
    return (tables.refresh_tokens.c.expires_at < now(),)


def _api_keys() -> Conditions:
    return (tables.api_keys.c.expires_at < _ago(settings.number("RETENTION_SECONDS")),)


def _audit() -> Conditions:
    return (tables.audit.c.at < _ago(settings.number("AUDIT_SECONDS")),)


def _converted() -> Conditions:
    # Today's count: and a day's more, for clocks that differ.
    return (tables.converted.c.day < (now() - timedelta(days=2)).date(),)


def _turns() -> Conditions:
    return (turn_is_over(),)


def _outbox() -> Conditions:
    return (tables.outbox.c.settled_at < _ago(settings.number("RETENTION_SECONDS")),)


def _links() -> Conditions:
    return (tables.links.c.expires_at < now(),)


def _peaks() -> Conditions:
    # Those that the release before this one has expired.
    expired = sa.select(jobs.c.id).where(jobs.c.state == State.EXPIRED)
    return (tables.peaks.c.job_id.in_(expired),)


def _archives() -> Conditions:
    return (tables.archives.c.expires_at < now(),)


def _notice_attempts() -> Conditions:
    return (tables.notice_attempts.c.at < _ago(settings.number("RETENTION_SECONDS")),)


def _phones() -> Conditions:
    # One that is confirmed has no code.
    return (tables.phones.c.code_expires_at < _ago(UNCONFIRMED_SECONDS),)


def _known_sign_ins() -> Conditions:
    return (tables.known_sign_ins.c.seen_at < _ago(SIGN_IN_SECONDS),)


def _batches() -> Conditions:
    # A request that repeats an Idempotency-Key after that is a new one.
    told = tables.batches.c.told_at.is_not(None)
    return (sa.and_(told, tables.batches.c.created_at < _ago(settings.number("RETENTION_SECONDS"))),)


def _pieces() -> Conditions:
    expired = sa.select(jobs.c.id).where(jobs.c.state == State.EXPIRED)
    return (tables.upload_pieces.c.job_id.in_(expired),)


def _dead_letters() -> Conditions:
    before, letters = _ago(settings.number("RETENTION_SECONDS")), dead_letters.c
    # The release before revision 0003 does not say when it replayed a letter.
    replayed = sa.func.coalesce(letters.tried_at, letters.recorded_at) < before
    return (
        sa.and_(letters.healed_at < before, letters.state.in_(OVER)),
        sa.and_(letters.state == "replayed", replayed),
        sa.and_(letters.recorded_at < _ago(settings.number("HISTORY_SECONDS")), letters.state != "wanted"),
    )


_WITH_ACCOUNT, _WITH_JOB = "as long as the account", "as long as the job"

RETENTIONS = (
    Retention(tables.users, "until its owner deletes it"),
    Retention(tables.mailed_tokens, "until it is used, or is good no more: a day at most", _mailed),
    Retention(tables.account_mails, "until it is sent, refused, or good no more: seven days at most", _account_mails),
    Retention(tables.attempts, "a day after the last one", _attempts),
    Retention(tables.refresh_tokens, "`REFRESH_TOKEN_SECONDS`, or until the session ends", _refresh_tokens),
    Retention(tables.api_keys, "until it is revoked, or `RETENTION_SECONDS` after it has expired", _api_keys),
    Retention(tables.operators, _WITH_ACCOUNT),
    Retention(tables.audit, "`AUDIT_SECONDS`", _audit),
    Retention(tables.identities, _WITH_ACCOUNT),
    Retention(tables.jobs, "until deleted, or `HISTORY_SECONDS` after it has expired; an upload that broke off: a day"),
    Retention(
        tables.batches,
        "`RETENTION_SECONDS`, and until its owner is told: who sends the key again gets the same answer",
        _batches,
    ),
    Retention(tables.quotas, _WITH_ACCOUNT),
    Retention(tables.converted, "two days", _converted),
    Retention(tables.turns, "until it makes no difference: some hours", _turns),
    Retention(tables.uploads, _WITH_JOB),
    Retention(tables.upload_pieces, "until its job has expired", _pieces),
    Retention(tables.links, "until it is revoked, or is good no more", _links),
    Retention(tables.peaks, "as long as the MP3", _peaks),
    Retention(tables.archives, "an hour", _archives),
    Retention(tables.checkpoints, "until its job ends"),
    Retention(tables.job_events, _WITH_JOB),
    Retention(tables.outbox, "`RETENTION_SECONDS` after its effect", _outbox),
    Retention(
        tables.notifications,
        "as long as the job, or the batch; of accounts and of a test of a webhook, `RETENTION_SECONDS`",
    ),
    Retention(tables.notice_attempts, "`RETENTION_SECONDS`", _notice_attempts),
    Retention(tables.notice_preferences, _WITH_ACCOUNT),
    Retention(tables.webhooks, "until its owner deletes it"),
    Retention(tables.phones, "until its owner deletes it; a number that is not confirmed: a day", _phones),
    Retention(tables.known_sign_ins, "90 days after the last sign-in of its kind", _known_sign_ins),
    Retention(
        tables.dead_letters,
        "`RETENTION_SECONDS` after it has healed, or was settled or replayed; `HISTORY_SECONDS` in any case",
        _dead_letters,
    ),
    Retention(tables.rollouts, "until the release before is gone"),
    Retention(tables.unwanted_blobs, "until the file is deleted: at once, or with a later tick"),
    Retention(tables.chores, "for ever: one row a chore"),
)


def forget() -> None:
    """Delete what is over by its age, of each table so much."""
    for each in RETENTIONS:
        for over in each.over() if each.over else ():
            _repeatedly(each.table, over)


def clear_lost_notices() -> None:
    """What was noted about jobs in the moment when they were deleted, and old notices of none: once an hour."""
    about = notifications.c.job_id
    of_nothing = ~(sa.exists().where(jobs.c.id == about) | sa.exists().where(tables.batches.c.id == about))
    kept = notifications.c.created_at >= _ago(settings.number("RETENTION_SECONDS"))
    of_no_job = notifications.c.kind.in_({kinds.WEBHOOK_TESTED, *kinds.OF_ACCOUNTS})
    lost = sa.and_(of_nothing, ~sa.and_(of_no_job, kept))
    chores.run("lost-notices", LOST_NOTICES_EVERY_SECONDS, lambda: _repeatedly(notifications, lost))


def clear(table: sa.Table[Any], over: sa.ColumnElement[bool]) -> int:
    """Delete BATCH of the rows for which a condition holds. Returns: how many were found."""
    key = tuple(table.primary_key.columns)
    with database.reading() as connection:
        found = connection.execute(sa.select(*key).where(over).limit(BATCH)).all()
    if found:
        same = key[0].in_([row[0] for row in found]) if len(key) == 1 else sa.tuple_(*key).in_(map(tuple, found))
        _delete(table, same, over)
    return len(found)


def _repeatedly(table: sa.Table[Any], over: sa.ColumnElement[bool]) -> None:
    for _ in range(MAX_BATCHES):
        if clear(table, over) < BATCH:
            return


@database.transactional
def _delete(connection: sa.Connection, table: sa.Table[Any], *which: sa.ColumnElement[bool]) -> None:
    connection.execute(table.delete().where(*which))


def _ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)
