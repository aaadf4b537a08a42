"""Mail: owners are told at the address of their account, and whoever is to have one at the address that they gave."""

from __future__ import annotations

import logging
from email.message import EmailMessage

from functions.notify import account_news, account_texts, preferences, texts
from functions.notify.channels import Channel, Endpoint, Notice, Refused, Unclear
from functions.shared import kinds, languages, mail, settings, smtp
from functions.shared.jobs import batches
from functions.shared.watch import Watch

__all__ = ["CHANNEL", "Mail"]

log = logging.getLogger(__name__)


class Mail(Channel):
    """Tells owners at the address of their account."""

    name = "mail"
    kinds = texts.KINDS | account_texts.KINDS

    def endpoints_of(self, notice: Notice) -> list[Endpoint]:
        """The owner's one address, if mails are wanted; its key is "", as in rows that are older than endpoints.

        Of the jobs of a batch there is one mail for all.
        """
        if not preferences.wants_mail(notice.job.user_id or "", notice.kind) or batches.is_told_with(notice.job):
            return []
        return [Endpoint("", notice.job.email)]

    def claim_seconds(self) -> int:
        """Kept mails are written again under the same name, which does no harm."""
        return 5 if mail.is_kept() else 2 * smtp.STEP_SECONDS + 30

    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> None:
        """Send or keep a mail. Its Message-ID is the same at every try: two copies count as one (RFC 5322, 3.6.4)."""
        message = _composed(notice, endpoint)
        try:
            mail.send(message, watch)
        except mail.MailRefused as error:
            raise Refused(str(error)) from error
        except mail.MailUnclear as error:
            raise Unclear(str(error)) from error
        log.info("mail to the owner of %s: %s", notice.about, notice.kind)


def _composed(notice: Notice, endpoint: Endpoint) -> EmailMessage:
    if notice.kind in kinds.OF_ACCOUNTS:
        return account_news.composed(notice, endpoint.address)
    language = languages.of(notice.job.user_id)
    text, html = (write(notice.job, notice.kind, language) for write in (texts.write, texts.write_html))
    message = mail.compose(notice.identity, endpoint.address, text, html, thread=notice.job.id)
    _let_unsubscribe(message, notice)
    return message


def _let_unsubscribe(message: EmailMessage, notice: Notice) -> None:
    """By one click of a mail program (RFC 8058; RFC 2369, section 3.2)."""
    token = preferences.unsubscribe_token(notice.job.user_id, notice.kind)
    message["List-Unsubscribe"] = f"<{settings.text('PUBLIC_URL').rstrip('/')}/v1/unsubscribe/{token}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


CHANNEL = Mail()
