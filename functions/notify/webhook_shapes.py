"""Webhooks, as their owner makes and sees them."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, field

from functions.shared.operations import part
from functions.shared.views import Instant

__all__ = [
    "DELIVERY_ID",
    "MAX_WEBHOOKS",
    "WEBHOOK_ID",
    "ChangedWebhook",
    "MadeWebhook",
    "NewWebhook",
    "Tested",
    "Webhook",
    "WebhookChange",
    "WebhookList",
]

MAX_WEBHOOKS = 20
_EXAMPLE = "0b9c6f6e3d5a4f0d9f5c1e2a7b8c9d01"
WEBHOOK_ID = part("webhook_id", "The webhook.", pattern="^[0-9a-f]{32}$", examples=[_EXAMPLE])
DELIVERY_ID = part("delivery_id", "Of the list of deliveries.", pattern="^[0-9a-f]{32}$", examples=[_EXAMPLE])

Kind = Literal["dev.audiolift.audio.created.v1", "dev.audiolift.conversion.failed.v1"]
Url = Annotated[
    str,
    Meta(
        description="Where to post: http or https, a public address; https keeps names of files from being read "
        "on the way.",
        examples=["https://example.com/hooks/audiolift"],
        min_length=1,
        max_length=2000,
    ),
]
Events = Annotated[list[Kind], Meta(description="Types of events that it gets.", min_length=1, max_length=20)]


class NewWebhook(Struct, forbid_unknown_fields=True):
    """A webhook to be made."""

    url: Url
    events: Events = field(default_factory=lambda: list(get_args(Kind)))


class WebhookChange(Struct, forbid_unknown_fields=True):
    """What is to change; what is left out, or null, stays."""

    url: Url | None = None
    events: Events | None = None
    enabled: Annotated[bool | None, Meta(description="Whether anything is sent to it.")] = None
    new_secret: Annotated[
        bool, Meta(description="Make a new secret, which is in the answer. The old one signs too, for a day.")
    ] = False


class Webhook(Struct, kw_only=True):
    """A webhook."""

    id: Annotated[str, Meta(description="The webhook.", examples=[_EXAMPLE])]
    url: Url
    events: Events
    enabled: Annotated[bool, Meta(description="Whether anything is sent to it.")]
    created_at: Annotated[Instant, Meta(description="It gets what happens after that.")]
    disabled_at: Annotated[Instant | None, Meta(description="Since when nothing is sent to it.")]
    disabled_reason: Annotated[str | None, Meta(description="Why.", examples=["by its owner"])]


class ChangedWebhook(Webhook, kw_only=True):
    """A webhook, with its secret if that is new."""

    secret: Annotated[str | UnsetType, Meta(description="A new secret; it is shown now and never again.")] = UNSET


class MadeWebhook(Webhook, kw_only=True):
    """A webhook with its secret."""

    secret: Annotated[
        str,
        Meta(
            description="What signs; it is shown now and never again.",
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
        ),
    ]


class WebhookList(Struct):
    """Somebody's webhooks."""

    items: Annotated[list[Webhook], Meta(description=f"Oldest first; at most {MAX_WEBHOOKS}.")]


class Tested(Struct):
    """How a test went."""

    delivered: Annotated[bool, Meta(description="Whether the answer was 2xx.")]
    status: Annotated[int | None, Meta(description="Of the answer, if there was one.", examples=[204])]
    detail: Annotated[str | None, Meta(description="What went wrong.", examples=["it answered 500"])]
    code: Annotated[
        Literal["answered", "not-public", "no-host", "no-answer"] | None,
        Meta(description="The same as a word.", examples=["answered"]),
    ]
