"""Chats, SMS and the like, by apprise: services that the operator has configured, for owners who choose them."""

from __future__ import annotations

import logging

from functions.notify import by_apprise, preferences, texts
from functions.notify.channels import Channel, Endpoint, Notice
from functions.shared import languages, settings
from functions.shared.watch import Watch

__all__ = ["CHANNEL", "Service"]

log = logging.getLogger(__name__)


class Service(Channel):
    """Tells owners by services of NOTICE_SERVICES. Their URLs, which hold secrets, are the operator's alone."""

    name = "service"
    kinds = texts.KINDS

    def endpoints_of(self, notice: Notice) -> list[Endpoint]:
        """What the owner has chosen, of what is configured; a key is the service's name."""
        configured = settings.mapping("NOTICE_SERVICES")
        chosen = preferences.services_of(notice.job.user_id, notice.kind) if configured else []
        return [Endpoint(name, configured[name]) for name in chosen if name in configured]

    def claim_seconds(self) -> int:
        """apprise gives up on a server that says nothing for seconds; some services take several requests."""
        return 90

    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> None:
        """Send the text of the mail. Whether one that went wrong has arrived all the same, apprise does not say."""
        language = languages.of(notice.job.user_id)
        subject, _, body = texts.write(notice.job, notice.kind, language).partition("\n")
        by_apprise.send(endpoint.address, f"{endpoint.key} of NOTICE_SERVICES", subject, body.strip())
        log.info("%s: the owner of job %s is told: %s", endpoint.key, notice.job.id, notice.kind)


CHANNEL = Service()
