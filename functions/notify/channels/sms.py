"""SMS: owners are told at the number that they have confirmed, by the operator's service."""

from __future__ import annotations

import logging

from functions.notify import by_apprise, phones, preferences, texts
from functions.notify.channels import Channel, Endpoint, Notice, Refused
from functions.shared import languages
from functions.shared.jobs import batches
from functions.shared.watch import Watch

__all__ = ["CHANNEL", "Sms"]

log = logging.getLogger(__name__)


class Sms(Channel):
    """Tells owners by SMS. What is sent has no link that opens a file: telephones show it to whoever looks at them."""

    name = "sms"
    kinds = texts.KINDS

    def endpoints_of(self, notice: Notice) -> list[Endpoint]:
        """The owner's confirmed number, if SMS are wanted about this; of the jobs of a batch there is one for all."""
        if not phones.are_possible() or not preferences.wants_sms(notice.job.user_id, notice.kind):
            return []
        phone = phones.confirmed(notice.job.user_id)
        if phone is None or batches.is_told_with(notice.job):
            return []
        return [Endpoint(phone.id, phone.number)]

    def claim_seconds(self) -> int:
        """apprise gives up on a server that says nothing for seconds."""
        return 90

    def send(self, notice: Notice, endpoint: Endpoint, watch: Watch) -> None:
        """Send it, if the number is still the owner's."""
        phone = phones.confirmed(notice.job.user_id)
        if phone is None or phone.id != endpoint.key:
            raise Refused("the number is not yours any more")
        text = texts.write_short(notice.job, notice.kind, languages.of(notice.job.user_id))
        by_apprise.send(phones.address_of(endpoint.address), "SMS_SERVICE", "", text)
        log.info("SMS to the owner of job %s: %s", notice.job.id, notice.kind)


CHANNEL = Sms()
