"""What notify answers with."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from functions.shared.views import Instant

__all__ = ["NEWEST", "KeptMail", "MailList"]

NEWEST = 50


class KeptMail(Struct):
    """A mail that was sent, and is kept on this machine."""

    id: Annotated[str, Meta(description="The Message-ID.")]
    to: Annotated[str, Meta(description="The address.")]
    subject: Annotated[str, Meta(description="The subject.")]
    sent_at: Annotated[Instant, Meta(description="When it was written.")]
    text: Annotated[str, Meta(description="The body.")]


class MailList(Struct):
    """Some of somebody's mails."""

    items: Annotated[list[KeptMail], Meta(description=f"Newest first, at most {NEWEST}.")]
