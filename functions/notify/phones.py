"""The number of an account for SMS: kept once a code that was sent there has come back.

A code is good for ten minutes and for five guesses; another one takes a wait. A number may be that of several accounts:
nobody learns whether another has it. What is counted is counted before it is tried, in rows that all pods share.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from functions.notify import by_apprise, texts
from functions.notify.phone_shapes import PLACE, Phone
from functions.shared import attempts, database, languages, owners, settings
from functions.shared.attempts import Pace
from functions.shared.problems import Problem
from functions.shared.tables import now
from functions.shared.tables import phones as table
from functions.shared.views import rfc3339

__all__ = ["address_of", "are_possible", "begin", "confirm", "confirmed", "forget", "read"]

CODE_SECONDS, MAX_GUESSES = 600, 5
# Each costs the operator money, and may trouble a stranger: two at once, then one after five minutes, and ever fewer,
# to one in an hour; both of an account, and to a number, whichever accounts ask.
OF_ACCOUNT = Pace("sms-of-account", free=2, first=300, longest=3500)
TO_NUMBER = Pace("sms-to-number", free=2, first=300, longest=3500)


def are_possible() -> bool:
    """Whether the operator has set up a service."""
    return bool(settings.text("SMS_SERVICE"))


def address_of(number: str) -> str:
    """The URL of apprise that sends to a number."""
    return settings.text("SMS_SERVICE").replace(PLACE, quote(number, safe=""))


def read(user_id: str) -> Phone:
    """The number of an account, all but its ends hidden."""
    row = _row(user_id)
    if row is None:
        return Phone(possible=are_possible(), number=None, confirmed_at=None, code_expires_at=None)
    waits = row.verified_at is None and row.code_expires_at
    return Phone(
        possible=are_possible(),
        number=f"{row.number[:3]}…{row.number[-3:]}",
        confirmed_at=row.verified_at and rfc3339(row.verified_at),
        code_expires_at=rfc3339(row.code_expires_at) if waits else None,
    )


def confirmed(user_id: str) -> Any:
    """The row of the number that an account has SMS sent to, or None."""
    row = _row(user_id)
    return row if row is not None and row.verified_at is not None else None


def begin(user_id: str, number: str) -> Phone:
    """Take a number in place of the one before, and send a code there.

    Raises: Problem (404) where there are no SMS; (429) when that has to wait; Unavailable when the service is away.
    """
    if not are_possible():
        raise Problem("not-found", "No SMS are sent here.")
    for pace, whose in ((OF_ACCOUNT, user_id), (TO_NUMBER, number)):
        if seconds := attempts.seconds_left(pace, whose):
            said = f"Codes were sent already. Another one can be had in {seconds} s."
            raise Problem("too-many-codes", said, {"Retry-After": str(seconds)})
    code = f"{secrets.randbelow(10**6):06}"
    _put(user_id, number, code)
    by_apprise.send(address_of(number), "SMS_SERVICE", "", texts.phone_code(code, languages.of(user_id)))
    return read(user_id)


def confirm(user_id: str, code: str) -> Phone:
    """Use the number from now on, by the code that was sent there. Raises: Problem (400)."""
    row = _guessed(user_id)
    if row is None or not hmac.compare_digest(row.code_digest, _digest(row.id, code.strip())):
        raise Problem("wrong-code", f"It is good for {CODE_SECONDS // 60} minutes and {MAX_GUESSES} tries.")
    if not _use(user_id, row.id):
        raise Problem("wrong-code", "Another number was given meanwhile.")
    return read(user_id)


@database.transactional
def forget(connection: sa.Connection, user_id: str) -> None:
    """No number any more; none is fine."""
    connection.execute(table.delete().where(table.c.user_id == user_id))


@database.transactional
def _put(connection: sa.Connection, user_id: str, number: str, code: str) -> None:
    owners.hold(connection, user_id)
    connection.execute(table.delete().where(table.c.user_id == user_id))
    moment, phone_id = now(), uuid.uuid4().hex
    about = {"user_id": user_id, "id": phone_id, "number": number, "created_at": moment, "guesses": 0}
    ends = moment + timedelta(seconds=CODE_SECONDS)
    connection.execute(table.insert().values(**about, code_digest=_digest(phone_id, code), code_expires_at=ends))


@database.transactional
def _guessed(connection: sa.Connection, user_id: str) -> Any:
    """Count a guess. Returns: the row that it may be right for, or None."""
    good = (table.c.user_id == user_id, table.c.verified_at.is_(None), table.c.code_expires_at > now())
    counted = table.update().where(*good, table.c.guesses < MAX_GUESSES).values(guesses=table.c.guesses + 1)
    if connection.execute(counted).rowcount != 1:
        return None
    return connection.execute(table.select().where(table.c.user_id == user_id)).one()


@database.transactional
def _use(connection: sa.Connection, user_id: str, phone_id: str) -> bool:
    this = (table.c.user_id == user_id, table.c.id == phone_id)
    used = {"verified_at": now(), "code_digest": None, "code_expires_at": None}
    return connection.execute(table.update().where(*this).values(**used)).rowcount == 1


def _row(user_id: str) -> Any:
    with database.reading() as connection:
        return connection.execute(table.select().where(table.c.user_id == user_id)).one_or_none()


def _digest(phone_id: str, code: str) -> str:
    return hashlib.sha256(f"{phone_id}/{code}".encode(errors="surrogatepass")).hexdigest()
