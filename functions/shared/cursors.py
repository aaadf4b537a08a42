"""Lists in pages, newest first. A cursor is the place of the last row of a page, so that new rows move nothing."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from functions.shared import database
from functions.shared.problems import Problem

__all__ = ["newest_first"]


def newest_first(
    query: sa.Select[Any],
    moment: sa.ColumnElement[Any],
    identity: sa.ColumnElement[Any],
    cursor: str | None,
    limit: int,
) -> tuple[list[Any], str | None]:
    """A page of `limit` rows, by the time in the column `moment` and by `identity`, and the cursor of the next page.

    Raises: Problem (400) for a cursor that is none.
    """
    if cursor:
        at, last = _position(cursor)
        query = query.where(sa.or_(moment < at, sa.and_(moment == at, identity < last)))
    with database.reading() as connection:
        rows = list(connection.execute(query.order_by(moment.desc(), identity.desc()).limit(limit + 1)).all())
    return rows[:limit], _cursor(rows[limit - 1], moment, identity) if len(rows) > limit else None


def _cursor(row: Any, moment: sa.ColumnElement[Any], identity: sa.ColumnElement[Any]) -> str:
    at, last = row._mapping[moment], row._mapping[identity]
    return base64.urlsafe_b64encode(f"{at.isoformat()} {last}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, last = text.partition(" ")
        instant = datetime.fromisoformat(at)
        if instant.utcoffset() != timedelta(0):
            raise ValueError(at)
    except (ValueError, binascii.Error):
        raise Problem("bad-request", "`cursor` must be the next_cursor of an earlier page.") from None
    return instant, last
