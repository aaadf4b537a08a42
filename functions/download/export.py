"""All that is kept of an account, as one zip: rows as lines of JSON, and the files.

It is made while it is sent: rows come in batches, files in pieces, and what is held is one piece and the list of the
zip's entries. No connection to the database is held while a client takes its time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from functions.shared import blobs, database
from functions.shared.blobs import NoSuchBlob
from functions.shared.credentials import AccountGone
from functions.shared.file_names import ending_of
from functions.shared.jobs import names
from functions.shared.tables import (
    api_keys,
    batches,
    converted,
    identities,
    job_events,
    jobs,
    known_sign_ins,
    links,
    notice_attempts,
    notice_preferences,
    notifications,
    now,
    operators,
    phones,
    quotas,
    refresh_tokens,
    uploads,
    users,
    webhooks,
)
from functions.shared.views import rfc3339
from functions.shared.zips import ZipStream

__all__ = ["FILENAME", "LEFT_OUT", "check", "exported", "pieces"]

FILENAME = "audiolift-export.zip"
BATCH = 200
# What lets somebody in is for nobody to read, not even its owner.
SECRETS = frozenset({"digest", "code_digest", "password_hash", "secret", "former_secret"})
# What is about accounts, and not exported: for each table, why.
LEFT_OUT = {
    "archives": "which MP3s a zip was asked for, for an hour",
    "checkpoints": "half an MP3, of use to the conversion alone",
    "account_mails": "what is about to be mailed, and then deleted",
    "mailed_tokens": "good for a day at most, and then deleted",
    "peaks": "drawn from the MP3s, which are exported themselves",
    "outbox": "the events of jobs, which say what job_events says",
    "unwanted_blobs": "the names of files that are about to be deleted",
    "upload_pieces": "which blobs a video is in, which is exported itself",
    "turns": "whose turn it is to have a job converted, forgotten soon",
}


def check(user_id: str) -> None:
    """Raises: Problem (401) when the account is gone."""
    query = sa.select(users.c.id).where(users.c.id == user_id, users.c.deleted_at.is_(None))
    with database.reading() as connection:
        if connection.execute(query).one_or_none() is None:
            raise AccountGone()


def exported(user_id: str) -> dict[sa.Table[Any], sa.ColumnElement[bool]]:
    """The tables with rows of an account, and which of their rows are."""
    mine = sa.select(jobs.c.id).where(jobs.c.user_id == user_id)
    return {
        users: users.c.id == user_id,
        refresh_tokens: refresh_tokens.c.user_id == user_id,
        api_keys: api_keys.c.user_id == user_id,
        identities: identities.c.user_id == user_id,
        operators: operators.c.user_id == user_id,
        quotas: quotas.c.user_id == user_id,
        converted: converted.c.user_id == user_id,
        notifications: notifications.c.user_id == user_id,
        webhooks: webhooks.c.user_id == user_id,
        phones: phones.c.user_id == user_id,
        known_sign_ins: known_sign_ins.c.user_id == user_id,
        notice_preferences: notice_preferences.c.user_id == user_id,
        notice_attempts: notice_attempts.c.user_id == user_id,
        batches: batches.c.user_id == user_id,
        jobs: jobs.c.user_id == user_id,
        job_events: job_events.c.job_id.in_(mine),
        uploads: uploads.c.job_id.in_(mine),
        links: links.c.job_id.in_(mine),
    }


def pieces(user_id: str) -> Iterator[bytes]:
    """The zip, piece by piece. Whoever reads it sees by its end whether it is whole."""
    zipped = ZipStream()
    for name, content in _entries(user_id):
        yield from zipped.add(name, now(), content)
    yield from zipped.end()


def _entries(user_id: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    for table, which in exported(user_id).items():
        yield f"{table.name}.ndjson", map(_line, _rows(table, which))
    for job in _rows(jobs, jobs.c.user_id == user_id):
        for name, blob in _files(job).items():
            # What expires meanwhile is left out.
            with suppress(NoSuchBlob):
                size = blobs.store().size(blob)
                yield name, blobs.store().read(blob, 0, size)


def _files(job: Any) -> dict[str, str]:
    """Entries of the zip and their blobs. The name that a job goes by may lead anywhere: it is in jobs.ndjson only."""
    found = {f"files/{job.id}.video": names.video_of(job)}
    return found | ({f"files/{job.id}.{ending_of(job)}": job.audio} if job.audio else {})


def _rows(table: sa.Table[Any], which: sa.ColumnElement[bool]) -> Iterator[Any]:
    key = list(table.primary_key.columns)
    query = table.select().where(which).order_by(*key).limit(BATCH)
    after: sa.ColumnElement[bool] = sa.true()
    while batch := _batch(query.where(after)):
        yield from batch
        last = (sa.literal(getattr(batch[-1], column.name), column.type) for column in key)
        after = sa.tuple_(*key) > sa.tuple_(*last)


def _batch(query: sa.Select[Any]) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(query).all())


def _line(row: Any) -> bytes:
    shown = {name: value for name, value in row._mapping.items() if name not in SECRETS}
    return json.dumps(shown, default=_text, ensure_ascii=False).encode() + b"\n"


def _text(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)
