"""Mails that are to be sent about accounts: rows, each with an event in the outbox by which notify makes and sends it.

The row is written in the transaction of what the mail tells of. The event names it, and has nothing else: neither
addresses nor tokens are in the broker or among dead letters. The row is deleted when the mail is sent, refused, or
over, and the event with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from events.catalogue import MailRequested
from functions.shared import mailed, outbox
from functions.shared.languages import Language
from functions.shared.mailed import Purpose
from functions.shared.tables import account_mails as table
from functions.shared.tables import now

__all__ = ["forget", "with_link", "write"]

# What happened so long ago is no news.
NEWS = timedelta(days=7)


def write(
    connection: sa.Connection,
    kind: str,
    to: str,
    user_id: str | None = None,
    language: Language | None = None,
    said: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Have a mail of this kind sent to this address, in the caller's transaction. Returns: the event's id.

    Args: `user_id` is whose notices it is among, if anybody's; `language` is for who has not chosen one; `said` are the
    values of its text.
    """
    return _insert(connection, kind, to, user_id, language, uuid.uuid4().hex, now() + NEWS, said)


def with_link(
    connection: sa.Connection,
    kind: str,
    purpose: Purpose,
    to: str,
    token_of: str | None,
    user_id: str | None = None,
    language: Language | None = None,
    password_hash: str | None = None,
) -> str:
    """As `write`, a mail whose link has a token: it is not sent when that is good no more.

    Args: `token_of` is the user whose account the token is for, if there is one.
    """
    mail_id = uuid.uuid4().hex
    ends = mailed.issue(connection, purpose, mail_id, to, token_of, password_hash)
    return _insert(connection, kind, to, user_id, language, mail_id, ends, {})


def forget(connection: sa.Connection, user_id: str) -> None:
    """What a user has not been mailed yet is not mailed any more, in the caller's transaction."""
    connection.execute(table.delete().where(table.c.user_id == user_id))


def _insert(
    connection: sa.Connection,
    kind: str,
    to: str,
    user_id: str | None,
    language: Language | None,
    mail_id: str,
    ends: datetime,
    said: Mapping[str, Any],
) -> str:
    about = {"id": mail_id, "kind": kind, "email": to, "user_id": user_id, "language": language, "said": dict(said)}
    connection.execute(table.insert().values(**about, created_at=now(), expires_at=ends))
    return outbox.add_mail(connection, MailRequested(mail_id))
