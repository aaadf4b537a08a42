"""What owners want to be told of, as they see and change it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from events.catalogue import AudioCreated, BatchEnded, ConversionFailed
from functions.shared.operations import part

__all__ = ["KINDS", "UNSUBSCRIPTION", "Channels", "Events", "Language", "Preferences"]

# The members of Events, and the types of events that they stand for.
KINDS = {
    "audio_created": AudioCreated.TYPE,
    "conversion_failed": ConversionFailed.TYPE,
    "batch_ended": BatchEnded.TYPE,
}
Language = Literal["en", "de"]
UNSUBSCRIPTION = part("unsubscription", "What the mail has.", minLength=1, maxLength=2048)


class Channels(Struct, forbid_unknown_fields=True):
    """How to be told. What webhooks get, each of them says."""

    mail: Annotated[bool, Meta(description="By a mail to the account's address.")] = True
    services: Annotated[
        dict[str, bool],
        Meta(
            description="By which services; all that there are, are listed. None unless said.",
            examples=[{"team-chat": True}],
            max_length=100,
        ),
    ] = {}


class Events(Struct, forbid_unknown_fields=True, rename=KINDS):
    """What to be told of, by the types of events."""

    audio_created: Annotated[Channels, Meta(description="An MP3 is ready.")] = field(default_factory=Channels)
    conversion_failed: Annotated[Channels, Meta(description="There is no MP3.")] = field(default_factory=Channels)
    batch_ended: Annotated[
        Channels,
        Meta(
            description="A batch is over: one mail, instead of one for each of its jobs. There is none either for who "
            "wants no mails about jobs at all."
        ),
    ] = field(default_factory=Channels)


class Preferences(Struct, forbid_unknown_fields=True):
    """What somebody wants to be told of, and in which language."""

    events: Annotated[Events, Meta(description="For each type of events; one that is left out is as by default.")]
    language: Annotated[Language, Meta(description="Of mails about jobs (ISO 639).")] = "en"
