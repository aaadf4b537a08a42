"""Chats, SMS and the like, by apprise: services that the operator has configured, for owners who choose them."""

from __future__ import annotations

import logging

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed
from functions.notify import preferences, texts
from functions.notify.channels import Channel, Endpoint, Notice
from functions.shared import settings
from functions.shared.problems import NeedsOperator, Unavailable
from functions.shared.watch import Watch

__all__ = ["CHANNEL", "Service"]

log = logging.getLogger(__name__)


class Service(Channel):
    """Tells owners by services of NOTICE_SERVICES. Their URLs, which hold secrets, are the operator's alone."""

    name = "service"
    kinds = frozenset({AudioCreated.TYPE, ConversionFailed.TYPE, BatchEnded.TYPE})

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
        # It takes as long to import as the rest of a cold start, and few have it configured.
        import apprise

        service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        if not service.add(endpoint.address):
            raise NeedsOperator(f"apprise does not take the URL of {endpoint.key} in NOTICE_SERVICES")
        language = preferences.language_of(notice.job.user_id)
        subject, _, body = texts.write(notice.job, notice.kind, language).partition("\n")
        if not service.notify(title=subject, body=body.strip(), body_format="text"):
            raise Unavailable(f"the service {endpoint.key} did not take it")
        log.info("%s: the owner of job %s is told: %s", endpoint.key, notice.job.id, notice.kind)


CHANNEL = Service()
