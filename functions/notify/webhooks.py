"""The webhooks of an account: rows of a table. What is sent to them is in channels/webhook.py."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET

from functions.notify import signing
from functions.notify.webhook_shapes import (
    MAX_WEBHOOKS,
    ChangedWebhook,
    MadeWebhook,
    NewWebhook,
    Webhook,
    WebhookChange,
)
from functions.shared import database, owners
from functions.shared.addresses import check_literal
from functions.shared.problems import Problem, Unavailable
from functions.shared.reasons import Failure
from functions.shared.tables import notifications, now
from functions.shared.tables import webhooks as table
from functions.shared.views import rfc3339

__all__ = ["CHANNEL", "begin_giving_up", "change", "create", "delete", "disable", "every", "of", "read", "secrets_of"]

# Its name in the ledger.
CHANNEL = "webhook"
# While a secret is changed, both sign.
BOTH_SECONDS = 86_400
GIVING_UP_SECONDS = 900
_DELETED, _DISABLED = "the webhook was deleted", "the webhook is disabled"


def create(user_id: str, new: NewWebhook) -> MadeWebhook:
    """Make one. Raises: Problem (400, 401, 409)."""
    _check(new.url)
    webhook_id, secret = uuid.uuid4().hex, signing.make_secret()
    wanted = {"url": new.url, "events": sorted(set(new.events))}
    _insert({"id": webhook_id, "user_id": user_id, **wanted, "secret": secret, "created_at": now()})
    return MadeWebhook(**_members(of(user_id, webhook_id)), secret=secret)


def every(user_id: str) -> list[Webhook]:
    """All of an account, oldest first."""
    query = table.select().where(table.c.user_id == user_id).order_by(table.c.created_at, table.c.id)
    with database.reading() as connection:
        return [Webhook(**_members(row)) for row in connection.execute(query)]


def read(user_id: str, webhook_id: str) -> Webhook:
    """One of an account. Raises: Problem (404)."""
    return Webhook(**_members(of(user_id, webhook_id)))


def change(user_id: str, webhook_id: str, wanted: WebhookChange) -> ChangedWebhook:
    """Change what is given. Returns: it, with its secret if that is new. Raises: Problem (400, 404)."""
    if wanted.url is not None:
        _check(wanted.url)
    row = _change(user_id, webhook_id, wanted)
    return ChangedWebhook(**_members(row), secret=row.secret if wanted.new_secret else UNSET)


@database.transactional
def delete(connection: sa.Connection, user_id: str, webhook_id: str) -> None:
    """End one: nothing more is sent to it. Raises: Problem (404)."""
    if connection.execute(table.delete().where(*_mine(user_id, webhook_id))).rowcount != 1:
        raise _unknown()
    _end_waiting(connection, webhook_id, _DELETED)


def of(user_id: str, webhook_id: str) -> Any:
    """The row of one of an account. Raises: Problem (404)."""
    with database.reading() as connection:
        row = connection.execute(table.select().where(*_mine(user_id, webhook_id))).one_or_none()
    if row is None:
        raise _unknown()
    return row


def secrets_of(row: Any) -> list[str]:
    """What signs now: the secret, and for a while the one before it."""
    is_former_good = row.former_until is not None and row.former_until > now()
    return [row.secret, *([row.former_secret] if is_former_good else [])]


@database.transactional
def begin_giving_up(connection: sa.Connection, webhook_id: str) -> bool:
    """Claim the right to tell its owner that it is disabled, for a quarter of an hour.

    Returns: False when it is disabled already, or gone. Raises: Unavailable while another has the right.
    """
    moment = now()
    enabled = (table.c.id == webhook_id, table.c.disabled_at.is_(None))
    free = sa.or_(table.c.giving_up_until.is_(None), table.c.giving_up_until < moment)
    until = moment + timedelta(seconds=GIVING_UP_SECONDS)
    if connection.execute(table.update().where(*enabled, free).values(giving_up_until=until)).rowcount == 1:
        return True
    if connection.execute(sa.select(table.c.id).where(*enabled)).one_or_none() is None:
        return False
    raise Unavailable("its owner is being told by another delivery")


@database.transactional
def disable(connection: sa.Connection, webhook_id: str, reason: str) -> None:
    """Send it nothing more, until its owner enables it again."""
    values = {"disabled_at": now(), "disabled_reason": reason[:500], "giving_up_until": None}
    connection.execute(table.update().where(table.c.id == webhook_id).values(**values))
    _end_waiting(connection, webhook_id, _DISABLED)


def _check(url: str) -> None:
    try:
        check_literal(url)
    except Failure:
        detail = "`url` must be http or https, in ASCII, without credentials, and lead to a public address."
        raise Problem("bad-request", detail) from None


@database.transactional
def _insert(connection: sa.Connection, values: dict[str, Any]) -> None:
    # Or each of those who make webhooks at once would still see room for one.
    owners.hold(connection, values["user_id"])
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.user_id == values["user_id"])
    if connection.execute(counted).scalar_one() >= MAX_WEBHOOKS:
        raise Problem("too-many-webhooks", f"An account has at most {MAX_WEBHOOKS} webhooks; delete one.")
    connection.execute(table.insert().values(values))


@database.transactional
def _change(connection: sa.Connection, user_id: str, webhook_id: str, wanted: WebhookChange) -> Any:
    mine = _mine(user_id, webhook_id)
    row = connection.execute(table.select().where(*mine).with_for_update()).one_or_none()
    if row is None:
        raise _unknown()
    if values := _changed(row, wanted):
        connection.execute(table.update().where(*mine).values(**values))
    if wanted.enabled is False:
        _end_waiting(connection, webhook_id, _DISABLED)
    return connection.execute(table.select().where(*mine)).one()


def _changed(row: Any, wanted: WebhookChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if wanted.url is not None:
        values["url"] = wanted.url
    if wanted.events is not None:
        values["events"] = sorted(set(wanted.events))
    if wanted.enabled is True:
        values |= {"disabled_at": None, "disabled_reason": None, "giving_up_until": None}
    if wanted.enabled is False and row.disabled_at is None:
        values |= {"disabled_at": now(), "disabled_reason": "by its owner"}
    if wanted.new_secret:
        until = now() + timedelta(seconds=BOTH_SECONDS)
        values |= {"secret": signing.make_secret(), "former_secret": row.secret, "former_until": until}
    return values


def _end_waiting(connection: sa.Connection, webhook_id: str, reason: str) -> None:
    left = (notifications.c.sent_at.is_(None), notifications.c.refusal.is_(None))
    about = (notifications.c.channel == CHANNEL, notifications.c.endpoint == webhook_id)
    connection.execute(notifications.update().where(*about, *left).values(refusal=reason, due_at=None))


def _mine(user_id: str, webhook_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.user_id == user_id, table.c.id == webhook_id


def _unknown() -> Problem:
    return Problem("not-found", "You have no such webhook.")


def _members(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "events": row.events,
        "enabled": row.disabled_at is None,
        "created_at": rfc3339(row.created_at),
        "disabled_at": row.disabled_at and rfc3339(row.disabled_at),
        "disabled_reason": row.disabled_reason,
    }
