"""What owners want to be told of by mail. Whoever has not said is told of all."""

from __future__ import annotations

from typing import Any

import jwt
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from functions.notify.preference_shapes import KINDS, Channels, Events, Preferences
from functions.shared import database, settings
from functions.shared.problems import Problem, Unavailable
from functions.shared.tables import notice_preferences as table
from functions.shared.tables import users

__all__ = ["change", "read", "unsubscribe", "unsubscribe_token", "wants_mail"]

ALGORITHM = "HS256"
# Unlike a signed link to a file: neither can stand in for the other (RFC 8725, section 3.11).
TOKEN_TYPE = "audiolift-unsubscribe+jwt"


def read(user_id: str) -> Preferences:
    """What somebody wants."""
    with database.reading() as connection:
        return _preferences(_unwanted(connection, user_id))


def wants_mail(user_id: str, kind: str) -> bool:
    """Whether somebody wants mails about events of this type."""
    with database.reading() as connection:
        return kind not in _unwanted(connection, user_id)


def change(user_id: str, wanted: Preferences) -> Preferences:
    """Set all of it. Raises: Problem (401) when the account is gone."""
    events = {kind: getattr(wanted.events, name) for name, kind in KINDS.items()}
    _set(user_id, lambda _before: {kind for kind, channels in events.items() if not channels.mail})
    return read(user_id)


def unsubscribe_token(user_id: str, kind: str) -> str:
    """What lets whoever has the mail end mails of its kind, and nothing else, while LINK_SECRET is the same."""
    secret = settings.required("LINK_SECRET")
    return jwt.encode({"sub": user_id, "kind": kind}, secret, ALGORITHM, headers={"typ": TOKEN_TYPE})


def unsubscribe(token: str) -> None:
    """End the mails that a token is for. Raises: Problem (404) when it is not one of ours."""
    user_id, kind = _subject(token)
    _set(user_id, lambda before: before | {kind})


def _subject(token: str) -> tuple[str, str]:
    secret = settings.required("LINK_SECRET")
    try:
        decoded = jwt.decode_complete(token, secret, algorithms=[ALGORITHM], options={"require": ["sub"]})
        if decoded["header"].get("typ") != TOKEN_TYPE or decoded["payload"].get("kind") not in KINDS.values():
            raise jwt.InvalidTokenError
        return str(decoded["payload"]["sub"]), str(decoded["payload"]["kind"])
    except jwt.InvalidTokenError:
        raise Problem("not-found", "This link is not valid, or no longer. Sign in to choose what you get.") from None


@database.transactional
def _set(connection: sa.Connection, user_id: str, changed: Any) -> None:
    # The lock on the account has two changes at once take turns.
    owner = sa.select(users.c.id).where(users.c.id == user_id, users.c.deleted_at.is_(None)).with_for_update()
    if connection.execute(owner).one_or_none() is None:
        raise Problem("not-found", "This account does not exist any more.")
    values = {"unwanted": sorted(changed(_unwanted(connection, user_id)))}
    if connection.execute(table.update().where(table.c.user_id == user_id).values(**values)).rowcount == 0:
        try:
            connection.execute(table.insert().values(user_id=user_id, **values))
        except IntegrityError as error:
            raise Unavailable("another request changes the same") from error


def _unwanted(connection: sa.Connection, user_id: str) -> set[str]:
    query = sa.select(table.c.unwanted).where(table.c.user_id == user_id)
    return set(connection.execute(query).scalar_one_or_none() or ())


def _preferences(unwanted: set[str]) -> Preferences:
    chosen = {name: Channels(mail=kind not in unwanted) for name, kind in KINDS.items()}
    return Preferences(Events(**chosen))
