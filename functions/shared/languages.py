"""The language that somebody is written to in: what they chose, or their browser asked for when they registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from functions.shared import database, tables

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["DEFAULT", "Language", "accepted", "named", "note", "of"]

Language = Literal["en", "de"]
DEFAULT: Language = "en"


def accepted(accept_language: str | None) -> Language:
    """That of ours which an Accept-Language header asks for first, for any country (RFC 9110, section 12.5.4)."""
    wanted = parse_accept_header(accept_language, LanguageAccept)
    asked_for = (tag.partition("-")[0].lower() for tag, quality in wanted if quality > 0)
    return named(next((tag for tag in asked_for if tag in get_args(Language)), DEFAULT))


def named(name: Any) -> Language:
    """The language of this name; English, too, for one that only a newer release knows, and for none."""
    return "de" if name == "de" else DEFAULT


def of(user_id: str) -> Language:
    """What somebody's mails are written in; English for nobody, by the same statement."""
    preferences = tables.notice_preferences
    with database.reading() as connection:
        row = connection.execute(preferences.select().where(preferences.c.user_id == user_id)).one_or_none()
    return named(row and row.language)


def note(connection: sa.Connection, user_id: str, language: Language) -> None:
    """Write down the language of a new account, in the caller's transaction."""
    if language != DEFAULT:
        values = {"user_id": user_id, "unwanted": [], "services": {}, "language": language}
        connection.execute(tables.notice_preferences.insert().values(**values))
