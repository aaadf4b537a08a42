"""Webhooks: events are posted to URLs that owners gave, as CloudEvents, signed as Standard Webhooks says."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from events import codec
from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import ledger, news, posting, signing, texts, webhooks
from functions.notify.channels import Channel, Endpoint, Notice, PutOff, Refused
from functions.shared import database, languages, mail
from functions.shared.kinds import WEBHOOK_TESTED
from functions.shared.problems import Unavailable
from functions.shared.tables import now
from functions.shared.tables import webhooks as table
from functions.shared.views import rfc3339
from functions.shared.watch import Watch

__all__ = ["CHANNEL", "Webhook", "test"]

log = logging.getLogger(__name__)

# The receiver wants no more, ever (Standard Webhooks, "Operational considerations"; RFC 9110, section 15.5.11).
GONE = 410
UNDER_WAY = "it is under way, or its process died"


class Webhook(Channel):
    """Posts to the URLs that owners gave."""

    name = webhooks.CHANNEL
    kinds = frozenset({AudioCreated.TYPE, ConversionFailed.TYPE})
    # Strangers' servers: many may be slow at once.
    threads = 24
    max_wait_seconds = 3 * 3600
    patience_seconds = 86_400

    def endpoints_of(self, notice: Notice) -> list[Endpoint]:
        """The owner's webhooks that were there when it happened, and want it; a key is the webhook's id."""
        about = (table.c.user_id == notice.job.user_id, table.c.created_at <= notice.job.updated_at)
        with database.reading() as connection:
            rows = connection.execute(table.select().where(*about, table.c.disabled_at.is_(None))).all()
        return [Endpoint(row.id, row.url) for row in rows if notice.kind in row.events]

    def claim_seconds(self) -> int:
        """All of a post, and what lies around it: how long a name server takes, nobody limits."""
        return int(posting.POST_SECONDS) + 60

    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> int:
        """Post it, under the same `webhook-id` at each try: a receiver knows by it what it has already."""
        row = _row(endpoint.key)
        if row is None or row.disabled_at is not None:
            raise Refused("the webhook is deleted or disabled")
        status = _post(row, notice.delivery_id(self.name, endpoint.key), _event(notice))
        if status == GONE:
            self.give_up(notice, endpoint, "it answered 410, which says that it wants no more")
            raise Refused("it answered 410, which says that it wants no more", status)
        if not 200 <= status < 300:
            raise PutOff(f"it answered {status}", status)
        log.info("webhook %s has the news of job %s: %s", row.id, notice.job.id, notice.kind)
        return status

    def give_up(self, notice: Notice, endpoint: Endpoint, reason: str) -> None:
        """Disable it, once its owner has been told by mail. Raises: Unavailable."""
        if not webhooks.begin_giving_up(endpoint.key):
            return
        text, html = texts.webhook_disabled(endpoint.address, reason, languages.of(notice.job.user_id))
        try:
            mail.send(mail.compose(_disabling(endpoint.key), notice.job.email, text, html))
        except (mail.MailRefused, mail.MailUnclear) as error:
            log.error("the owner of webhook %s does not know that it is disabled: %s", endpoint.key, error)
        webhooks.disable(endpoint.key, reason)


def test(row: Any) -> int:
    """Post an event about nothing but the webhook itself, as one more delivery of its log; it is not tried again.

    Returns: the answer's status. Raises: Unavailable when there is none.
    """
    # In the place of a job: each test is about nothing but itself.
    notice = Notice(SimpleNamespace(id=uuid.uuid4().hex, user_id=row.user_id, fencing_token=0), WEBHOOK_TESTED)
    attempt = ledger.begin(notice, webhooks.CHANNEL, row.id, CHANNEL.claim_seconds())
    assert attempt
    # Nobody comes back to it, should this process die.
    ledger.finish(attempt, UNDER_WAY)
    try:
        status = _post(row, attempt.delivery_id, _tested(row, notice))
    except Unavailable as error:
        ledger.finish(attempt, str(error))
        raise
    ledger.finish(attempt, None if 200 <= status < 300 else f"it answered {status}", status)
    return status


def _tested(row: Any, notice: Notice) -> dict[str, Any]:
    about = {"id": notice.identity, "source": "/audiolift/notify", "subject": row.id, "time": rfc3339(now())}
    kind = {"specversion": "1.0", "type": WEBHOOK_TESTED, "datacontenttype": "application/json"}
    return {**kind, **about, "data": {"webhook_id": row.id}}


def _post(row: Any, message_id: str, event: Mapping[str, Any]) -> int:
    """Post an event to a webhook. Returns: the status of the answer. Raises: Unavailable when there is none."""
    body = json.dumps(event).encode()
    signed = signing.headers(message_id, int(now().timestamp()), body, webhooks.secrets_of(row))
    content = {"Content-Type": "application/cloudevents+json; charset=utf-8", "User-Agent": "audiolift"}
    return posting.post(row.url, {**content, **signed}, body)


def _event(notice: Notice) -> dict[str, Any]:
    """The event in structured mode (CloudEvents JSON format 1.0.2, section 3): the same at every try."""
    event = news.event_of(notice)
    about = {"source": type(event).SOURCE, "subject": notice.job.id, "time": notice.job.updated_at}
    envelope = codec.encode(type(event), event.to_data(), id=notice.identity, **about)
    return {**envelope.attributes, "data": event.to_data()}


def _row(webhook_id: str) -> Any:
    with database.reading() as connection:
        return connection.execute(sa.select(table).where(table.c.id == webhook_id)).one_or_none()


def _disabling(webhook_id: str) -> str:
    """The identity of the mail about it."""
    row = _row(webhook_id)
    return f"webhook-{webhook_id}-{row.giving_up_until.timestamp():.0f}" if row else f"webhook-{webhook_id}"


CHANNEL = Webhook()
