"""What owners want to be told of, and how. Whoever has not said is told by mail, of all but what is off unless said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jwt
import sqlalchemy as sa

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed
from functions.notify.preference_shapes import (
    KINDS,
    MAILED_ALONE,
    OFF_UNLESS_SAID,
    Channels,
    Events,
    Mailed,
    Preferences,
    QuietChannels,
)
from functions.shared import database, languages, owners, settings
from functions.shared.credentials import AccountGone
from functions.shared.languages import Language
from functions.shared.problems import Problem
from functions.shared.tables import notice_preferences as table
from functions.shared.visible import one_line

__all__ = [
    "change",
    "read",
    "reader_of",
    "services_of",
    "unsubscribe",
    "unsubscribe_token",
    "wants_mail",
    "wants_sms",
]

ALGORITHM = "HS256"
Changed: TypeAlias = "Callable[[set[str]], set[str]]"
# Unlike a signed link to a file: neither can stand in for the other (RFC 8725, section 3.11).
TOKEN_TYPE = "audiolift-unsubscribe+jwt"
_OF_JOBS = {AudioCreated.TYPE, ConversionFailed.TYPE}


def read(user_id: str) -> Preferences:
    """What somebody wants."""
    with database.reading() as connection:
        row = _row(connection, user_id)
    chosen: dict[str, Any] = {name: _channels(row, kind) for name, kind in KINDS.items()}
    events = Events(**chosen)
    return Preferences(events, languages.named(row and row.language))


def wants_mail(user_id: str, kind: str) -> bool:
    """Whether somebody wants mails about events of this type."""
    with database.reading() as connection:
        unwanted = _unwanted(_row(connection, user_id))
    return kind not in unwanted and not (kind == BatchEnded.TYPE and unwanted >= _OF_JOBS)


def wants_sms(user_id: str, kind: str) -> bool:
    """Whether somebody wants SMS about events of this type."""
    with database.reading() as connection:
        return kind in _sms(_row(connection, user_id))


def services_of(user_id: str, kind: str) -> list[str]:
    """The names of the services by which somebody wants to be told of events of this type."""
    with database.reading() as connection:
        return _services(_row(connection, user_id)).get(kind, [])


def change(user_id: str, wanted: Preferences) -> Preferences:
    """Set all of it. Raises: Problem (400) for a service that there is not, AccountGone."""
    events: dict[str, Any] = {kind: getattr(wanted.events, name) for name, kind in KINDS.items()}
    by_channel: dict[str, Channels] = {kind: each for kind, each in events.items() if kind not in MAILED_ALONE}
    services = {kind: sorted(_chosen(channels.services)) for kind, channels in by_channel.items()}
    sms = sorted(kind for kind, channels in by_channel.items() if channels.sms)
    unwanted = {kind for kind, channels in events.items() if not channels.mail}
    _set(user_id, lambda _: unwanted, services=services, sms=sms, language=wanted.language)
    return read(user_id)


def unsubscribe_token(user_id: str, kind: str) -> str:
    """What lets whoever has the mail end mails of its kind, and nothing else, while LINK_SECRET is the same."""
    secret = settings.required("LINK_SECRET")
    return jwt.encode({"sub": user_id, "kind": kind}, secret, ALGORITHM, headers={"typ": TOKEN_TYPE})


def reader_of(token: str) -> Language:
    """The language of whom a token is for. Raises: Problem (404) when it is not one of ours."""
    return languages.of(_subject(token)[0])


def unsubscribe(token: str) -> None:
    """End the mails that a token is for. Raises: Problem (404) when it is not one of ours, or the account is gone."""
    user_id, kind = _subject(token)
    try:
        _set(user_id, lambda before: before | {kind})
    except AccountGone as gone:
        # A link asks nobody who they are.
        raise Problem("not-found", gone.detail) from None


def _subject(token: str) -> tuple[str, str]:
    secret = settings.required("LINK_SECRET")
    try:
        decoded = jwt.decode_complete(token, secret, algorithms=[ALGORITHM], options={"require": ["sub"]})
        if decoded["header"].get("typ") != TOKEN_TYPE or decoded["payload"].get("kind") not in KINDS.values():
            raise jwt.InvalidTokenError
        return str(decoded["payload"]["sub"]), str(decoded["payload"]["kind"])
    except jwt.InvalidTokenError:
        raise Problem("not-found", "This link is not valid, or no longer. Sign in to choose what you get.") from None


def _chosen(services: dict[str, bool]) -> list[str]:
    if unknown := sorted(set(services) - set(settings.mapping("NOTICE_SERVICES"))):
        raise Problem("bad-request", f"There is no service {one_line(unknown[0], 64)!r}.")
    return [name for name, is_wanted in services.items() if is_wanted]


@database.transactional
def _set(connection: sa.Connection, /, user_id: str, unwanted: Changed, **more: Any) -> None:
    owners.hold(connection, user_id)
    row = _row(connection, user_id)
    unwished = unwanted(_unwanted(row))
    values = {
        "services": _services(row),
        "sms": _sms(row),
        "language": languages.named(row and row.language),
        **more,
        # What is off unless said is written down when it is wanted: a release that knows it not writes nothing of it.
        "unwanted": sorted(unwished - OFF_UNLESS_SAID),
        "wanted": sorted(OFF_UNLESS_SAID - unwished),
    }
    if row is None:
        connection.execute(table.insert().values(user_id=user_id, **values))
    else:
        connection.execute(table.update().where(table.c.user_id == user_id).values(**values))


def _row(connection: sa.Connection, user_id: str) -> Any:
    return connection.execute(table.select().where(table.c.user_id == user_id)).one_or_none()


def _channels(row: Any, kind: str) -> Channels | Mailed:
    mail = kind not in _unwanted(row)
    if kind in MAILED_ALONE:
        return Mailed(mail)
    chosen = _services(row).get(kind, [])
    services = {name: name in chosen for name in settings.mapping("NOTICE_SERVICES")}
    return (QuietChannels if kind in OFF_UNLESS_SAID else Channels)(mail, kind in _sms(row), services)


def _services(row: Any) -> dict[str, list[str]]:
    return dict(row.services) if row else {}


def _sms(row: Any) -> list[str]:
    return list(row.sms or ()) if row else []


def _unwanted(row: Any) -> set[str]:
    """What no mails are wanted about."""
    if row is None:
        return set(OFF_UNLESS_SAID)
    return set(row.unwanted) | (OFF_UNLESS_SAID - set(row.wanted or ()))
