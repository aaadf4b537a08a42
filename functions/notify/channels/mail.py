"""Mail: owners are told at the address of their account."""

from __future__ import annotations

import logging
from typing import Any

from events.catalogue import AudioCreated, ConversionFailed
from functions.notify import texts
from functions.notify.channels import Channel, Endpoint, Notice, Refused, Unclear
from functions.shared import mail, smtp
from functions.shared.watch import Watch

__all__ = ["CHANNEL", "Mail"]

log = logging.getLogger(__name__)


class Mail(Channel):
    """Tells owners at the address of their account."""

    name = "mail"
    kinds = frozenset({AudioCreated.TYPE, ConversionFailed.TYPE})

    def endpoints_of(self, job: Any) -> list[Endpoint]:
        """The owner's one address; its key is "", which is what all rows have that are older than endpoints."""
        return [Endpoint("", job.email)]

    def claim_seconds(self) -> int:
        """Kept mails are written again under the same name, which does no harm."""
        return 5 if mail.is_kept() else 2 * smtp.STEP_SECONDS + 30

    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> None:
        """Send or keep a mail. Its Message-ID is the same at every try: two copies count as one (RFC 5322, 3.6.4)."""
        message = mail.compose(notice.identity, endpoint.address, texts.write(notice.job, notice.kind))
        try:
            mail.send(message, watch)
        except mail.MailRefused as error:
            raise Refused(str(error)) from error
        except mail.MailUnclear as error:
            raise Unclear(str(error)) from error
        log.info("mail to the owner of job %s: %s", notice.job.id, notice.kind)


CHANNEL = Mail()
