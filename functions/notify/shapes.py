"""What notify answers with."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from functions.shared.views import Instant

__all__ = ["NEWEST", "KeptMail", "MailList"]

NEWEST = 50


class KeptMail(Struct):
    """A mail that was sent, and is kept on this machine."""

    id: Annotated[str, Meta(description="The Message-ID.", examples=["<0b9c6f6e@audiolift>"])]
    to: Annotated[str, Meta(description="The address.", examples=["anna@example.com"])]
    subject: Annotated[str, Meta(description="The subject.", examples=["Your MP3 is ready: talk.mp4"])]
    sent_at: Annotated[Instant, Meta(description="When it was written.", examples=["2026-11-26T12:00:10.000Z"])]
    text: Annotated[str, Meta(description="The body.", examples=["talk.mp4 is an MP3 now."])]


class MailList(Struct):
    """Some of somebody's mails."""

    items: Annotated[list[KeptMail], Meta(description=f"Newest first, at most {NEWEST}.")]
