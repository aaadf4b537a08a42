"""Notices, as their owner sees them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from functions.shared.operations import part
from functions.shared.views import Instant

__all__ = ["NOTICE_ID", "DeliveryAttempt", "DeliveryPage", "DeliveryQuery", "NoticeDelivery", "Outcome"]

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
_EXAMPLE = "5f1d0b9c6f6e3d5a4f0d9f5c1e2a7b8c"
State = Literal["waiting", "sent", "refused"]
NOTICE_ID = part("notice_id", "Of the list of notices.", pattern="^[0-9a-f]{32}$", examples=[_EXAMPLE])


class Outcome(StrEnum):
    """What became of an attempt; the value is in the database."""

    # Under way, or its process died.
    BEGUN = "begun"
    SENT = "sent"
    REFUSED = "refused"
    PUT_OFF = "put-off"
    UNCLEAR = "unclear"


class DeliveryQuery(Struct):
    """Which page of which notices."""

    state: Annotated[State | None, Meta(description="Only those in this state.")] = None
    cursor: Annotated[str | None, Meta(description="The next_cursor of the page before.")] = None
    limit: Annotated[int, Meta(description="Notices per page.", ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


class DeliveryAttempt(Struct):
    """One try to tell."""

    at: Annotated[Instant, Meta(description="When it began.")]
    ended_at: Annotated[Instant | None, Meta(description="Null while it is under way, or when its process died.")]
    outcome: Annotated[
        str,
        Meta(
            description="`begun`: under way, or its process died. `put-off`: nothing was sent, it is tried again. "
            "`unclear`: whether it arrived is not known; a mail is sent again twice at most, hours apart.",
            extra_json_schema={"enum": [*Outcome]},
        ),
    ]
    status: Annotated[int | None, Meta(description="What an HTTP server answered, if it did.", examples=[503])]
    detail: Annotated[str | None, Meta(description="What went wrong.", examples=["the mail server does not answer"])]


class NoticeDelivery(Struct, kw_only=True):
    """A notice to one endpoint of a channel."""

    id: Annotated[str, Meta(description="The same at every try.", examples=[_EXAMPLE])]
    job_id: Annotated[
        str | None,
        Meta(
            description="The job, or the batch, that it is about; null for a test of a webhook, and for a mail about "
            "your account."
        ),
    ]
    type: Annotated[
        str,
        Meta(
            description="Of the event, or `account.…`: which mail about your account.",
            examples=["dev.audiolift.audio.created.v1"],
        ),
    ]
    channel: Annotated[str, Meta(description="How it is told.", examples=["mail", "sms", "service", "webhook"])]
    state: Annotated[State, Meta(description="`refused`: it is not tried any more; `reason` says why.")]
    reason: Annotated[str | None, Meta(description="Why it was given up.", examples=["550 5.1.1 no such user"])]
    created_at: Annotated[Instant, Meta(description="Of the first try, or when you last had it sent again.")]
    sent_at: Annotated[Instant | None, Meta(description="When it was taken.")]
    next_try_at: Annotated[Instant | None, Meta(description="Before when it is not tried again; null when it is over.")]
    attempts: Annotated[list[DeliveryAttempt], Meta(description="Oldest first.")]


class DeliveryPage(Struct):
    """Some of somebody's notices."""

    items: Annotated[list[NoticeDelivery], Meta(description="Newest first.")]
    next_cursor: Annotated[str | None, Meta(description="Send it as `cursor` for the next page; null on the last one.")]
